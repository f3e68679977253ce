"""What a coupon is worth at a till, and which steps lead where."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from loyalty.ids import new_id
from rewards.coupons.models import Coupon, CouponKind, CouponStatus
from rewards.redemptions.models import RedemptionStatus, RedemptionStep
from rewards.redemptions.rules import (
    CouponTerms,
    NotUsableReason,
    Quote,
    may_become,
    quote,
    status_at,
    steps_to,
)

HERE, ELSEWHERE, TEA, MILK = (new_id() for _ in range(4))
FROM, UNTIL = date(2026, 11, 9), date(2026, 11, 12)
NOON = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)

OFF = CouponTerms(
    kind=CouponKind.AMOUNT_OFF.value,
    amount_off_fen=500,
    spend_min_fen=0,
    pay_fen=None,
    product_id=None,
    place_ids=(),
    product_ids=(),
    cost_fen=300,
    fee_fen=50,
)
ONE_YUAN = replace(
    OFF, kind=CouponKind.PAY_N.value, amount_off_fen=None, pay_fen=100, product_id=TEA
)
FREE = replace(ONE_YUAN, kind=CouponKind.FREE_ITEM.value, pay_fen=None)


def coupon(**fields: Any) -> Coupon:
    given: dict[str, Any] = {
        "brand_id": new_id(),
        "template_id": new_id(),
        "member_id": new_id(),
        "code": "0" * 16,
        "cause_kind": "SCAN",
        "cause_id": new_id(),
        "usable_from": FROM,
        "usable_until": UNTIL,
        "issued_at": NOON,
    }
    return Coupon(**given | fields)


@pytest.mark.parametrize(
    ("terms", "basket_fen", "quoted"),
    [
        (OFF, None, Quote(500, None, None, 350)),
        (OFF, 10_000, Quote(500, None, None, 350)),
        (OFF, 500, Quote(500, None, None, 350)),
        (OFF, 499, Quote(499, None, None, 350)),
        (OFF, 0, Quote(0, None, None, 350)),
        (ONE_YUAN, None, Quote(0, 100, TEA, 350)),
        (ONE_YUAN, 50, Quote(0, 100, TEA, 350)),
        (FREE, None, Quote(0, 0, TEA, 350)),
        (replace(OFF, cost_fen=0, fee_fen=0), 10_000, Quote(500, None, None, 0)),
        (replace(OFF, spend_min_fen=1000), 1000, Quote(500, None, None, 350)),
    ],
)
def test_a_coupon_is_worth_what_its_template_promises(
    terms: CouponTerms, basket_fen: int | None, quoted: Quote
) -> None:
    assert quote(terms, coupon(), HERE, basket_fen, [], FROM) == quoted


@pytest.mark.parametrize(
    ("terms", "fields", "basket_fen", "basket", "on", "reason"),
    [
        (OFF, {}, None, [], FROM - timedelta(days=1), NotUsableReason.NOT_YET),
        (OFF, {}, None, [], FROM, None),
        (OFF, {}, None, [], UNTIL, None),
        (OFF, {}, None, [], UNTIL + timedelta(days=1), NotUsableReason.EXPIRED),
        (OFF, {"status": CouponStatus.EXPIRED}, None, [], FROM, NotUsableReason.EXPIRED),
        (OFF, {"status": CouponStatus.VOID}, None, [], FROM, NotUsableReason.VOID),
        (replace(OFF, place_ids=[ELSEWHERE.hex]), {}, None, [], FROM, NotUsableReason.PLACE),
        (replace(OFF, place_ids=[ELSEWHERE.hex, HERE.hex]), {}, None, [], FROM, None),
        (replace(OFF, product_ids=[TEA.hex]), {}, 900, [], FROM, NotUsableReason.PRODUCT),
        (replace(OFF, product_ids=[TEA.hex]), {}, 900, [MILK], FROM, NotUsableReason.PRODUCT),
        (replace(OFF, product_ids=[TEA.hex]), {}, None, [MILK, TEA], FROM, None),
        (replace(OFF, spend_min_fen=1000), {}, 999, [], FROM, NotUsableReason.SPEND_MIN),
        (replace(OFF, spend_min_fen=1000), {}, None, [], FROM, NotUsableReason.SPEND_MIN),
    ],
)
def test_a_coupon_is_not_usable_for_a_reason(
    terms: CouponTerms,
    fields: dict[str, Any],
    basket_fen: int | None,
    basket: list[UUID],
    on: date,
    reason: NotUsableReason | None,
) -> None:
    quoted = quote(terms, coupon(**fields), HERE, basket_fen, basket, on)
    assert (None if isinstance(quoted, Quote) else quoted) is reason


def test_a_hold_lapses_at_its_very_last_moment() -> None:
    just_before = NOON - timedelta(microseconds=1)
    assert status_at("HELD", NOON, just_before) is RedemptionStatus.HELD
    assert status_at("HELD", NOON, NOON) is RedemptionStatus.LAPSED
    for status in set(RedemptionStatus) - {RedemptionStatus.HELD}:
        assert status_at(status.value, NOON, NOON + timedelta(days=1)) is status


LEGAL = {
    ("HELD", "CAPTURED"),
    ("HELD", "VOIDED"),
    ("HELD", "LAPSED"),
    ("CAPTURED", "REVERSED"),
}


def test_one_step_leads_where_the_table_says_and_nowhere_else() -> None:
    found = {
        (a.value, b.value) for a in RedemptionStatus for b in RedemptionStatus if may_become(a, b)
    }
    assert found == LEGAL


def test_every_status_is_reached_by_steps_of_its_own() -> None:
    paths = {status: steps_to(status) for status in RedemptionStatus}
    assert all(path[0] is RedemptionStep.HOLD for path in paths.values())
    assert {path[-1] for path in paths.values()} == set(RedemptionStep)
    assert paths[RedemptionStatus.REVERSED] == [
        RedemptionStep.HOLD,
        RedemptionStep.CAPTURE,
        RedemptionStep.REVERSE,
    ]
    for path in paths.values():
        assert all(a is not b for a, b in pairwise(path))
