"""What a coupon's number looks like, what a template may promise, and when a coupon is good."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.errors import InvalidInput
from loyalty.ids import new_id
from rewards.coupons.models import Coupon, CouponKind, CouponStatus, CouponTemplate
from rewards.coupons.rules import (
    AMOUNT_FEN_MAX,
    TemplateDefinition,
    check_template,
    masked_code,
    normalise_code,
    price_on,
    printed_code,
    shown_status,
    status_at,
    usable_dates,
)
from rewards.coupons.service import new_code

ID = new_id()
AMOUNT_OFF = TemplateDefinition(
    "c", "券", "Coupon", CouponKind.AMOUNT_OFF, amount_off_fen=500, usable_days=30
)
FREE_ITEM = TemplateDefinition(
    "c", "券", "Coupon", CouponKind.FREE_ITEM, product_id=ID, usable_days=30
)
PAY_N = replace(FREE_ITEM, kind=CouponKind.PAY_N, pay_fen=100)


@pytest.mark.parametrize(
    "typed",
    [
        "1234567890123456",
        " 1234 5678 9012 3456 ",
        "1234-5678-9012-3456",
        "1234–5678—9012 3456",
        "１２３４５６７８９０１２３４５６",
    ],
)
def test_a_number_is_read_however_it_was_typed(typed: str) -> None:
    assert normalise_code(typed) == "1234567890123456"


@pytest.mark.parametrize(
    "typed",
    ["", "123456789012345", "12345678901234567", "123456789012345x", "٣" * 16, " " * 65, "²" * 15],
)
def test_what_is_no_number_is_none(typed: str) -> None:
    assert normalise_code(typed) is None


def test_new_numbers_print_in_groups_and_read_back() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(normalise_code(printed_code(code)) == code for code in codes)
    assert printed_code("1234567890123456") == "1234 5678 9012 3456"
    assert masked_code("1234567890123456") == "**** **** **** 3456"


@pytest.mark.parametrize("definition", [AMOUNT_OFF, FREE_ITEM, PAY_N])
def test_each_kind_may_be_made(definition: TemplateDefinition) -> None:
    check_template(definition)
    largest: dict[str, Any] = {
        "cost_fen": AMOUNT_FEN_MAX,
        "points_price": AMOUNT_FEN_MAX,
        "stock_max": 1,
    }
    check_template(replace(definition, **largest))


DAY = date(2026, 11, 9)
WRONG: list[tuple[TemplateDefinition, dict[str, Any], str]] = [
    (AMOUNT_OFF, {"code": ""}, "code"),
    (AMOUNT_OFF, {"code": "a b"}, "code"),
    (AMOUNT_OFF, {"code": "x" * 41}, "code"),
    (AMOUNT_OFF, {"name_zh": "  "}, "nameZh"),
    (AMOUNT_OFF, {"name_en": "a\0b"}, "nameEn"),
    (AMOUNT_OFF, {"amount_off_fen": None}, "amountOffFen"),
    (AMOUNT_OFF, {"amount_off_fen": 0}, "amountOffFen"),
    (AMOUNT_OFF, {"amount_off_fen": AMOUNT_FEN_MAX + 1}, "amountOffFen"),
    (AMOUNT_OFF, {"spend_min_fen": -1}, "spendMinFen"),
    (AMOUNT_OFF, {"pay_fen": 100}, "payFen"),
    (AMOUNT_OFF, {"product_id": ID}, "productId"),
    (FREE_ITEM, {"product_id": None}, "productId"),
    (FREE_ITEM, {"amount_off_fen": 500}, "amountOffFen"),
    (FREE_ITEM, {"pay_fen": 1}, "payFen"),
    (FREE_ITEM, {"spend_min_fen": 1}, "spendMinFen"),
    (PAY_N, {"pay_fen": None}, "payFen"),
    (PAY_N, {"pay_fen": 0}, "payFen"),
    (AMOUNT_OFF, {"usable_days": None}, "usableUntil"),
    (AMOUNT_OFF, {"usable_days": 0}, "usableDays"),
    (AMOUNT_OFF, {"usable_days": 3661}, "usableDays"),
    (AMOUNT_OFF, {"usable_from": DAY, "usable_until": DAY - timedelta(1)}, "usableUntil"),
    (AMOUNT_OFF, {"usable_from": date(1999, 12, 31)}, "usableFrom"),
    (AMOUNT_OFF, {"usable_until": date(3000, 1, 1)}, "usableUntil"),
    (AMOUNT_OFF, {"place_ids": (ID, ID)}, "placeIds"),
    (AMOUNT_OFF, {"place_ids": tuple(new_id() for _ in range(1001))}, "placeIds"),
    (AMOUNT_OFF, {"product_ids": tuple(new_id() for _ in range(51))}, "productIds"),
    (AMOUNT_OFF, {"cost_fen": -1}, "costFen"),
    (AMOUNT_OFF, {"fee_fen": AMOUNT_FEN_MAX + 1}, "feeFen"),
    (AMOUNT_OFF, {"points_price": 0}, "pointsPrice"),
    (AMOUNT_OFF, {"stock_max": 0}, "stockMax"),
    (AMOUNT_OFF, {"points_price": 1, "bought_per_member_max": 0}, "boughtPerMemberMax"),
    (AMOUNT_OFF, {"bought_per_member_max": 1}, "boughtPerMemberMax"),
]


@pytest.mark.parametrize(("definition", "change", "path"), WRONG)
def test_a_template_that_makes_no_sense_is_refused_by_its_field(
    definition: TemplateDefinition, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_template(replace(definition, **change))
    assert refused.value.details["field"] == path


def template(**values: Any) -> CouponTemplate:
    made = CouponTemplate(
        brand_id=ID, code="c", name_zh="券", name_en="Coupon", kind="AMOUNT_OFF", created_at=NOON
    )
    for name, value in values.items():
        setattr(made, name, value)
    return made


NOON = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)
UNTIL = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("promise", "issued_on", "dates"),
    [
        ({"usable_days": 1}, DAY, (DAY, DAY)),
        ({"usable_days": 30}, date(2026, 1, 31), (date(2026, 1, 31), date(2026, 3, 1))),
        ({"usable_days": 30}, date(2028, 1, 31), (date(2028, 1, 31), date(2028, 2, 29))),
        ({"usable_days": 2}, date(2026, 12, 31), (date(2026, 12, 31), date(2027, 1, 1))),
        ({"usable_until": UNTIL}, UNTIL, (UNTIL, UNTIL)),
        ({"usable_until": UNTIL}, UNTIL + timedelta(1), None),
        ({"usable_until": UNTIL, "usable_days": 30}, DAY, (DAY, UNTIL)),
        ({"usable_from": UNTIL, "usable_days": 2}, DAY, (UNTIL, UNTIL + timedelta(1))),
        ({"usable_from": DAY, "usable_until": UNTIL}, DAY - timedelta(9), (DAY, UNTIL)),
    ],
)
def test_a_coupon_is_good_from_its_issue_to_its_last_day(
    promise: dict[str, Any], issued_on: date, dates: tuple[date, date] | None
) -> None:
    assert usable_dates(template(**promise), issued_on) == dates


def test_what_is_for_sale_has_a_price_and_is_neither_paused_nor_past() -> None:
    offer = {"usable_until": UNTIL, "points_price": 7}
    assert price_on(template(**offer), UNTIL) == 7
    assert price_on(template(**offer), UNTIL + timedelta(1)) is None
    assert price_on(template(**offer | {"points_price": None}), UNTIL) is None
    assert price_on(template(**offer | {"status": "PAUSED"}), UNTIL) is None


@pytest.mark.parametrize(
    ("status", "held_for", "until", "told", "shown"),
    [
        ("ISSUED", None, DAY, "ISSUED", "ISSUED"),
        ("ISSUED", None, DAY - timedelta(1), "ISSUED", "EXPIRED"),
        ("HELD", 1, DAY, "HELD", "HELD"),
        ("HELD", 0, DAY, "ISSUED", "ISSUED"),
        ("HELD", 1, DAY - timedelta(1), "HELD", "HELD"),
        ("HELD", 0, DAY - timedelta(1), "ISSUED", "EXPIRED"),
        ("REDEEMED", None, DAY - timedelta(1), "REDEEMED", "REDEEMED"),
        ("VOID", None, DAY, "VOID", "VOID"),
        ("EXPIRED", None, DAY, "EXPIRED", "EXPIRED"),
    ],
)
def test_a_lapsed_hold_is_none_and_a_past_day_ends_a_free_coupon(
    status: str, held_for: int | None, until: date, told: str, shown: str
) -> None:
    coupon = Coupon(
        brand_id=ID,
        template_id=ID,
        member_id=ID,
        code="1234567890123456",
        status=status,
        cause_kind="BOUGHT",
        cause_id=ID,
        usable_from=until,
        usable_until=until,
        held_until=None if held_for is None else NOON + timedelta(seconds=held_for),
        issued_at=NOON,
    )
    assert status_at(coupon, NOON) == CouponStatus(told)
    assert shown_status(coupon, NOON, DAY) == CouponStatus(shown)
