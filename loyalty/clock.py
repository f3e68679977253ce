"""The only place that reads the wall clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

_ID_BITS_BELOW_TIME = 80


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=4096)  # a batch of scans asks several times each for one and the same instant
def local_date(at: datetime, timezone: str) -> date:
    """The calendar day of an instant in a brand's time zone."""
    return at.astimezone(ZoneInfo(timezone)).date()


def day_start(on: date, timezone: str) -> datetime:
    """The first instant of a calendar day in a brand's time zone, in UTC: where clocks skip
    midnight the moment they do, where they tell it twice the earlier one."""
    return datetime.combine(on, time(), ZoneInfo(timezone)).astimezone(UTC)


def first_id_at(at: datetime) -> UUID:
    """No UUIDv7 made at ``at`` or later sorts before this, none made earlier after it."""
    milliseconds = (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    return UUID(int=milliseconds << _ID_BITS_BELOW_TIME)
