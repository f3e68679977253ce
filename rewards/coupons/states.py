"""Coupons as people see them: plain values, for a wallet is read on every visit of a home page."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


class ShownCoupon(NamedTuple):
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


class Promise(NamedTuple):
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


class CouponView(NamedTuple):
    """A coupon with what it promises."""

    coupon: ShownCoupon
    template: Promise

    @property
    def id(self) -> UUID:
        return self.coupon.id
