"""Coupons at the till: hold, capture, void, lapse, reverse (核销)."""

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

from loyalty.tables import own_id, reference, tenant


class RedemptionStatus(StrEnum):
    """HELD, then CAPTURED, VOIDED by the clerk, or LAPSED by itself; CAPTURED, then REVERSED."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    LAPSED = "LAPSED"
    REVERSED = "REVERSED"


class RedemptionStep(StrEnum):
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    LAPSE = "LAPSE"
    REVERSE = "REVERSE"


_LIVE = "status IN ('HELD', 'CAPTURED')"


class Redemption(SQLModel, table=True):
    """One coupon taken at one till. At most one is live per coupon. ``discount_fen`` is what the
    till takes off, ``pay_fen`` what the customer pays for ``product_id``; ``rebate_fen`` is what
    the store is credited. ``coupon_brand_id`` is the brand whose coupon it is: where that is not
    the till's, ``member_id`` stays there. Of a coupon under an agreement (``agreement_id``, with
    ``partner_id``) the partner owes ``partner_owes_fen`` of the rebate and ``issuer_id`` the
    coupon's brand ``redeem_fee_fen``, from the capture on; ``reserved_fen`` was reserved for it.
    ``rebate_transfer_id`` is the pending transfer that the capture wrote, ``settled_at`` when the
    worker posted it."""

    __tablename__ = "redemptions"
    __table_args__ = (
        CheckConstraint(
            "status IN ('HELD', 'CAPTURED', 'VOIDED', 'LAPSED', 'REVERSED')", name="status_known"
        ),
        CheckConstraint(
            "(status IN ('CAPTURED', 'REVERSED')) = (captured_at IS NOT NULL)", name="captured_at"
        ),
        CheckConstraint("discount_fen >= 0 AND rebate_fen >= 0", name="amounts_not_negative"),
        Index(
            "uq_redemptions_live",
            "coupon_brand_id",
            "coupon_id",
            unique=True,
            sqlite_where=text(_LIVE),
            postgresql_where=text(_LIVE),
        ),
        Index(
            "ix_redemptions_held",
            "held_until",
            sqlite_where=text("status = 'HELD'"),
            postgresql_where=text("status = 'HELD'"),
        ),
        Index(None, "brand_id", "place_id", "id"),
        Index(None, "coupon_brand_id", "coupon_id", "id"),
        ForeignKeyConstraint(["coupon_brand_id", "coupon_id"], ["coupons.brand_id", "coupons.id"]),
        CheckConstraint(
            "(agreement_id IS NULL) = (partner_id IS NULL)"
            " AND (agreement_id IS NULL) = (issuer_id IS NULL)"
            " AND (agreement_id IS NOT NULL OR coupon_brand_id = brand_id)",
            name="agreed_wholly",
        ),
        CheckConstraint(
            "partner_owes_fen >= 0 AND redeem_fee_fen >= 0 AND reserved_fen >= 0",
            name="agreed_not_negative",
        ),
        reference("place_id", "places"),
        reference("till_id", "tills"),
        reference("clerk_id", "clerks"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    coupon_brand_id: UUID
    coupon_id: UUID
    template_id: UUID
    member_id: UUID | None = None
    place_id: UUID
    till_id: UUID
    clerk_id: UUID
    status: str = RedemptionStatus.HELD.value
    basket_fen: int | None = Field(default=None, sa_type=BigInteger)
    discount_fen: int = Field(default=0, sa_type=BigInteger)
    pay_fen: int | None = Field(default=None, sa_type=BigInteger)
    product_id: UUID | None = None
    rebate_fen: int = Field(default=0, sa_type=BigInteger)
    rebate_transfer_id: UUID | None = None
    agreement_id: UUID | None = None
    partner_id: UUID | None = None
    issuer_id: UUID | None = None
    partner_owes_fen: int = Field(default=0, sa_type=BigInteger)
    redeem_fee_fen: int = Field(default=0, sa_type=BigInteger)
    reserved_fen: int = Field(default=0, sa_type=BigInteger)
    held_at: datetime
    held_until: datetime
    captured_at: datetime | None = None
    settled_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None


class RedemptionEvent(SQLModel, table=True):
    """A step that a redemption took, and who took it. Append-only; each step at most once."""

    __tablename__ = "redemption_events"
    __table_args__ = (
        UniqueConstraint("brand_id", "redemption_id", "step"),
        CheckConstraint(
            "step IN ('HOLD', 'CAPTURE', 'VOID', 'LAPSE', 'REVERSE')", name="step_known"
        ),
        reference("redemption_id", "redemptions"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    redemption_id: UUID
    coupon_id: UUID
    step: str
    actor_kind: str
    actor_id: UUID
    till_id: UUID | None = None
    reason: str | None = None
    created_at: datetime
