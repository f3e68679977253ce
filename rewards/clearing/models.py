"""What brands owe each other. Each side has its own copies, under the same ids; amounts are in fen
and signed: above zero this brand owes the partner, below zero the partner owes this brand."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class EntryKind(StrEnum):
    """What an entry is for: a coupon taken at a till and its reversal, a fee, money that was paid,
    what both sides have agreed to put right, or what a netting run replaces."""

    REDEMPTION = "REDEMPTION"
    REVERSAL = "REVERSAL"
    FEE = "FEE"
    PAYMENT = "PAYMENT"
    ADJUSTMENT = "ADJUSTMENT"
    NETTING = "NETTING"


class ClearingPosition(SQLModel, table=True):
    """How a brand stands with a partner. ``statement_due_at`` is when the open period ends.
    ``owed_fen`` is the balance of ``account_id``;
    ``reserved_fen`` what this brand may come to owe for coupons that it has issued."""

    __tablename__ = "clearing_positions"
    __table_args__ = (
        CheckConstraint("brand_id <> partner_id", name="two_brands"),
        CheckConstraint("reserved_fen >= 0", name="reserved_not_negative"),
        ForeignKeyConstraint(["partner_id"], ["brands.id"]),
        reference("account_id", "accounts"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    partner_id: UUID = Field(primary_key=True)
    account_id: UUID
    owed_fen: int = Field(default=0, sa_type=BigInteger)
    reserved_fen: int = Field(default=0, sa_type=BigInteger)
    statement_due_at: datetime | None = None
    opened_at: datetime


class ClearingEntry(SQLModel, table=True):
    """One side's copy of what came to be owed. Append-only, but for ``statement_id``: the
    statement that it was drawn into, None in the open period. Entries of coupons name the coupon,
    the redemption, and the place and the till that took it."""

    __tablename__ = "clearing_entries"
    __table_args__ = (
        CheckConstraint("owed_fen <> 0", name="amount_not_zero"),
        CheckConstraint(
            "kind IN ('REDEMPTION', 'REVERSAL', 'FEE', 'PAYMENT', 'ADJUSTMENT', 'NETTING')",
            name="kind_known",
        ),
        CheckConstraint("(kind = 'NETTING') = (netting_run_id IS NOT NULL)", name="netting_run"),
        Index(None, "brand_id", "partner_id", "id"),
        Index(None, "brand_id", "statement_id", "id"),
        Index(
            "ix_clearing_entries_redemption",
            *("brand_id", "redemption_id"),
            sqlite_where=text("redemption_id IS NOT NULL"),
            postgresql_where=text("redemption_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(["partner_id"], ["brands.id"]),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    partner_id: UUID
    kind: str
    owed_fen: int = Field(sa_type=BigInteger)
    agreement_id: UUID | None = None
    template_id: UUID | None = None
    coupon_id: UUID | None = None
    redemption_id: UUID | None = None
    place_name: str | None = None
    till_name: str | None = None
    note: str | None = None
    netting_run_id: UUID | None = None
    statement_id: UUID | None = None
    occurred_at: datetime
    created_at: datetime


class ClearingStatement(SQLModel, table=True):
    """One side's copy of what a period came to (对账单): closing = opening + its entries. Frozen
    once both have confirmed it."""

    __tablename__ = "clearing_statements"
    __table_args__ = (
        UniqueConstraint("brand_id", "partner_id", "number"),
        CheckConstraint("starts_at < ends_at", name="period"),
        CheckConstraint("(confirmed_at IS NULL) = (confirmed_by IS NULL)", name="confirmed_wholly"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    partner_id: UUID
    number: int
    starts_at: datetime
    ends_at: datetime
    opening_fen: int = Field(sa_type=BigInteger)
    closing_fen: int = Field(sa_type=BigInteger)
    entry_count: int = Field(sa_type=BigInteger)
    drawn_at: datetime
    confirmed_at: datetime | None = None
    confirmed_by: UUID | None = None
    partner_confirmed_at: datetime | None = None


class AdjustmentStatus(StrEnum):
    """PROPOSED by one side, then ACCEPTED or DECLINED by the other, or WITHDRAWN."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"


class ClearingAdjustment(SQLModel, table=True):
    """One side's copy of a correction that one of them wants. ``owed_fen``: what this brand would
    owe the partner more. ``is_ours`` in the copy of who proposed it."""

    __tablename__ = "clearing_adjustments"
    __table_args__ = (
        CheckConstraint(
            "status IN ('PROPOSED', 'ACCEPTED', 'DECLINED', 'WITHDRAWN')", name="status_known"
        ),
        CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("(status = 'ACCEPTED') = (entry_id IS NOT NULL)", name="entry"),
        CheckConstraint("owed_fen <> 0", name="amount_not_zero"),
        Index(
            "ix_clearing_adjustments_proposed",
            *("brand_id", "partner_id"),
            sqlite_where=text("status = 'PROPOSED'"),
            postgresql_where=text("status = 'PROPOSED'"),
        ),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    partner_id: UUID
    owed_fen: int = Field(sa_type=BigInteger)
    reason: str
    status: str = AdjustmentStatus.PROPOSED.value
    is_ours: bool
    entry_id: UUID | None = None
    proposed_at: datetime
    decided_at: datetime | None = None
