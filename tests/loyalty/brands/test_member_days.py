"""Member days: which days they are, and what is refused of a calendar."""

from datetime import date

import pytest

from loyalty.brands.rules import (
    MEMBER_DAYS_MAX,
    MemberDay,
    check_member_days,
    member_dates,
    member_days_from_json,
    member_days_to_json,
    next_date,
)
from loyalty.errors import InvalidInput

NINTH = MemberDay(9, None, "会员日", "Member day")
LAST = MemberDay(31, None, "月末", "Month's end")
PARTY = MemberDay(None, date(2027, 2, 1), "店庆", "Anniversary")


def test_days_of_the_month_and_dates_are_member_days() -> None:
    days = [NINTH, LAST, PARTY]
    check_member_days(days)
    assert member_days_from_json(member_days_to_json(days)) == days
    dates = member_dates(days)
    on = [date(2027, 1, 9), date(2027, 1, 31), date(2027, 2, 1), date(2027, 12, 9)]
    off = [date(2027, 1, 8), date(2027, 2, 28), date(2028, 2, 1), date(2027, 4, 30)]
    assert all(map(dates.has, on)) and not any(map(dates.has, off))
    assert not member_dates([]).has(date(2027, 1, 9))


def test_the_next_one_is_today_or_later_and_only_in_months_that_have_it() -> None:
    assert next_date(NINTH, date(2026, 12, 9)) == date(2026, 12, 9)
    assert next_date(NINTH, date(2026, 12, 10)) == date(2027, 1, 9)
    assert next_date(LAST, date(2027, 2, 1)) == date(2027, 3, 31)
    assert next_date(PARTY, date(2027, 2, 1)) == date(2027, 2, 1)
    assert next_date(PARTY, date(2027, 2, 2)) is None


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ([MemberDay(None, None, "日", "Day")], "days[0]"),
        ([MemberDay(9, date(2027, 2, 1), "日", "Day")], "days[0]"),
        ([NINTH, MemberDay(32, None, "日", "Day")], "days[1].dayOfMonth"),
        ([NINTH, NINTH], "days[1]"),
        ([MemberDay(9, None, "", "Day")], "days[0].nameZh"),
        ([NINTH] * (MEMBER_DAYS_MAX + 1), "days"),
    ],
    ids=range(6),
)
def test_what_is_wrong_is_told_with_its_path(days: list[MemberDay], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_member_days(days)
    assert refused.value.details["field"] == field
