"""What people own: four assets, in lots that go bad, and credits that wait for something."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

NEVER = date(9999, 12, 31)
ASSETS = ("POINTS", "GROWTH", "CASH", "CHANCES")


Policy = tuple[str, int, str]
"""How long a credit is good: ("NEVER", 0, ""); ("AFTER", so many, "DAY" or "MONTH"); ("END", months
more, "MONTH", "QUARTER" or "YEAR" that it was earned in); ("ACTIVE", days, "") from the last time
that there was some."""


def last_good_day(earned_on: date, policy: Policy) -> date:
    """Where a month has no such day, its last."""
    kind, count, unit = policy
    if kind == "NEVER":
        return NEVER
    if kind == "ACTIVE" or unit == "DAY":
        return earned_on + timedelta(days=count)
    if kind == "AFTER":
        last = _last_of_month(earned_on, count)
        return min(last, last.replace(day=min(earned_on.day, last.day)))
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    to_the_end = -earned_on.month % months
    return _last_of_month(earned_on, to_the_end + count)


def _last_of_month(day: date, months: int) -> date:
    """The last day of the month that comes so many months later."""
    year, month = day.year, day.month
    for _ in range(months + 1):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, 1) - timedelta(days=1)


@dataclass
class Wallet:
    """``free`` is what is left of each lot of each asset; locked credits are in no lot yet.
    ``owed`` was to be taken back and was not there any more."""

    free: dict[str, dict[date, int]] = field(
        default_factory=lambda: {asset: defaultdict(int) for asset in ASSETS}
    )
    locked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    owed: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def balance(self, asset: str) -> int:
        return sum(self.free[asset].values())

    def put(self, asset: str, amount: int, good_until: date) -> None:
        self.free[asset][good_until] += amount

    def earn(self, asset: str, amount: int, good_until: date) -> int:
        """Something that comes; of it, what is owed is repaid first. How much that was."""
        self.put(asset, amount, good_until)
        repaid = min(amount, self.owed[asset])
        self.free[asset][good_until] -= repaid
        self.owed[asset] -= repaid
        return repaid

    def spendable(self, asset: str, today: date) -> int:
        return sum(left for day, left in self.free[asset].items() if today <= day)

    def gone_bad_in_part(self, asset: str, today: date) -> bool:
        return 0 < self.spendable(asset, today) < self.balance(asset)

    def take(
        self, asset: str, amount: int, today: date, first: date | None = None
    ) -> list[tuple[date, int]]:
        """What was taken of which lots: of ``first``, then soonest to go bad first. There is
        enough."""
        taken = []
        lots = self.free[asset]
        good = [day for day in lots if today <= day]
        for day in sorted(good, key=lambda day: (day != first, day)):
            part = min(lots[day], amount)
            if part:
                lots[day] -= part
                amount -= part
                taken.append((day, part))
        assert amount == 0, "the model was asked for more than there is"
        return taken

    def live_on(self, asset: str, today: date, until: date) -> int:
        """What is still good is good until then, unless it is longer. How much that was."""
        moved = 0
        for day, left in list(self.free[asset].items()):
            if today <= day < until:
                del self.free[asset][day]
                self.free[asset][until] += left
                moved += left
        return moved

    def expire(self, today: date) -> int:
        """What has gone bad goes. How much that was."""
        gone = 0
        for lots in self.free.values():
            for day in [day for day in lots if day < today]:
                gone += lots.pop(day)
        return gone

    def balances(self) -> dict[str, tuple[int, int]]:
        """(balance, locked) of each asset of which there is anything."""
        found = {asset: (self.balance(asset), self.locked[asset]) for asset in ASSETS}
        return {asset: pair for asset, pair in found.items() if pair != (0, 0)}

    def lots(self) -> dict[tuple[str, date], int]:
        return {
            (asset, day): left
            for asset, lots in self.free.items()
            for day, left in lots.items()
            if left
        }

    def waiting(self) -> dict[str, int]:
        return {asset: amount for asset, amount in self.locked.items() if amount}

    def debts(self) -> dict[str, int]:
        return {asset: amount for asset, amount in self.owed.items() if amount}


@dataclass
class Ladder:
    """The levels of one role: (growth that reaches it, percent of points). One that ``drops``
    is held for as long as the growth is there; else a level is kept."""

    levels: Sequence[tuple[int, int]]
    drops: bool = False

    def rank_at(self, growth: int) -> int:
        return max(rank for rank, (threshold, _) in enumerate(self.levels) if threshold <= growth)

    def percent(self, rank: int) -> int:
        return self.levels[rank][1]
