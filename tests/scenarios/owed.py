"""What brands owe one another, by the words of docs/alliance.md alone: a second opinion that shares
no code with the engine."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

ROUNDINGS = {"HALF_UP": ROUND_HALF_UP, "DOWN": ROUND_DOWN}

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One template of ``host``, whose coupons ``issuer`` issues. Shares are ("fen", n) or
    ("basisPoints", n) of cost and fee; ``limit_fen`` None is PREPAID."""

    code: str
    host: str
    issuer: str
    cost_fen: int
    fee_fen: int
    redeemers: Sequence[str]
    issuer_share: tuple[str, int]
    host_share: tuple[str, int] = ("fen", 0)
    rounding: str = "HALF_UP"
    issue_fee_fen: int = 0
    redeem_fee_fen: int = 0
    quotas: Sequence[tuple[str, int]] = ()
    limit_fen: int | None = None

    def _part(self, share: tuple[str, int]) -> int:
        kind, amount = share
        if kind == "fen":
            return amount
        exact = Decimal((self.cost_fen + self.fee_fen) * amount) / 10_000
        return int(exact.quantize(Decimal(1), ROUNDINGS[self.rounding]))

    def owed_at(self, till_of: str) -> int:
        """What the other brand owes whose till it was, in fen."""
        issuers = self._part(self.issuer_share)
        left = self.cost_fen + self.fee_fen - issuers
        return issuers if till_of == self.host else min(self._part(self.host_share), left)

    @property
    def reserved_fen(self) -> int:
        """What a coupon may still come to cost its issuer at the host's."""
        share = self._part(self.issuer_share) if self.host in self.redeemers else 0
        return share + self.redeem_fee_fen


@dataclass(frozen=True)
class Entry:
    """So many fen, never 0, that ``debtor`` owes more (less, below zero), of a month."""

    month: int
    debtor: str
    creditor: str
    fen: int


@dataclass
class Books:
    """The test's own record of what was done; ``today`` is moved by the test."""

    today: date
    entries: list[Entry] = field(default_factory=list)
    reserved: Counter[Pair] = field(default_factory=Counter)
    used: Counter[tuple[str, str, date | int]] = field(default_factory=Counter)

    def owe(self, debtor: str, creditor: str, fen: int, month: int | None = None) -> None:
        if fen:
            self.entries.append(Entry(month or self.today.month, debtor, creditor, fen))

    def room(self, line: Line) -> tuple[int, str]:
        """How many coupons may be issued just now, and what more are refused for."""
        limits = [
            (most - self.used[line.code, window, self._window(window)], "ISSUE_QUOTA_REACHED")
            for window, most in line.quotas
        ]
        key = (line.issuer, line.host)
        left = (line.limit_fen or 0) - self.owed(*key) - self.reserved[key]
        each = line.issue_fee_fen + line.reserved_fen
        return min([*limits, (max(0, left) // each, "FUNDS_TOO_LOW")], key=lambda limit: limit[0])

    def _window(self, window: str) -> date | int:
        """The window of that kind that today is in."""
        windows: dict[str, date | int] = {"DAY": self.today, "MONTH": self.today.month, "ALL": 0}
        return windows[window]

    def issue(self, line: Line, count: int) -> None:
        for _ in range(count):
            self.owe(line.issuer, line.host, line.issue_fee_fen)
        self.reserved[line.issuer, line.host] += count * line.reserved_fen
        for window, _ in line.quotas:
            self.used[line.code, window, self._window(window)] += count

    def redeem(self, line: Line, till_of: str, sign: int = 1) -> None:
        """``sign`` -1 takes it back: the coupon may be used again."""
        other = line.issuer if till_of == line.host else line.host
        self.owe(other, till_of, sign * line.owed_at(till_of))
        self.owe(line.issuer, line.host, sign * line.redeem_fee_fen)
        self.reserved[line.issuer, line.host] -= sign * line.reserved_fen

    def between(self, one: str, other: str, months: Iterable[int]) -> list[int]:
        """What ``one`` came to owe the other in these months, entry by entry."""
        wanted = set(months)
        signs = {(one, other): 1, (other, one): -1}
        return [
            signs[entry.debtor, entry.creditor] * entry.fen
            for entry in self.entries
            if entry.month in wanted and (entry.debtor, entry.creditor) in signs
        ]

    def owed(self, one: str, other: str, until: int = 12) -> int:
        """What ``one`` owes the other after a month."""
        return sum(self.between(one, other, range(1, until + 1)))
