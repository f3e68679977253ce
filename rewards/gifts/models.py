"""What members were given because of their tier (升级礼, 生日礼, 周年礼)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class GiftStatus(StrEnum):
    """UNAVAILABLE: its coupons were out of stock, paused or past their dates, or its asset retired;
    it is not given later."""

    GIVEN = "GIVEN"
    UNAVAILABLE = "UNAVAILABLE"


class TierGift(SQLModel, table=True):
    """One gift, given once: to a member, by a privilege, on an occasion (a level reached, a
    birthday or an anniversary, of a year). It is the cause of its transfer or coupon."""

    __tablename__ = "tier_gifts"
    __table_args__ = (
        UniqueConstraint("brand_id", "member_id", "privilege_code", "occasion"),
        CheckConstraint("status IN ('GIVEN', 'UNAVAILABLE')", name="status_known"),
        Index(None, "brand_id", "member_id", "id"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    privilege_code: str
    occasion: str
    status: str = GiftStatus.GIVEN.value
    coupon_template_id: UUID | None = None
    asset: str | None = None
    amount: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime
