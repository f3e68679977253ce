"""What people own: four assets, points in lots that go bad, credits that wait for something."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

NEVER = date(9999, 12, 31)
ASSETS = ("POINTS", "GROWTH", "CASH", "CHANCES")


def last_good_day(earned_on: date, months: int | None) -> date:
    """The same day so many months later; where that month has no such day, its last."""
    if months is None:
        return NEVER
    year, month = earned_on.year, earned_on.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    first_of_next = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    last = first_of_next - timedelta(days=1)
    return min(last, last.replace(day=min(earned_on.day, last.day)))


@dataclass
class Wallet:
    """``points`` is what is left of each lot; locked credits are in no lot yet."""

    points: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    others: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    locked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def balance(self, asset: str) -> int:
        return sum(self.points.values()) if asset == "POINTS" else self.others[asset]

    def put(self, asset: str, amount: int, good_until: date) -> None:
        if asset == "POINTS":
            self.points[good_until] += amount
        else:
            self.others[asset] += amount

    def spendable(self, asset: str, today: date) -> int:
        if asset == "POINTS":
            return sum(left for day, left in self.points.items() if today <= day)
        return self.others[asset]

    def take(self, asset: str, amount: int, today: date) -> list[tuple[date, int]]:
        """What was taken of which lots, soonest to go bad first. There is enough."""
        if asset != "POINTS":
            self.others[asset] -= amount
            return [(NEVER, amount)]
        taken = []
        for day in sorted(day for day in self.points if today <= day):
            part = min(self.points[day], amount)
            if part:
                self.points[day] -= part
                amount -= part
                taken.append((day, part))
        assert amount == 0, "the model was asked for more than there is"
        return taken

    def balances(self) -> dict[str, tuple[int, int]]:
        """(balance, locked) of each asset of which there is anything."""
        found = {asset: (self.balance(asset), self.locked[asset]) for asset in ASSETS}
        return {asset: pair for asset, pair in found.items() if pair != (0, 0)}

    def lots(self) -> dict[date, int]:
        return {day: left for day, left in self.points.items() if left}


@dataclass
class Ladder:
    """The levels of one role: (growth that reaches it, percent of points)."""

    levels: Sequence[tuple[int, int]]

    def rank_at(self, growth: int) -> int:
        return max(rank for rank, (threshold, _) in enumerate(self.levels) if threshold <= growth)

    def percent(self, rank: int) -> int:
        return self.levels[rank][1]
