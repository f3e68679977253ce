"""What is given for an event, to whom, and how often."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class Terms:
    """One published version. ``gives`` is (beneficiary, asset, amount), ``caps`` is (subject,
    window, times), ``returns`` is (beneficiary, policy), ``waits`` is what of the consumer's waits
    for so many of its next scans, for so many days at most: (asset, scans, days); for a purchase
    the amount is per whole unit of currency."""

    code: str
    event: str
    gives: tuple[tuple[str, str, int], ...]
    gated: bool = False
    priority: int = 0
    product: int | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    caps: tuple[tuple[str, str, int], ...] = ()
    budgets: tuple[tuple[str, int], ...] = ()
    returns: tuple[tuple[str, str], ...] = ()
    waits: tuple[tuple[str, int, int | None], ...] = ()

    def return_policy(self, role: str) -> str:
        """What may be taken back of what a role got."""
        return dict(self.returns).get(role, "WITHIN_BALANCE")

    def wait(self, role: str, asset: str) -> tuple[int, int | None] | None:
        """How many scans something waits for, and how many days."""
        found = [(n, days) for name, n, days in self.waits if (role, name) == ("CONSUMER", asset)]
        return found[0] if found else None

    def cost(self, asset: str) -> int:
        """Of one event, if everybody gets something."""
        return sum(amount for _, given, amount in self.gives if given == asset)

    def open_at(self, at: datetime) -> bool:
        if self.opens_at is not None and at < self.opens_at:
            return False
        return self.closes_at is None or at < self.closes_at


@dataclass
class Campaign:
    """What outlives versions: budgets by asset as [allowed, spent, reserved], and the count of
    paid events by (subject, who, day or None)."""

    terms: Terms
    budgets: dict[str, list[int]] = field(default_factory=dict)
    counts: Counter[tuple[str, str, date | None]] = field(default_factory=Counter)

    def left(self, asset: str) -> int | None:
        if asset not in self.budgets:
            return None
        allowed, spent, reserved = self.budgets[asset]
        return allowed - spent - reserved

    def affords(self, gifts: list[tuple[str, int]]) -> bool:
        """Whether all the (asset, amount) together fit into what is left."""
        total: Counter[str] = Counter()
        for asset, amount in gifts:
            total[asset] += amount
        for asset, amount in total.items():
            left = self.left(asset)
            if left is not None and amount > left:
                return False
        return True

    def book(self, asset: str, spent: int, reserved: int) -> None:
        if asset in self.budgets:
            self.budgets[asset][1] += spent
            self.budgets[asset][2] += reserved

    def _slots(
        self, terms: Terms, who: dict[str, str | None], today: date
    ) -> list[tuple[tuple[str, str, date | None], int]]:
        found = []
        for subject, window, times in terms.caps:
            name = who.get(subject)
            if name is not None:
                found.append(((subject, name, today if window == "DAY" else None), times))
        return found

    def allows(self, who: dict[str, str | None], today: date) -> bool:
        return all(self.counts[slot] < times for slot, times in self._slots(self.terms, who, today))

    def count(self, who: dict[str, str | None], today: date) -> None:
        for slot, _ in self._slots(self.terms, who, today):
            self.counts[slot] += 1

    def uncount(self, terms: Terms, who: dict[str, str | None], day: date) -> None:
        """What was counted by these terms did not happen."""
        for slot, _ in self._slots(terms, who, day):
            self.counts[slot] -= 1
