"""Coupons as people see them: plain values, for a wallet is read on every visit of a home page."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ShownCoupon:
    """What of a ``models.Coupon`` is ever shown."""

    brand_id: UUID
    id: UUID
    template_id: UUID
    member_id: UUID
    code: str
    status: str
    cause_kind: str
    usable_from: date
    usable_until: date
    held_until: datetime | None
    ended_at: datetime | None
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Promise:
    """What of a ``models.CouponTemplate`` is shown with a coupon of it; lists are of hex ids."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    amount_off_fen: int | None
    spend_min_fen: int
    pay_fen: int | None
    product_id: UUID | None
    product_ids: list[str]
    place_ids: list[str]


@dataclass(frozen=True, slots=True)
class CouponView:
    """A coupon with what it promises."""

    coupon: ShownCoupon
    template: Promise

    @property
    def id(self) -> UUID:
        return self.coupon.id
