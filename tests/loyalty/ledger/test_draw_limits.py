"""What there was to give at a time, as the verifier of draws finds it: pure."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from loyalty.ledger.audit_draw_limits import CONCURRENT, Limits, Sums, Template

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR, TODAY = timedelta(hours=1), date(2026, 12, 1)
RAMP = UUID(int=1)
KEY = (RAMP, "CASH")
LIMITS = Limits(
    taken={KEY: Sums([(NOON, 300), (NOON + HOUR, 600)])},
    returned={KEY: Sums([(NOON + HOUR, 100)])},
    allowed={KEY: [(NOON - HOUR, 1_000)]},
)
TEMPLATE = Template(
    code="five",
    stock_max=3,
    usable_from=None,
    usable_until=None,
    is_agreed=False,
    statuses=[(NOON - HOUR, "ACTIVE")],
    is_told=True,
    codes=Sums(),
    issued=Sums([(NOON, 2), (NOON + HOUR, 1)]),
)


def test_a_budget_has_left_what_nobody_can_have_taken_by_then() -> None:
    assert [LIMITS.budget_left(RAMP, "CASH", NOON + n * HOUR) for n in (0, 1, 2)] == [700, 100, 200]
    assert LIMITS.budget_left(RAMP, "CASH", NOON + HOUR - CONCURRENT) == 100, "at the same time"
    assert LIMITS.budget_left(RAMP, "CASH", NOON - CONCURRENT - HOUR / 60) == 1_000


def test_a_budget_is_what_the_versions_of_that_time_allowed() -> None:
    raised: list[tuple[datetime, int | None]] = [(NOON - HOUR, 500), (NOON + HOUR, 1_000)]
    limits = replace(LIMITS, allowed={KEY: raised})
    assert limits.budget_left(RAMP, "CASH", NOON) == 200
    assert limits.budget_left(RAMP, "CASH", NOON + HOUR) == -400, "the lesser of both, for a while"
    assert limits.budget_left(RAMP, "CASH", NOON + 2 * HOUR) == 200
    forgotten = replace(LIMITS, allowed={KEY: [(NOON - HOUR, None), (NOON + HOUR, 1_000)]})
    assert forgotten.budget_left(RAMP, "CASH", NOON) is None
    assert forgotten.budget_left(RAMP, "CASH", NOON + 2 * HOUR) == 200


def test_coupons_are_gone_when_all_are_out_or_the_template_was_shut() -> None:
    assert not TEMPLATE.may_be_gone(TODAY, NOON)
    assert TEMPLATE.may_be_gone(TODAY, NOON + HOUR - CONCURRENT), "the last one at the same time"
    assert not replace(TEMPLATE, stock_max=None).may_be_gone(TODAY, NOON + HOUR)
    paused = [*TEMPLATE.statuses, (NOON, "PAUSED"), (NOON + HOUR / 2, "ACTIVE")]
    shut = replace(TEMPLATE, stock_max=None, statuses=paused)
    times = (NOON - HOUR / 2, NOON, NOON + HOUR / 4, NOON + HOUR / 2, NOON + HOUR)
    assert [shut.may_be_gone(TODAY, at) for at in times] == [False, True, True, True, False]
    assert replace(TEMPLATE, usable_until=date(2026, 11, 30)).may_be_gone(TODAY, NOON)
    assert not replace(TEMPLATE, usable_until=TODAY).may_be_gone(TODAY, NOON)


def test_coupons_of_which_nothing_is_recorded_are_believed_to_be_gone() -> None:
    assert replace(TEMPLATE, is_agreed=True).may_be_gone(TODAY, NOON)
    assert replace(TEMPLATE, is_told=False).may_be_gone(TODAY, NOON)


def test_codes_that_were_put_in_later_were_not_there() -> None:
    codes = replace(TEMPLATE, codes=Sums([(NOON - HOUR, 2), (NOON + HOUR, 1)]))
    assert codes.may_be_gone(TODAY, NOON)
    assert not replace(codes, issued=Sums([(NOON - HOUR, 1)])).may_be_gone(TODAY, NOON)


def test_pieces_count_up_to_a_time() -> None:
    pieces = Sums([(NOON, 1), (NOON + HOUR, 1)])
    limits = Limits(
        pieces={(RAMP, "CAR"): pieces},
        of_days={(RAMP, "CAR", TODAY): pieces},
        of_stages={(RAMP, 0, "CASH"): pieces},
    )
    assert [limits.stock_left(RAMP, "CAR", 2, NOON + n * HOUR) for n in (-1, 0, 1)] == [2, 1, 0]
    assert limits.quota_left(RAMP, "CAR", TODAY, 2, NOON) == 1
    assert limits.quota_left(RAMP, "CAR", TODAY + timedelta(days=1), 2, NOON) == 2
    assert limits.stage_left(RAMP, 0, "CASH", 2, NOON) == 1
