"""A clock that tests set."""

from datetime import UTC, datetime, timedelta


class SettableClock:
    """Stands still until told; give it to ``Database(clock=...)``."""

    def __init__(self, at: datetime = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def set(self, at: datetime) -> None:
        self.at = at

    def advance(self, **step: float) -> datetime:
        """By the arguments of ``timedelta``: ``advance(days=1)``; the new time."""
        self.at += timedelta(**step)
        return self.at
