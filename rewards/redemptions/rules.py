"""Whether a coupon may be used here and now, what for, and which steps a redemption may take."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from rewards.coupons.models import Coupon, CouponKind, CouponStatus
from rewards.redemptions.models import Redemption, RedemptionStatus, RedemptionStep


class NotUsableReason(StrEnum):
    """Why a coupon cannot be used: its dates, an operator, this place, this basket; or it is for a
    GIFT, which is ordered and not had at a till, or a CODE, which is used elsewhere."""

    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"
    VOID = "VOID"
    PLACE = "PLACE"
    PRODUCT = "PRODUCT"
    SPEND_MIN = "SPEND_MIN"
    GIFT = "GIFT"
    CODE = "CODE"


_AT_NO_TILL = {
    CouponKind.GIFT.value: NotUsableReason.GIFT,
    CouponKind.CODE.value: NotUsableReason.CODE,
}


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """What a coupon's template says to a till; fields as in ``CouponTemplate``."""

    kind: str
    amount_off_fen: int | None
    spend_min_fen: int
    pay_fen: int | None
    product_id: UUID | None
    place_ids: Sequence[str]
    product_ids: Sequence[str]
    cost_fen: int
    fee_fen: int
    agreement_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a coupon does to a basket. ``discount_fen`` comes off the basket; or the customer gets
    one ``product_id`` for ``pay_fen``. ``rebate_fen`` is what the store is credited."""

    discount_fen: int
    pay_fen: int | None
    product_id: UUID | None
    rebate_fen: int


@dataclass(frozen=True, slots=True)
class PartnersCoupon:
    """What is told of another brand's coupon: its template's code and names."""

    template_code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Who has a coupon: where (None at a till that is not the reader's to know of), since when
    (``at``), and whether it is HELD or CAPTURED."""

    place_name: str | None
    till_name: str | None
    at: datetime
    status: RedemptionStatus


@dataclass(frozen=True, slots=True)
class CouponAtTill:
    """A coupon as a till sees it: its quote for this basket, or the ``reason`` why there is none;
    ``taken`` when somebody has it; ``partners`` when it is another brand's."""

    coupon: Coupon
    terms: CouponTerms
    quote: Quote | None
    reason: NotUsableReason | None
    taken: Taken | None
    partners: PartnersCoupon | None = None


def quote(
    terms: CouponTerms,
    coupon: Coupon,
    place_id: UUID,
    basket_fen: int | None,
    product_ids: Collection[UUID],
    today: date,
) -> Quote | NotUsableReason:
    """What the coupon is worth at a place on the brand's local day, or why nothing. Whether
    somebody else has it is not asked here. A till that does not say what is in the basket cannot
    use a coupon that depends on it."""
    if coupon.status == CouponStatus.VOID.value:
        return NotUsableReason.VOID
    if terms.kind in _AT_NO_TILL:
        return _AT_NO_TILL[terms.kind]
    if coupon.status == CouponStatus.EXPIRED.value or today > coupon.usable_until:
        return NotUsableReason.EXPIRED
    if today < coupon.usable_from:
        return NotUsableReason.NOT_YET
    if terms.place_ids and place_id.hex not in terms.place_ids:
        return NotUsableReason.PLACE
    if terms.product_ids and not any(id.hex in terms.product_ids for id in product_ids):
        return NotUsableReason.PRODUCT
    if terms.spend_min_fen > (basket_fen or 0):
        return NotUsableReason.SPEND_MIN
    rebate_fen = terms.cost_fen + terms.fee_fen
    if terms.kind == CouponKind.AMOUNT_OFF.value:
        discount = terms.amount_off_fen or 0
        if basket_fen is not None:
            discount = min(discount, basket_fen)
        return Quote(discount, None, None, rebate_fen)
    return Quote(0, terms.pay_fen or 0, terms.product_id, rebate_fen)


# --- steps -------------------------------------------------------------------------------------

STEP_TO: dict[RedemptionStatus, RedemptionStep] = {
    RedemptionStatus.HELD: RedemptionStep.HOLD,
    RedemptionStatus.CAPTURED: RedemptionStep.CAPTURE,
    RedemptionStatus.VOIDED: RedemptionStep.VOID,
    RedemptionStatus.LAPSED: RedemptionStep.LAPSE,
    RedemptionStatus.REVERSED: RedemptionStep.REVERSE,
}
"""The step by which each status is reached."""

STATUS_BEFORE: dict[RedemptionStatus, RedemptionStatus | None] = {
    RedemptionStatus.HELD: None,
    RedemptionStatus.CAPTURED: RedemptionStatus.HELD,
    RedemptionStatus.VOIDED: RedemptionStatus.HELD,
    RedemptionStatus.LAPSED: RedemptionStatus.HELD,
    RedemptionStatus.REVERSED: RedemptionStatus.CAPTURED,
}
"""The legal transitions: each status is reached from one other, or begins (HELD)."""


def steps_to(status: RedemptionStatus) -> list[RedemptionStep]:
    """The steps that a redemption of this status has taken, first to last."""
    steps = []
    at: RedemptionStatus | None = status
    while at is not None:
        steps.append(STEP_TO[at])
        at = STATUS_BEFORE[at]
    return steps[::-1]


def status_at(status: str, held_until: datetime, now: datetime) -> RedemptionStatus:
    """What a redemption is at an instant: a hold lapses by date, tidied away or not."""
    if status == RedemptionStatus.HELD.value and held_until <= now:
        return RedemptionStatus.LAPSED
    return RedemptionStatus(status)


def as_at(redemption: Redemption, now: datetime) -> Redemption:
    """A redemption as it is at an instant, whatever its row still says."""
    status = status_at(redemption.status, redemption.held_until, now)
    if status.value == redemption.status:
        return redemption
    return Redemption(**redemption.model_dump() | {"status": status.value})


def may_become(status: RedemptionStatus, wanted: RedemptionStatus) -> bool:
    """Whether one step leads from a status to another."""
    return STATUS_BEFORE[wanted] is status
