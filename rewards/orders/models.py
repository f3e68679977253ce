"""Members' orders in the points mall (兑换单), and what was paid and given for each."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class OrderStatus(StrEnum):
    """PLACED: a gift that an operator still has to hand out; FULFILLED: given, coupons and assets
    at once; CANCELLED: an operator gave the price back instead."""

    PLACED = "PLACED"
    FULFILLED = "FULFILLED"
    CANCELLED = "CANCELLED"


class PartPurpose(StrEnum):
    """What an amount in an order is: what was paid for it, a fee, or what its member got."""

    PRICE = "PRICE"
    FEE = "FEE"
    GIVEN = "GIVEN"


_PAID_BY_COUPON = "coupon_id IS NOT NULL AND status <> 'CANCELLED'"


class OfferOrder(SQLModel, table=True):
    """One member's order (兑换单): so many pieces of an offer, for its price; or one gift for the
    coupon ``coupon_id``, which touches neither the offer's stock nor its limits. Its id is the
    cause of its transfers and of its coupons. ``rank`` is the one that it was placed at,
    ``ordered_on`` the brand's local day; ``delivery_cipher`` is where a gift goes, AES-GCM, and
    never leaves the server as it is. ``reason`` is why it was cancelled."""

    __tablename__ = "offer_orders"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("coupon_id IS NULL OR quantity = 1", name="one_of_a_coupon"),
        CheckConstraint("status IN ('PLACED', 'FULFILLED', 'CANCELLED')", name="status_known"),
        CheckConstraint(
            "(status = 'FULFILLED') = (fulfilled_at IS NOT NULL)"
            " AND (status = 'CANCELLED') = (cancelled_at IS NOT NULL)",
            name="ended",
        ),
        CheckConstraint("(status = 'CANCELLED') = (reason IS NOT NULL)", name="cancelled_for"),
        Index(None, "brand_id", "member_id", "id"),
        Index(None, "brand_id", "offer_id", "id"),
        Index(
            "ix_offer_orders_placed",
            "brand_id",
            "id",
            sqlite_where=text("status = 'PLACED'"),
            postgresql_where=text("status = 'PLACED'"),
        ),
        Index(
            "uq_offer_orders_coupon",
            "brand_id",
            "coupon_id",
            unique=True,
            sqlite_where=text(_PAID_BY_COUPON),
            postgresql_where=text(_PAID_BY_COUPON),
        ),
        reference("offer_id", "offers"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    offer_id: UUID
    member_id: UUID
    coupon_id: UUID | None = None
    quantity: int
    rank: int
    status: str
    ordered_on: date
    delivery_cipher: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    reason: str | None = None
    created_at: datetime
    fulfilled_at: datetime | None = None
    cancelled_at: datetime | None = None


class OfferOrderPart(SQLModel, table=True):
    """An amount in an order, for all its pieces: what was paid or given, whatever the offer says
    by now. A waived fee is none."""

    __tablename__ = "offer_order_parts"
    __table_args__ = (
        CheckConstraint("purpose IN ('PRICE', 'FEE', 'GIVEN')", name="purpose_known"),
        CheckConstraint("amount > 0", name="amount_positive"),
        reference("order_id", "offer_orders"),
    )

    brand_id: UUID = tenant()
    order_id: UUID = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    asset: str = Field(primary_key=True)
    amount: int = Field(sa_type=BigInteger)
