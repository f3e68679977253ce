"""Runs that net what several brands owe one another. Each brand has its own copy of a run and of
its legs, under the same id, and reads no other's; amounts are in fen and signed: above zero this
brand owes the partner."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant

_OPEN = text("is_open")


class NettingStatus(StrEnum):
    """PROPOSED until every brand of the run has approved it: POSTED. Or DECLINED by one of them, or
    WITHDRAWN by who proposed it."""

    PROPOSED = "PROPOSED"
    POSTED = "POSTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"


class NettingRun(SQLModel, table=True):
    """One brand's copy of a run (多边轧差). ``net_fen``: what this brand owes all others of the run
    together, before as after. ``approved_at`` is this brand's approval; ``reason`` why one of them
    declined; ``is_ours`` in the copy of who proposed it."""

    __tablename__ = "netting_runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('PROPOSED', 'POSTED', 'DECLINED', 'WITHDRAWN')", name="status_known"
        ),
        CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("(status = 'DECLINED') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(approved_at IS NULL) = (approved_by IS NULL)", name="approved_wholly"),
        CheckConstraint("status <> 'POSTED' OR approved_at IS NOT NULL", name="approved"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    status: str = NettingStatus.PROPOSED.value
    is_ours: bool
    net_fen: int = Field(sa_type=BigInteger)
    reason: str | None = None
    proposed_at: datetime
    approved_at: datetime | None = None
    approved_by: UUID | None = None
    decided_at: datetime | None = None


class NettingLeg(SQLModel, table=True):
    """One brand's copy of what a run does with one partner. ``owed_fen`` is what it owed when the
    run was proposed, ``pays_fen`` what it owes instead once it is posted. ``is_open`` while the
    run is PROPOSED and something was owed: a pair is in one such run at most."""

    __tablename__ = "netting_legs"
    __table_args__ = (
        CheckConstraint("owed_fen <> 0 OR pays_fen <> 0", name="amount_not_zero"),
        CheckConstraint("NOT is_open OR owed_fen <> 0", name="open"),
        CheckConstraint("brand_id <> partner_id", name="two_brands"),
        Index(
            "uq_netting_legs_open",
            *("brand_id", "partner_id"),
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        ForeignKeyConstraint(["partner_id"], ["brands.id"]),
        reference("run_id", "netting_runs"),
    )

    brand_id: UUID = tenant()
    run_id: UUID = Field(primary_key=True)
    partner_id: UUID = Field(primary_key=True)
    owed_fen: int = Field(sa_type=BigInteger)
    pays_fen: int = Field(sa_type=BigInteger)
    is_open: bool
