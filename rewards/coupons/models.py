"""What a coupon promises, and the coupons that members hold."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class CouponKind(StrEnum):
    """AMOUNT_OFF 代金券: ``amount_off_fen`` off a basket of ``spend_min_fen`` or more.
    FREE_ITEM 再来一瓶: one ``product_id`` for nothing. PAY_N N元换购: one for ``pay_fen``.
    GIFT 实物礼品: a gift of the mall (``offer_id``), which its member orders and an operator hands
    out or sends; no till takes it. CODE 第三方券码: a third party's code, shown to its member; as
    many as were put in."""

    AMOUNT_OFF = "AMOUNT_OFF"
    FREE_ITEM = "FREE_ITEM"
    PAY_N = "PAY_N"
    GIFT = "GIFT"
    CODE = "CODE"


class CouponStatus(StrEnum):
    """ISSUED may be taken; HELD until ``held_until``, and then ISSUED again; REDEEMED by the
    capture, ISSUED or EXPIRED again by its reversal; ORDERED for its gift, likewise once the order
    is cancelled; EXPIRED by date; VOID by an operator."""

    ISSUED = "ISSUED"
    HELD = "HELD"
    REDEEMED = "REDEEMED"
    ORDERED = "ORDERED"
    EXPIRED = "EXPIRED"
    VOID = "VOID"


class CouponTemplateStatus(StrEnum):
    """PAUSED: no more coupons are issued; those that were stay good. PARTNER: its brand issues
    none, for by an agreement that is the partner's to do."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    PARTNER = "PARTNER"


class CouponCause(StrEnum):
    """How a member came by a coupon: won by a scan, by a purchase or by another EVENT, at once or
    by the LOCK under which it was won, bought for points, by an order in the mall, a gift of its
    level, from a PARTNER, who has reserved what it may come to owe for it, or won in a RAFFLE."""

    SCAN = "SCAN"
    PURCHASE = "PURCHASE"
    EVENT = "EVENT"
    LOCK = "LOCK"
    BOUGHT = "BOUGHT"
    ORDER = "ORDER"
    GIFT = "GIFT"
    PARTNER = "PARTNER"
    RAFFLE = "RAFFLE"


class CouponTemplate(SQLModel, table=True):
    """What coupons of one kind promise (券模板). Immutable but for ``status``, ``issued``
    and ``agreement_id``, which is set once.

    ``usable_from``/``usable_until`` are the brand's local dates, both included; ``usable_days``
    counts from the day of issue, or from ``usable_from`` where that is later, this first day
    included; a coupon's own dates are fixed when it is issued. ``place_ids``
    and ``product_ids`` are hex ids: where, and with which products in the basket, it may be used;
    empty is anywhere and anything. ``cost_fen`` + ``fee_fen`` is what the store is credited for
    one. ``offer_id`` has no foreign key, for offers have one to templates: the audit follows it.
    ``points_price`` None is not for sale. ``stock_max`` None is without limit. ``agreement_id``:
    the agreement with a partner that it is under, for good.
    """

    __tablename__ = "coupon_templates"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint(
            "kind IN ('AMOUNT_OFF', 'FREE_ITEM', 'PAY_N', 'GIFT', 'CODE')", name="kind_known"
        ),
        CheckConstraint("status IN ('ACTIVE', 'PAUSED', 'PARTNER')", name="status_known"),
        CheckConstraint("(kind = 'AMOUNT_OFF') = (amount_off_fen IS NOT NULL)", name="amount_off"),
        CheckConstraint(
            "status <> 'PARTNER' OR agreement_id IS NOT NULL", name="partner_of_an_agreement"
        ),
        CheckConstraint("(kind = 'PAY_N') = (pay_fen IS NOT NULL)", name="pay"),
        CheckConstraint(
            "(kind IN ('AMOUNT_OFF', 'GIFT', 'CODE')) = (product_id IS NULL)", name="product"
        ),
        CheckConstraint("(kind = 'GIFT') = (offer_id IS NOT NULL)", name="gift"),
        CheckConstraint(
            "issued >= 0 AND (stock_max IS NULL OR issued <= stock_max)", name="within_stock"
        ),
        CheckConstraint("cost_fen >= 0 AND fee_fen >= 0", name="rebate_not_negative"),
        reference("product_id", "products"),
        reference("agreement_id", "agreements"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    kind: str
    amount_off_fen: int | None = Field(default=None, sa_type=BigInteger)
    spend_min_fen: int = Field(default=0, sa_type=BigInteger)
    pay_fen: int | None = Field(default=None, sa_type=BigInteger)
    product_id: UUID | None = None
    offer_id: UUID | None = None
    usable_from: date | None = None
    usable_until: date | None = None
    usable_days: int | None = None
    place_ids: list[Any] = Field(default_factory=list, sa_type=JsonColumn)
    product_ids: list[Any] = Field(default_factory=list, sa_type=JsonColumn)
    cost_fen: int = Field(default=0, sa_type=BigInteger)
    fee_fen: int = Field(default=0, sa_type=BigInteger)
    points_price: int | None = Field(default=None, sa_type=BigInteger)
    bought_per_member_max: int | None = None
    stock_max: int | None = Field(default=None, sa_type=BigInteger)
    issued: int = Field(default=0, sa_type=BigInteger)
    status: str = CouponTemplateStatus.ACTIVE.value
    created_at: datetime
    agreement_id: UUID | None = None


class CouponPurchaseCounter(SQLModel, table=True):
    """How many coupons of a template one member has bought; ``times_max`` is the limit that the
    last purchase obeyed."""

    __tablename__ = "coupon_purchase_counters"
    __table_args__ = (CheckConstraint("used > 0 AND used <= times_max", name="within_times_max"),)

    brand_id: UUID = tenant()
    template_id: UUID = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)
    used: int = Field(sa_type=BigInteger)
    times_max: int = Field(sa_type=BigInteger)


class Coupon(SQLModel, table=True):
    """One member's coupon (券). ``code`` is what the till reads. ``cause_id`` is the scan,
    purchase, event, locked reward or order that it came by, or the winner of a raffle; where it was
    bought its own id, and the cause of the transfers that paid for it. ``redemption_id`` is the
    live hold or capture. No foreign keys: scans write here."""

    __tablename__ = "coupons"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint(
            "status IN ('ISSUED', 'HELD', 'REDEEMED', 'ORDERED', 'EXPIRED', 'VOID')",
            name="status_known",
        ),
        CheckConstraint(
            "cause_kind IN ('SCAN', 'PURCHASE', 'EVENT', 'LOCK', 'BOUGHT', 'ORDER', 'GIFT',"
            " 'PARTNER', 'RAFFLE')",
            name="cause_known",
        ),
        CheckConstraint(
            "(status IN ('HELD', 'REDEEMED')) = (redemption_id IS NOT NULL)", name="taken_by"
        ),
        CheckConstraint("(status = 'HELD') = (held_until IS NOT NULL)", name="held_until"),
        Index(None, "brand_id", "member_id", "id"),
        Index(None, "brand_id", "template_id", "id"),
        Index(None, "brand_id", "cause_id"),
        Index(
            "ix_coupons_expiring",
            "brand_id",
            "usable_until",
            sqlite_where=text("status IN ('ISSUED', 'HELD')"),
            postgresql_where=text("status IN ('ISSUED', 'HELD')"),
        ),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    template_id: UUID
    member_id: UUID
    code: str
    status: str = CouponStatus.ISSUED.value
    cause_kind: str
    cause_id: UUID
    usable_from: date
    usable_until: date
    held_until: datetime | None = None
    redemption_id: UUID | None = None
    ended_at: datetime | None = None
    issued_at: datetime
