"""Balances put right by hand (人工调账)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class AdjustmentStatus(StrEnum):
    """APPLIED at once, or PROPOSED first and then APPLIED or REJECTED by a second operator."""

    PROPOSED = "PROPOSED"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"


class Adjustment(SQLModel, table=True):
    """``amount`` is given to a member, or taken where it is below zero. ``proposed_by_id`` is who
    asked for it, ``decided_by_id`` the second operator where one was needed, ``decided_at`` when it
    was applied or rejected."""

    __tablename__ = "adjustments"
    __table_args__ = (
        CheckConstraint("status IN ('PROPOSED', 'APPLIED', 'REJECTED')", name="status_known"),
        CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("decided_by_id <> proposed_by_id", name="two_people"),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        Index(None, "brand_id", "member_id", "id"),
        Index(
            "ix_adjustments_proposed",
            "brand_id",
            "id",
            sqlite_where=text("status = 'PROPOSED'"),
            postgresql_where=text("status = 'PROPOSED'"),
        ),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    asset: str
    amount: int = Field(sa_type=BigInteger)
    status: str
    reason: str
    proposed_by_id: UUID
    proposed_at: datetime
    decided_by_id: UUID | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
