"""The periods of a task, where the brand is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty.ids import new_id
from rewards.tasks.models import TaskCounts, TaskPeriod
from rewards.tasks.rules import LATE_DAYS, TaskView, current_period, periods_to_settle

SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def task(period: TaskPeriod, starts_at: str, ends_at: str | None = None) -> TaskView:
    rest: dict[str, Any] = {"code": "t", "role": "GUIDE", "target": 1, "for_everybody": False}
    rest |= {"period": period, "counts": TaskCounts.CHECK_INS}
    ends = None if ends_at is None else at(ends_at)
    return TaskView(new_id(), starts_at=at(starts_at), ends_at=ends, **rest)


def names(view: TaskView, now: datetime, timezone: str = SHANGHAI) -> list[str]:
    return [period.name for period in periods_to_settle(view, now, timezone)]


def test_a_week_begins_on_monday_where_the_brand_is() -> None:
    weekly = task(TaskPeriod.WEEK, "2026-01-01T00:00+08:00")
    sunday = at("2026-11-15T23:59:59+08:00")
    period = current_period(weekly, sunday, SHANGHAI)
    assert (period.name, period.starts_at) == ("2026-W46", at("2026-11-09T00:00+08:00"))
    assert period.ends_at == at("2026-11-16T00:00+08:00")
    assert current_period(weekly, sunday + timedelta(seconds=1), SHANGHAI).name == "2026-W47"
    assert current_period(weekly, at("2027-01-03T12:00+08:00"), SHANGHAI).name == "2026-W53"


def test_a_month_is_as_long_as_clocks_say_and_ends_with_the_task() -> None:
    monthly = task(TaskPeriod.MONTH, "2026-11-05T12:00-05:00", "2026-12-10T00:00-05:00")
    first = current_period(monthly, at("2026-11-30T23:00-05:00"), NEW_YORK)
    assert (first.name, first.starts_at) == ("2026-11", monthly.starts_at)
    assert first.ends_at == at("2026-12-01T00:00-05:00")
    last = current_period(monthly, at("2027-02-01T00:00-05:00"), NEW_YORK)
    assert (last.name, last.ends_at) == ("2026-12", monthly.ends_at)
    assert last.completed_at(at("2027-02-01T00:00-05:00")) < at("2026-12-10T00:00-05:00")


def test_what_is_told_late_completes_a_period_that_has_just_ended() -> None:
    weekly = task(TaskPeriod.WEEK, "2026-11-02T00:00+08:00", "2026-11-16T00:00+08:00")
    ended = at("2026-11-16T00:00+08:00")
    assert names(weekly, at("2026-11-01T00:00+08:00")) == []
    assert names(weekly, at("2026-11-03T00:00+08:00")) == ["2026-W45"]
    assert names(weekly, at("2026-11-15T23:00+08:00")) == ["2026-W46", "2026-W45"]
    assert names(weekly, ended + timedelta(days=LATE_DAYS, seconds=-1)) == ["2026-W46"]
    assert names(weekly, ended + timedelta(days=LATE_DAYS)) == []
    once = task(TaskPeriod.ONCE, "2026-11-02T00:00+08:00")
    assert names(once, at("2028-01-01T00:00+08:00")) == ["ONCE"]
