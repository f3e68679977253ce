"""The only place that reads the wall clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=4096)  # a batch of scans asks several times each for one and the same instant
def local_date(at: datetime, timezone: str) -> date:
    """The calendar day of an instant in a brand's time zone."""
    return at.astimezone(ZoneInfo(timezone)).date()
