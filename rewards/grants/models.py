"""Rewards granted and not yet spendable."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, tenant


class LockedReward(SQLModel, table=True):
    """A pending credit that waits for a named thing (待解锁红包). Its id is its pending transfer's;
    ``unlock_key`` names what unlocks it; ``resolved_by_id`` is the transfer that posted it."""

    __tablename__ = "locked_rewards"
    __table_args__ = (
        CheckConstraint("status IN ('LOCKED', 'UNLOCKED', 'VOIDED')", name="status_known"),
        CheckConstraint(
            "(status = 'LOCKED') = (resolved_by_id IS NULL)", name="resolved_when_not_locked"
        ),
        Index(None, "brand_id", "unlock_key"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    campaign_id: UUID
    asset: str
    amount: int = Field(sa_type=BigInteger)
    unlock_key: str
    status: str
    resolved_by_id: UUID | None = None
    created_at: datetime
