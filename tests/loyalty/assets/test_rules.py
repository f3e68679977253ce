"""How long a credit is good, by every policy, and which policies there may be."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.assets.rules import (
    COUNT_MAX,
    NEVER,
    NEVER_EXPIRES,
    Expiry,
    ExpiryKind,
    Unit,
    check_code,
    check_expiry,
    expiry_from_json,
    expiry_to_json,
    period_end,
)
from loyalty.clock import day_start, local_date
from loyalty.errors import InvalidInput

DAY, MONTH, QUARTER, YEAR = Unit.DAY, Unit.MONTH, Unit.QUARTER, Unit.YEAR
LATER = date(2033, 6, 1)
HOUR = timedelta(hours=1)


def after(count: int, unit: Unit) -> Expiry:
    return Expiry(ExpiryKind.AFTER, unit, count)


def end_of(unit: Unit, count: int = 0, plus_unit: Unit | None = None) -> Expiry:
    return Expiry(ExpiryKind.PERIOD_END, unit, count, plus_unit)


def active(days: int) -> Expiry:
    return Expiry(ExpiryKind.ACTIVITY, count=days)


FIXED = Expiry(ExpiryKind.FIXED, on=LATER)

days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
periods = st.sampled_from([MONTH, QUARTER, YEAR])
policies = st.one_of(
    st.just(NEVER),
    st.builds(after, st.integers(1, COUNT_MAX["YEAR"]), st.sampled_from(Unit)),
    st.builds(end_of, periods),
    st.builds(end_of, periods, st.integers(1, COUNT_MAX["YEAR"]), st.sampled_from(Unit)),
    st.builds(lambda on: Expiry(ExpiryKind.FIXED, on=on), days),
    st.builds(active, st.integers(1, 4_000)),
)


@pytest.mark.parametrize(
    ("expiry", "earned_on", "last_day"),
    [
        (NEVER, date(2026, 1, 31), NEVER_EXPIRES),
        (after(1, DAY), date(2026, 2, 28), date(2026, 3, 1)),
        (after(1, DAY), date(2028, 2, 28), date(2028, 2, 29)),
        (after(365, DAY), date(2027, 3, 1), date(2028, 2, 29)),
        (after(1, MONTH), date(2026, 1, 31), date(2026, 2, 28)),
        (after(1, MONTH), date(2028, 1, 31), date(2028, 2, 29)),
        (after(1, MONTH), date(2026, 2, 28), date(2026, 3, 28)),
        (after(11, MONTH), date(2026, 1, 31), date(2026, 12, 31)),
        (after(12, MONTH), date(2026, 12, 15), date(2027, 12, 15)),
        (after(24, MONTH), date(2026, 2, 28), date(2028, 2, 28)),
        (after(1, QUARTER), date(2026, 11, 30), date(2027, 2, 28)),
        (after(1, YEAR), date(2028, 2, 29), date(2029, 2, 28)),
        (after(4, YEAR), date(2028, 2, 29), date(2032, 2, 29)),
        (end_of(MONTH), date(2028, 2, 1), date(2028, 2, 29)),
        (end_of(MONTH), date(2026, 2, 28), date(2026, 2, 28)),
        (end_of(QUARTER), date(2026, 1, 1), date(2026, 3, 31)),
        (end_of(QUARTER), date(2026, 6, 30), date(2026, 6, 30)),
        (end_of(QUARTER), date(2026, 7, 1), date(2026, 9, 30)),
        (end_of(YEAR), date(2026, 1, 1), date(2026, 12, 31)),
        (end_of(YEAR), date(2026, 12, 31), date(2026, 12, 31)),
        (end_of(MONTH, 10, DAY), date(2026, 2, 3), date(2026, 3, 10)),
        (end_of(QUARTER, 1, MONTH), date(2026, 5, 9), date(2026, 7, 31)),
        (end_of(MONTH, 1, MONTH), date(2028, 1, 5), date(2028, 2, 29)),
        (end_of(YEAR, 2, MONTH), date(2027, 5, 9), date(2028, 2, 29)),
        (end_of(QUARTER, 1, QUARTER), date(2026, 11, 9), date(2027, 3, 31)),
        (end_of(MONTH, 1, YEAR), date(2027, 2, 1), date(2028, 2, 29)),
        (FIXED, date(2026, 1, 1), LATER),
        (FIXED, LATER, LATER),
        (FIXED, LATER + timedelta(days=1), NEVER_EXPIRES),
        (active(30), date(2026, 2, 1), date(2026, 3, 3)),
    ],
    ids=lambda value: str(value) if isinstance(value, date) else "",
)
def test_the_last_good_day(expiry: Expiry, earned_on: date, last_day: date) -> None:
    assert expiry.last_day(earned_on) == last_day


@given(policies, days, days)
def test_who_earns_later_never_loses_earlier(expiry: Expiry, one: date, other: date) -> None:
    earlier, later = sorted((one, other))
    assert earlier <= expiry.last_day(earlier) <= expiry.last_day(later)


@given(days, st.integers(1, COUNT_MAX["MONTH"]))
def test_months_later_is_the_same_day_or_that_months_last(earned_on: date, count: int) -> None:
    last = after(count, MONTH).last_day(earned_on)
    assert (last.year - earned_on.year) * 12 + last.month - earned_on.month == count
    next_day = last + timedelta(days=1)
    assert last.day == earned_on.day or (next_day.day == 1 and last.day < earned_on.day)


@given(days, periods)
def test_a_period_ends_on_the_day_before_the_next_begins(day: date, unit: Unit) -> None:
    end = period_end(day, unit)
    begins = end + timedelta(days=1)
    months = {MONTH: 1, QUARTER: 3, YEAR: 12}[unit]
    assert begins.day == 1
    assert (begins.month - 1) % months == 0
    assert (end.year * 12 + end.month - day.year * 12 - day.month) in range(months)
    assert period_end(begins, unit) > end


@given(days, periods, st.integers(1, 100), st.sampled_from([MONTH, QUARTER, YEAR]))
def test_months_after_a_periods_end_are_whole(
    day: date, unit: Unit, count: int, plus_unit: Unit
) -> None:
    assert (end_of(unit, count, plus_unit).last_day(day) + timedelta(days=1)).day == 1


@pytest.mark.parametrize(
    ("zone", "at", "earned_on"),
    [
        ("Asia/Shanghai", datetime(2026, 1, 31, 15, 59, tzinfo=UTC), date(2026, 1, 31)),
        ("Asia/Shanghai", datetime(2026, 1, 31, 16, tzinfo=UTC), date(2026, 2, 1)),
        # New York, the day before its clocks go forward, that day, and the day after.
        ("America/New_York", datetime(2026, 3, 8, 4, 59, tzinfo=UTC), date(2026, 3, 7)),
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), date(2026, 3, 8)),
        ("America/New_York", datetime(2026, 3, 9, 3, 59, tzinfo=UTC), date(2026, 3, 8)),
        ("America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC), date(2026, 3, 9)),
        # And back again: 1 November has 25 hours.
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), date(2026, 11, 1)),
        ("America/New_York", datetime(2026, 11, 2, 4, 59, tzinfo=UTC), date(2026, 11, 1)),
        ("America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC), date(2026, 11, 2)),
    ],
)
def test_the_day_of_earning_is_the_brands(zone: str, at: datetime, earned_on: date) -> None:
    assert local_date(at, zone) == earned_on
    assert day_start(earned_on, zone) <= at < day_start(earned_on + timedelta(days=1), zone)


@given(
    st.sampled_from(["America/New_York", "America/Havana", "Asia/Shanghai", "Australia/Lord_Howe"]),
    st.integers(0, 100_000).map(lambda hours: datetime(2020, 1, 1, tzinfo=UTC) + hours * HOUR),
    policies,
)
def test_nothing_is_past_its_date_on_the_day_it_was_earned(
    zone: str, at: datetime, expiry: Expiry
) -> None:
    """Whatever the clocks do: in Havana midnight is skipped in spring, and told twice in autumn."""
    last = expiry.last_day(local_date(at, zone))
    if last < NEVER_EXPIRES:
        assert at < day_start(last + timedelta(days=1), zone)


@given(policies)
def test_a_good_policy_is_stored_and_read_again(expiry: Expiry) -> None:
    stored = expiry_to_json(check_expiry(expiry))
    assert expiry_from_json(stored) == expiry
    assert all(isinstance(value, str | int) for value in stored.values())


def test_only_what_the_kind_uses_is_stored() -> None:
    assert expiry_to_json(NEVER) == {"kind": "NEVER"}
    assert expiry_to_json(after(24, MONTH)) == {"kind": "AFTER", "unit": "MONTH", "count": 24}
    assert expiry_to_json(end_of(YEAR, 3, MONTH)) == {
        "kind": "PERIOD_END",
        "unit": "YEAR",
        "count": 3,
        "plus_unit": "MONTH",
    }
    assert expiry_to_json(FIXED) == {"kind": "FIXED", "on": "2033-06-01"}
    assert expiry_to_json(active(90)) == {"kind": "ACTIVITY", "count": 90}


@pytest.mark.parametrize(
    ("expiry", "field"),
    [
        (Expiry(count=1), "count"),
        (Expiry(unit=DAY), "unit"),
        (Expiry(on=LATER), "on"),
        (Expiry(plus_unit=DAY), "plusUnit"),
        (Expiry(ExpiryKind.AFTER), "unit"),
        (Expiry(ExpiryKind.AFTER, count=3), "unit"),
        (after(0, MONTH), "count"),
        (after(-1, MONTH), "count"),
        *((after(count_max + 1, Unit(unit)), "count") for unit, count_max in COUNT_MAX.items()),
        (Expiry(ExpiryKind.AFTER, MONTH, 1, on=LATER), "on"),
        (Expiry(ExpiryKind.AFTER, MONTH, 1, plus_unit=DAY), "plusUnit"),
        (Expiry(ExpiryKind.PERIOD_END), "unit"),
        (end_of(DAY), "unit"),
        (end_of(MONTH, 3), "count"),
        (end_of(MONTH, 0, DAY), "count"),
        (end_of(MONTH, -3, DAY), "count"),
        (end_of(MONTH, COUNT_MAX["YEAR"] + 1, YEAR), "count"),
        (Expiry(ExpiryKind.PERIOD_END, YEAR, on=LATER), "on"),
        (Expiry(ExpiryKind.FIXED), "on"),
        (Expiry(ExpiryKind.FIXED, unit=DAY, on=LATER), "unit"),
        (Expiry(ExpiryKind.FIXED, count=1, on=LATER), "count"),
        (active(0), "count"),
        (active(-1), "count"),
        (active(COUNT_MAX["DAY"] + 1), "count"),
        (Expiry(ExpiryKind.ACTIVITY, DAY, 3), "unit"),
    ],
    ids=str,
)
def test_a_bad_policy_is_refused_with_its_fields_path(expiry: Expiry, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_expiry(expiry)
    assert refused.value.details["field"] == f"expiry.{field}"
    with pytest.raises(InvalidInput) as refused:
        check_expiry(expiry, "input.expiry")
    assert refused.value.details["field"] == f"input.expiry.{field}"


@pytest.mark.parametrize("unit", Unit)
def test_the_longest_policies_are_good(unit: Unit) -> None:
    longest = after(COUNT_MAX[unit.value], unit)
    assert check_expiry(longest).last_day(date(2026, 1, 1)) < NEVER_EXPIRES


@pytest.mark.parametrize("code", ["S", "STARS", "STARS_2026", "A" * 32])
def test_what_an_asset_may_be_called(code: str) -> None:
    assert check_code(code) == code


@pytest.mark.parametrize(
    "code",
    [
        *("", "stars", "2STARS", "_STARS", "STARS 2", "STARS-2", "ST\u00c4RS", "STARS\n", "A" * 33),
        "COUPON",
    ],
)
def test_what_an_asset_may_not_be_called(code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_code(code)
    assert refused.value.details["field"] == "code"
