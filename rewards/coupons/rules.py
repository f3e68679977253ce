"""Pure: what a coupon's number looks like, what a template may promise, and when it is good."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from loyalty.errors import InvalidInput
from loyalty.text import check_label, checked_text
from rewards.coupons.models import (
    Coupon,
    CouponCause,
    CouponKind,
    CouponStatus,
    CouponTemplate,
    CouponTemplateStatus,
)
from rewards.coupons.states import ShownCoupon

ISSUED_TOPIC = "coupon.issued"
CODE_DIGITS = 16
AMOUNT_FEN_MAX = 10**12
BOUGHT_PER_MEMBER_MAX = 10**6
USABLE_DAYS_MAX = 3660
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
PLACES_MAX = 1000
PRODUCTS_MAX = 50
NAME_LENGTH_MAX = 80
TEMPLATE_CODE_LENGTH_MAX = 40
_TYPED_LENGTH_MAX = 64
_FORGIVEN = re.compile(r"[\s\-\u2010-\u2015\u2212]")


# --- numbers -----------------------------------------------------------------------------------


def normalise_code(text: str) -> str | None:
    """The digits of a coupon's number as somebody typed it: spaces, hyphens and full-width digits
    are forgiven. None for what is no coupon's number."""
    if len(text) > _TYPED_LENGTH_MAX:
        return None
    digits = _FORGIVEN.sub("", unicodedata.normalize("NFKC", text))
    return digits if len(digits) == CODE_DIGITS and digits.isascii() and digits.isdigit() else None


def printed_code(code: str) -> str:
    """A coupon's number as it is shown: groups of four."""
    return " ".join([code[i : i + 4] for i in range(0, len(code), 4)])


def masked_code(code: str) -> str:
    """A coupon's number for those who may not use it: the last four digits."""
    return f"**** **** **** {code[-4:]}"


# --- states ------------------------------------------------------------------------------------


def status_at(coupon: Coupon | ShownCoupon, now: datetime) -> CouponStatus:
    """What a coupon's status comes to at a time: a hold that has lapsed is none, swept or not."""
    if (
        coupon.status == CouponStatus.HELD
        and coupon.held_until is not None
        and coupon.held_until <= now
    ):
        return CouponStatus.ISSUED
    return CouponStatus(coupon.status)


def shown_status(coupon: Coupon | ShownCoupon, now: datetime, today: date) -> CouponStatus:
    """``status_at`` as people see it: a coupon past its last day has expired, swept or not.
    ``today`` is the brand's local day."""
    status = status_at(coupon, now)
    if status is CouponStatus.ISSUED and coupon.usable_until < today:
        return CouponStatus.EXPIRED
    return status


# --- issuing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CouponIssue:
    """A coupon to be written; fields as in ``rewards.coupons.models.Coupon``."""

    brand_id: UUID
    id: UUID
    template_id: UUID
    member_id: UUID
    code: str
    cause: CouponCause
    cause_id: UUID
    usable_from: date
    usable_until: date


def issued_payload(issue: CouponIssue) -> dict[str, str]:
    """What the fact ``coupon.issued`` says of its subject, the member."""
    return {
        "coupon_id": issue.id.hex,
        "template_id": issue.template_id.hex,
        "cause": issue.cause.value,
    }


def usable_dates(template: CouponTemplate, issued_on: date) -> tuple[date, date] | None:
    """The first and the last day of a coupon issued on a local day; None when there would be none
    left: the template is past its dates."""
    first = max(issued_on, template.usable_from or issued_on)
    last = template.usable_until or LAST_DAY
    if template.usable_days is not None:
        last = min(last, first + timedelta(days=template.usable_days - 1))
    return (first, last) if first <= last else None


def price_on(template: CouponTemplate, today: date) -> int | None:
    """What it costs in points on a local day; None while it is not for sale. Its stock is another
    question."""
    if template.status != CouponTemplateStatus.ACTIVE or usable_dates(template, today) is None:
        return None
    return template.points_price


def has_stock(template: CouponTemplate) -> bool:
    return template.stock_max is None or template.issued < template.stock_max


# --- templates ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TemplateDefinition:
    """What an operator makes; fields as in ``rewards.coupons.models.CouponTemplate``."""

    code: str
    name_zh: str
    name_en: str
    kind: CouponKind
    amount_off_fen: int | None = None
    spend_min_fen: int = 0
    pay_fen: int | None = None
    product_id: UUID | None = None
    offer_id: UUID | None = None
    usable_from: date | None = None
    usable_until: date | None = None
    usable_days: int | None = None
    place_ids: tuple[UUID, ...] = ()
    product_ids: tuple[UUID, ...] = ()
    cost_fen: int = 0
    fee_fen: int = 0
    points_price: int | None = None
    bought_per_member_max: int | None = None
    stock_max: int | None = None


def check_template(definition: TemplateDefinition) -> None:
    """Refuses InvalidInput with the field's path."""
    check_label(definition.code, "code", length_max=TEMPLATE_CODE_LENGTH_MAX)
    checked_text(definition.name_zh, "nameZh", length_max=NAME_LENGTH_MAX)
    checked_text(definition.name_en, "nameEn", length_max=NAME_LENGTH_MAX)
    _check_kind(definition)
    _check_dates(definition)
    _check_restrictions(definition)
    _check_amounts(definition)


def _check_kind(definition: TemplateDefinition) -> None:
    """What each kind needs, and what makes no sense with it."""
    kind = definition.kind
    wanted = {
        "amountOffFen": (definition.amount_off_fen is not None, kind is CouponKind.AMOUNT_OFF),
        "payFen": (definition.pay_fen is not None, kind is CouponKind.PAY_N),
        "productId": (
            definition.product_id is not None,
            kind in (CouponKind.FREE_ITEM, CouponKind.PAY_N),
        ),
        "offerId": (definition.offer_id is not None, kind is CouponKind.GIFT),
    }
    for path, (is_given, is_needed) in wanted.items():
        if is_needed and not is_given:
            raise InvalidInput(field=path, problem=f"{kind.value} needs it")
        if is_given and not is_needed:
            raise InvalidInput(field=path, problem=f"not for {kind.value}")
    if definition.spend_min_fen and kind is not CouponKind.AMOUNT_OFF:
        raise InvalidInput(field="spendMinFen", problem=f"not for {kind.value}")
    of_tills = {
        "placeIds": definition.place_ids,
        "productIds": definition.product_ids,
        "costFen": definition.cost_fen,
        "feeFen": definition.fee_fen,
    }
    for path, given in of_tills.items():
        if kind in (CouponKind.GIFT, CouponKind.CODE) and given:
            raise InvalidInput(field=path, problem=f"not for {kind.value}, which no till takes")
    if kind is CouponKind.CODE and definition.stock_max is not None:
        raise InvalidInput(field="stockMax", problem="not for CODE: as many as codes are put in")


def _check_dates(definition: TemplateDefinition) -> None:
    begins, ends = definition.usable_from, definition.usable_until
    for path, day in (("usableFrom", begins), ("usableUntil", ends)):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise InvalidInput(field=path, problem=f"a day from {FIRST_DAY} to {LAST_DAY}")
    if begins is not None and ends is not None and begins > ends:
        raise InvalidInput(field="usableUntil", problem="must not be before usableFrom")
    _check_range("usableDays", definition.usable_days, 1, USABLE_DAYS_MAX)
    if ends is None and definition.usable_days is None:
        raise InvalidInput(field="usableUntil", problem="needs a last day, here or by usableDays")


def _check_restrictions(definition: TemplateDefinition) -> None:
    for path, ids, count_max in (
        ("placeIds", definition.place_ids, PLACES_MAX),
        ("productIds", definition.product_ids, PRODUCTS_MAX),
    ):
        if len(ids) > count_max:
            raise InvalidInput(field=path, problem=f"at most {count_max}")
        if len(set(ids)) != len(ids):
            raise InvalidInput(field=path, problem="each of them once")


def _check_amounts(definition: TemplateDefinition) -> None:
    _check_range("amountOffFen", definition.amount_off_fen, 1)
    _check_range("spendMinFen", definition.spend_min_fen, 0)
    _check_range("payFen", definition.pay_fen, 1)
    _check_range("costFen", definition.cost_fen, 0)
    _check_range("feeFen", definition.fee_fen, 0)
    _check_range("pointsPrice", definition.points_price, 1)
    _check_range("stockMax", definition.stock_max, 1)
    per_member = definition.bought_per_member_max
    _check_range("boughtPerMemberMax", per_member, 1, BOUGHT_PER_MEMBER_MAX)
    if per_member is not None and definition.points_price is None:
        raise InvalidInput(field="boughtPerMemberMax", problem="not without pointsPrice")


def _check_range(path: str, value: int | None, least: int, most: int = AMOUNT_FEN_MAX) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(field=path, problem=f"{least} to {most}")
