"""What a member has and cannot spend elsewhere: held now, spent or given back later (预占)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class HoldStatus(StrEnum):
    """HELD, then CAPTURED (whole or in part), RELEASED, or LAPSED by itself."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    LAPSED = "LAPSED"


class Hold(SQLModel, table=True):
    """``amount`` of an asset held of a member until ``held_until``; ``captured`` of it was spent.
    What is held are pending transfers with this hold as their cause, one a lot."""

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint(
            "status IN ('HELD', 'CAPTURED', 'RELEASED', 'LAPSED')", name="status_known"
        ),
        CheckConstraint("(status = 'HELD') = (ended_at IS NULL)", name="ended_at"),
        CheckConstraint("amount > 0 AND captured >= 0 AND captured <= amount", name="amounts"),
        CheckConstraint("(status = 'CAPTURED') = (captured > 0)", name="captured"),
        Index(
            "ix_holds_held",
            "held_until",
            sqlite_where=text("status = 'HELD'"),
            postgresql_where=text("status = 'HELD'"),
        ),
        Index(None, "brand_id", "member_id", "id"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    asset: str
    amount: int = Field(sa_type=BigInteger)
    captured: int = Field(default=0, sa_type=BigInteger)
    status: str = HoldStatus.HELD.value
    reason: str
    held_at: datetime
    held_until: datetime
    ended_at: datetime | None = None
