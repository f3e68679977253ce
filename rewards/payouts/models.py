"""Money that leaves for a store."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class PayoutStatus(StrEnum):
    """CREATED with its exact request; SENT, and what came of it unknown; PROCESSING at the
    provider; PAID or FAILED for good."""

    CREATED = "CREATED"
    SENT = "SENT"
    PROCESSING = "PROCESSING"
    PAID = "PAID"
    FAILED = "FAILED"


_LIVE = "status IN ('CREATED', 'SENT', 'PROCESSING')"


class Payout(SQLModel, table=True):
    """One payment to one place under one ``number``. ``request`` is the exact text that is sent,
    each time it is sent; it never changes. ``transfer_id`` is the pending debit of the place's
    account, posted when paid and voided when failed. One live payout per place."""

    __tablename__ = "payouts"
    __table_args__ = (
        UniqueConstraint("brand_id", "number"),
        CheckConstraint("amount_fen > 0", name="amount_positive"),
        CheckConstraint(
            "status IN ('CREATED', 'SENT', 'PROCESSING', 'PAID', 'FAILED')", name="status_known"
        ),
        CheckConstraint(
            "(status IN ('PAID', 'FAILED')) = (resolved_at IS NOT NULL)", name="resolved_at"
        ),
        Index(
            "uq_payouts_live",
            "brand_id",
            "place_id",
            unique=True,
            sqlite_where=text(_LIVE),
            postgresql_where=text(_LIVE),
        ),
        Index(None, "brand_id", "place_id", "id"),
        reference("place_id", "places"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    place_id: UUID
    number: str
    amount_fen: int = Field(sa_type=BigInteger)
    transfer_id: UUID
    provider: str
    request: str
    status: str = PayoutStatus.CREATED.value
    provider_reference: str | None = None
    failure: str | None = None
    created_at: datetime
    sent_at: datetime | None = None
    resolved_at: datetime | None = None


class PayoutReport(SQLModel, table=True):
    """What the provider said of a payout, and how we came to hear it: SEND, ASK or CALLBACK.
    Append-only."""

    __tablename__ = "payout_reports"
    __table_args__ = (
        CheckConstraint("source IN ('SEND', 'ASK', 'CALLBACK')", name="source_known"),
        Index(None, "brand_id", "payout_id"),
        reference("payout_id", "payouts"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    payout_id: UUID
    source: str
    state: str
    detail: str | None = None
    created_at: datetime
