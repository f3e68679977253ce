"""Pure: when the open period of two brands ends."""

from datetime import date, datetime, timedelta

from loyalty.clock import day_start, local_date
from rewards.alliances.terms import StatementPeriod


def period_end(at: datetime, period: StatementPeriod, timezone: str) -> datetime:
    """The first moment after the calendar week (Monday first) or month that an instant is in, by
    the days of a zone."""
    on = local_date(at, timezone)
    if period is StatementPeriod.WEEK:
        last = on + timedelta(days=7 - on.weekday())
    else:
        last = date(on.year + on.month // 12, on.month % 12 + 1, 1)
    return day_start(last, timezone)
