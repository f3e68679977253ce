"""What purchases come to, by hand: each member alone, day by day, from what it bought and brought
back. Money is in hundredths. Nothing here knows of batches, sweeps or runs."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Act:
    """Somebody buys for so much, as purchase number ``ref``, or brings back so much of it."""

    ref: int
    member: str
    on: date
    fen: int
    is_return: bool = False


@cache
def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - _DAY
    return last.replace(day=min(day.day, last.day))


@cache
def quarter_end(day: date, months: int = 0) -> date:
    """The end of the month that is so many months from the last of a day's quarter."""
    january = date(day.year, 1, 31)
    return months_later(january, (day.month + 2) // 3 * 3 - 1 + months)


# --- levels --------------------------------------------------------------------------------------


class Standing:
    """A level from 0 up, and its last good day, where that is known. ``counted`` is what counts,
    by day."""

    def __init__(self, thresholds: Sequence[int]) -> None:
        self.thresholds = thresholds
        self.rank = 0
        self.until: date | None = None
        self.moves: list[tuple[date, int]] = []
        self.counted: dict[date, int] = defaultdict(int)

    def look(self, day: date) -> None:
        """What the day makes of the level."""
        raise NotImplementedError

    def _earned(self, first: date, last: date) -> int:
        amount = sum(n for day, n in self.counted.items() if first <= day <= last)
        return max(bisect_right(self.thresholds, amount) - 1, 0)

    def _move(self, day: date, rank: int, until: date | None) -> None:
        self.rank, self.until = rank, until
        self.moves.append((day, rank))


class ByQuarter(Standing):
    """A quarter gives its level at once, to the end of the next quarter and a month of grace. Then
    the level falls by a step, for as long again, but not below what is earned."""

    def look(self, day: date) -> None:
        rank, until = max(self._given(day))
        if rank > self.rank:
            self._move(day, rank, until)
        elif self.until is None:
            return
        elif rank == self.rank:
            self.until = max(self.until, until)
        elif day > self.until:
            below = max(self.rank - 1, rank)
            until = until if below == rank else quarter_end(day, 4)
            self._move(day, below, until if below else None)

    def _given(self, day: date) -> Iterator[tuple[int, date]]:
        """By this quarter and the two before, as far as they are good yet."""
        for quarters in (0, 1, 2):
            last = quarter_end(day, -3 * quarters)
            if day <= quarter_end(last, 4):
                yield self._earned(quarter_end(last, -3) + _DAY, last), quarter_end(last, 4)


class ByWindow(Standing):
    """The 90 days up to today give the level. When they are too little for the level that is held,
    there are 14 days to make up for it; then the level is what is earned."""

    def look(self, day: date) -> None:
        rank = self._earned(day - 89 * _DAY, day)
        if rank < self.rank and self.until is None:
            self.until = day + 13 * _DAY
        if rank == self.rank:
            self.until = None
        elif self.until is None or rank > self.rank or day > self.until:
            self._move(day, rank, None)


# --- members -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """What a brand promises. ``given`` is of each asset per whole unit of money, POINTS times the
    level's percent; ``good_until`` the last good day of what is earned on a day. ``may_owe``: what
    is to be taken back and is not there is owed, and comes off what is earned next. Of the asset
    ``counting`` what is earned counts for the level; of None what is spent."""

    given: Mapping[str, int]
    good_until: Mapping[str, Callable[[date], date]]
    may_owe: bool
    percents: Sequence[int]
    standing: Callable[[], Standing]
    counting: str | None


@dataclass
class Part:
    """What a purchase gave of one asset, and how much of it is gone again."""

    amount: int
    good_until: date
    gone: int = 0


@dataclass
class Purse:
    """One asset of one member."""

    lots: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    owed: int = 0

    def good(self, today: date) -> dict[date, int]:
        return {day: left for day, left in self.lots.items() if left and today <= day}

    def put(self, amount: int, good_until: date) -> None:
        repaid = min(amount, self.owed)
        self.owed -= repaid
        self.lots[good_until] += amount - repaid

    def take(self, wanted: int, own: date, today: date) -> int:
        """Its own lot first, then what goes bad first. How much there was."""
        taken = 0
        for day, left in sorted(self.good(today).items(), key=lambda lot: (lot[0] != own, lot)):
            part = min(left, wanted - taken)
            self.lots[day] -= part
            taken += part
        return taken


class Member:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.standing = terms.standing()
        self.purses = {asset: Purse() for asset in terms.given}
        self.bought: dict[int, tuple[Act, dict[str, Part]]] = {}
        self.left: dict[int, int] = {}

    def buy(self, act: Act) -> None:
        parts = {}
        for asset, per_unit in self.terms.given.items():
            percent = self.terms.percents[self.standing.rank] if asset == "POINTS" else 100
            amount = act.fen // 100 * per_unit * percent // 100
            parts[asset] = Part(amount, self.terms.good_until[asset](act.on))
            self.purses[asset].put(amount, parts[asset].good_until)
        self.bought[act.ref], self.left[act.ref] = (act, parts), act.fen
        self._count(act.on, act.fen, {asset: part.amount for asset, part in parts.items()})

    def bring_back(self, act: Act) -> None:
        """Of each asset the member keeps the share of what it keeps, rounded down."""
        bought, parts = self.bought[act.ref]
        self.left[act.ref] -= act.fen
        gone = {}
        for asset, part in parts.items():
            purse = self.purses[asset]
            wanted = part.amount - part.gone - part.amount * self.left[act.ref] // bought.fen
            gone[asset] = purse.take(wanted, part.good_until, act.on)
            if self.terms.may_owe:
                purse.owed += wanted - gone[asset]
                gone[asset] = wanted
            part.gone += gone[asset]
        self._count(bought.on, -act.fen, {asset: -amount for asset, amount in gone.items()})

    def _count(self, day: date, spent: int, earned: Mapping[str, int]) -> None:
        amount = earned[self.terms.counting] if self.terms.counting else spent
        self.standing.counted[day] += amount

    def state(self, today: date) -> dict[str, Any]:
        good = {asset: purse.good(today) for asset, purse in self.purses.items()}
        return {
            "rank": self.standing.rank,
            "until": self.standing.until,
            "moves": list(self.standing.moves),
            "balances": {asset: sum(lots.values()) for asset, lots in good.items() if lots},
            "lots": {(asset, day): n for asset, lots in good.items() for day, n in lots.items()},
            "owed": {asset: purse.owed for asset, purse in self.purses.items() if purse.owed},
        }


def states_at(
    dates: Iterable[date], terms: Terms, acts: Iterable[Act]
) -> dict[date, dict[str, dict[str, Any]]]:
    """What each member has at the end of each of the dates, by its reference; acts of one member
    and day are in their order."""
    by_member: dict[str, dict[date, list[Act]]] = defaultdict(lambda: defaultdict(list))
    for act in acts:
        by_member[act.member][act.on].append(act)
    found: dict[date, dict[str, dict[str, Any]]] = {day: {} for day in dates}
    for reference, by_day in by_member.items():
        member, day = Member(terms), min(by_day)
        while day <= max(found):
            if member.standing.rank:  # below that no day leads by itself
                member.standing.look(day)
            for act in by_day.get(day, ()):
                member.bring_back(act) if act.is_return else member.buy(act)
                member.standing.look(day)
            if day in found:
                found[day][reference] = member.state(day)
            day += _DAY
    return found
