"""Qualifying periods and grace: month ends, leap years, clocks that change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.assets.rules import Unit
from loyalty.clock import day_start, local_date
from loyalty.errors import InvalidInput
from tiers.ladders.models import PeriodKind
from tiers.ladders.periods import Grace, Period, PeriodRule, check_period, read_grace

MONTH = PeriodRule(PeriodKind.CALENDAR, Unit.MONTH)
QUARTER = PeriodRule(PeriodKind.CALENDAR, Unit.QUARTER)
YEAR = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)
ANY_DAY = date(2020, 5, 17)

days = st.dates(date(1998, 1, 1), date(2034, 12, 31))
rules = st.one_of(
    st.sampled_from([MONTH, QUARTER, YEAR]),
    st.integers(1, 400).map(lambda n: PeriodRule(PeriodKind.ROLLING, Unit.DAY, n)),
    st.integers(1, 30).map(lambda n: PeriodRule(PeriodKind.JOIN, Unit.MONTH, n)),
)


def join(months: int) -> PeriodRule:
    return PeriodRule(PeriodKind.JOIN, Unit.MONTH, months)


@pytest.mark.parametrize(
    ("rule", "day", "first", "last"),
    [
        (MONTH, date(2028, 2, 29), date(2028, 2, 1), date(2028, 2, 29)),
        (MONTH, date(2027, 2, 1), date(2027, 2, 1), date(2027, 2, 28)),
        (QUARTER, date(2026, 11, 9), date(2026, 10, 1), date(2026, 12, 31)),
        (QUARTER, date(2026, 3, 31), date(2026, 1, 1), date(2026, 3, 31)),
        (YEAR, date(2026, 11, 9), date(2026, 1, 1), date(2026, 12, 31)),
        (PeriodRule(PeriodKind.ROLLING, Unit.DAY, 1), ANY_DAY, ANY_DAY, ANY_DAY),
        (
            PeriodRule(PeriodKind.ROLLING, Unit.DAY, 30),
            date(2026, 3, 1),
            date(2026, 1, 31),
            date(2026, 3, 1),
        ),
    ],
)
def test_a_day_lies_in_its_period(rule: PeriodRule, day: date, first: date, last: date) -> None:
    assert rule.period_of(day, ANY_DAY) == Period(first, last)


@pytest.mark.parametrize(
    ("joined_on", "months", "day", "first", "last"),
    [
        # Who joined on the 31st: on a month's last day where there is none, and on the 31st again.
        (date(2026, 1, 31), 1, date(2026, 2, 27), date(2026, 1, 31), date(2026, 2, 27)),
        (date(2026, 1, 31), 1, date(2026, 2, 28), date(2026, 2, 28), date(2026, 3, 30)),
        (date(2026, 1, 31), 1, date(2026, 3, 31), date(2026, 3, 31), date(2026, 4, 29)),
        # Who joined on a leap day, in years without one.
        (date(2024, 2, 29), 12, date(2025, 2, 27), date(2024, 2, 29), date(2025, 2, 27)),
        (date(2024, 2, 29), 12, date(2028, 2, 28), date(2027, 2, 28), date(2028, 2, 28)),
        (date(2024, 2, 29), 12, date(2028, 2, 29), date(2028, 2, 29), date(2029, 2, 27)),
        # Purchases may be older than the membership.
        (date(2026, 5, 10), 3, date(2026, 5, 9), date(2026, 2, 10), date(2026, 5, 9)),
        (date(2026, 5, 10), 3, date(1997, 1, 1), date(1996, 11, 10), date(1997, 2, 9)),
    ],
)
def test_periods_by_joining_begin_on_anniversaries(
    joined_on: date, months: int, day: date, first: date, last: date
) -> None:
    assert join(months).period_of(day, joined_on) == Period(first, last)


@given(rule=rules, joined_on=days, day=days)
def test_each_day_lies_in_one_period_and_the_next_begins_after_it(
    rule: PeriodRule, joined_on: date, day: date
) -> None:
    period = rule.period_of(day, joined_on)
    assert period.first <= day <= period.last
    if rule.kind is PeriodKind.ROLLING:
        assert (period.last, (day - period.first).days + 1) == (day, rule.count)
        return
    assert rule.period_of(period.first, joined_on) == period
    assert rule.period_of(period.last, joined_on) == period
    assert rule.period_of(period.next_first, joined_on).first == period.next_first
    assert rule.period_of(period.day_before, joined_on).last == period.day_before


def test_a_day_is_the_brands_own_also_when_clocks_change() -> None:
    # New York skips an hour on 8 March 2026, and tells one twice on 1 November.
    zone = "America/New_York"
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)):
        first = day_start(day, zone)
        next_first = day_start(day + timedelta(days=1), zone)
        assert next_first - first == timedelta(hours=hours)
        assert local_date(first, zone) == local_date(next_first - timedelta(seconds=1), zone) == day
    # The same instant is in two months, and in two periods.
    at = datetime(2026, 10, 31, 16, 30, tzinfo=UTC)
    assert MONTH.period_of(local_date(at, "Asia/Shanghai"), ANY_DAY).first == date(2026, 11, 1)
    assert MONTH.period_of(local_date(at, zone), ANY_DAY).first == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("text", "last", "with_grace"),
    [
        ("P1M", date(2026, 1, 31), date(2026, 2, 28)),
        ("P1M", date(2026, 4, 30), date(2026, 5, 31)),
        ("P1M", date(2026, 4, 29), date(2026, 5, 29)),
        ("P14D", date(2026, 12, 31), date(2027, 1, 14)),
        ("P2W", date(2026, 12, 31), date(2027, 1, 14)),
        ("P1Y", date(2027, 2, 28), date(2028, 2, 29)),
        ("P1Y2M1W3D", date(2026, 12, 31), date(2028, 3, 10)),
    ],
)
def test_grace_is_a_duration_of_days_weeks_months_and_years(
    text: str, last: date, with_grace: date
) -> None:
    grace = read_grace(text)
    assert grace is not None and grace.after(last) == with_grace
    assert read_grace(grace.text) == grace


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "1M", "P0D", "P0M0D", "P-1M", "P1.5M", "PT1H", "P1MT1H", "P1D1M", "p1m", "P1M "),
        *("P121M", "P11Y", "P9999W", "P99999D", "P٣M"),
    ],
)
def test_what_is_no_such_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_grace(text)
    assert refused.value.details["field"] == "grace"


def test_no_grace_is_none() -> None:
    assert read_grace(None) is None
    assert Grace(12, 3).text == "P12M3D"


@pytest.mark.parametrize(
    ("kind", "unit", "count", "field"),
    [
        (PeriodKind.CALENDAR, Unit.DAY, 1, "period.unit"),
        (PeriodKind.CALENDAR, Unit.MONTH, 2, "period.count"),
        (PeriodKind.ROLLING, Unit.MONTH, 1, "period.unit"),
        (PeriodKind.ROLLING, Unit.DAY, 0, "period.count"),
        (PeriodKind.ROLLING, Unit.DAY, 3_661, "period.count"),
        (PeriodKind.JOIN, Unit.YEAR, 1, "period.unit"),
        (PeriodKind.JOIN, Unit.MONTH, -1, "period.count"),
        (PeriodKind.JOIN, Unit.MONTH, 121, "period.count"),
    ],
)
def test_a_period_that_is_none_is_refused(
    kind: PeriodKind, unit: Unit, count: int, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_period(PeriodRule(kind, unit, count))
    assert refused.value.details["field"] == field


@given(rule=rules)
def test_every_other_period_is_taken(rule: PeriodRule) -> None:
    check_period(rule)
