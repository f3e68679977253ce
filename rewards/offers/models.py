"""What the points mall (积分商城) offers, and how much of it is taken."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class OfferKind(StrEnum):
    """What an offer gives: a COUPON 优惠券 of a template; an amount of an ASSET 资产, such as
    chances or cash; a GIFT 礼品, which an operator hands out."""

    COUPON = "COUPON"
    ASSET = "ASSET"
    GIFT = "GIFT"


class OfferStatus(StrEnum):
    """PAUSED: nobody sees or takes it; orders that were placed stay."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class LimitWindow(StrEnum):
    """How long a limit counts: for ever, or a local day, month or year of the brand."""

    ALL = "ALL"
    DAY = "DAY"
    MONTH = "MONTH"
    YEAR = "YEAR"


class Offer(SQLModel, table=True):
    """Something in the mall (兑换商品). Its code and what it gives are for ever; all else, its
    terms, an operator may change.

    ``prices`` are ``{"rank_min", "parts": [{"asset", "amount"}]}`` and ``limits`` (of one member)
    ``{"window", "rank_min", "times_max"}``: what counts for a member is the entry with the highest
    ``rank_min`` that its rank meets. Members below ``rank_min`` may not take it. It is there from
    ``starts_at`` until before ``ends_at``; for everyone from ``opens_at``, for ranks of
    ``early_rank_min`` or more from ``early_opens_at``. ``taken`` of ``stock_max`` (None: no end)
    and of ``per_day_max`` a local day (``offer_days``) count pieces, cancelled ones not."""

    __tablename__ = "offers"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("kind IN ('COUPON', 'ASSET', 'GIFT')", name="kind_known"),
        CheckConstraint("status IN ('ACTIVE', 'PAUSED')", name="status_known"),
        CheckConstraint("(kind = 'COUPON') = (template_id IS NOT NULL)", name="gives_coupons"),
        CheckConstraint(
            "(kind = 'ASSET') = (given_asset IS NOT NULL)"
            " AND (kind = 'ASSET') = (given_amount IS NOT NULL) AND given_amount > 0",
            name="gives_asset",
        ),
        CheckConstraint(
            "(fee_asset IS NULL) = (fee_amount IS NULL) AND fee_amount > 0", name="fee_whole"
        ),
        CheckConstraint(
            "(early_opens_at IS NULL) = (early_rank_min IS NULL)"
            " AND (early_opens_at IS NULL OR opens_at IS NOT NULL)",
            name="early_whole",
        ),
        CheckConstraint(
            "taken >= 0 AND (stock_max IS NULL OR taken <= stock_max)", name="within_stock"
        ),
        reference("template_id", "coupon_templates"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    kind: str
    template_id: UUID | None = None
    given_asset: str | None = None
    given_amount: int | None = Field(default=None, sa_type=BigInteger)
    name_zh: str
    name_en: str
    description_zh: str = ""
    description_en: str = ""
    picture_url: str | None = None
    prices: list[Any] = Field(sa_type=JsonColumn)
    fee_asset: str | None = None
    fee_amount: int | None = Field(default=None, sa_type=BigInteger)
    stock_max: int | None = Field(default=None, sa_type=BigInteger)
    per_day_max: int | None = Field(default=None, sa_type=BigInteger)
    taken: int = Field(default=0, sa_type=BigInteger)
    limits: list[Any] = Field(default_factory=list, sa_type=JsonColumn)
    rank_min: int = 0
    opens_at: datetime | None = None
    early_opens_at: datetime | None = None
    early_rank_min: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    status: str = OfferStatus.ACTIVE.value
    created_at: datetime


class OfferDay(SQLModel, table=True):
    """How many pieces of an offer were taken on a local day; ``taken_max`` is the limit that the
    last one obeyed."""

    __tablename__ = "offer_days"
    __table_args__ = (
        CheckConstraint(
            "taken >= 0 AND (taken_max IS NULL OR taken <= taken_max)", name="within_taken_max"
        ),
    )

    brand_id: UUID = tenant()
    offer_id: UUID = Field(primary_key=True)
    day: date = Field(primary_key=True)
    taken: int = Field(sa_type=BigInteger)
    taken_max: int | None = Field(default=None, sa_type=BigInteger)


class OfferCounter(SQLModel, table=True):
    """How many pieces of an offer one member has taken: in all (``ALL``), in a year (``2026``), a
    month (``2026-11``), on a day (``2026-11-22``). Counted with a limit and without, so that a new
    limit knows. ``times_max`` is the limit that the last order obeyed."""

    __tablename__ = "offer_counters"
    __table_args__ = (
        CheckConstraint(
            "used >= 0 AND (times_max IS NULL OR used <= times_max)", name="within_times_max"
        ),
    )

    brand_id: UUID = tenant()
    offer_id: UUID = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)
    window_key: str = Field(primary_key=True)
    used: int = Field(sa_type=BigInteger)
    times_max: int | None = Field(default=None, sa_type=BigInteger)
