"""What is undone afterwards: credits and scans are taken back, spending is given back."""

from itertools import permutations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machine.plans import given_back, lines_of, parts, picks, return_policies
from tests.machine.playing import BrandMachine
from tests.model.merging import merge
from tests.model.records import Credit
from tests.model.reversing import give_back, reverse, reverse_locked, reverse_scan
from tests.model.shopping import Given, return_purchase
from tests.model.wallets import ASSETS, Ladder

GROUND = Ladder([(0, 100)])


class CorrectingMachine(BrandMachine):
    """One brand, and the second thoughts of its operators."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: list[tuple[str, str, int | None, Given | None]] = []

    @precondition(lambda self: self.world.credits)
    @rule(pick=picks, amount=parts, policy=return_policies, spent=st.booleans())
    def reverses_a_credit(self, pick: int, amount: int | None, policy: str, spent: bool) -> None:
        """Maybe after most of it was spent."""
        credits = self.world.credits
        credit = credits[-1 - pick % len(credits)]
        if spent:
            self._spend_nearly_all(credit)
        self._reverse(credit, amount, policy)

    def _reverse(self, credit: Credit, amount: int | None, policy: str) -> None:
        key = (credit.member, credit.asset, credit.cause, credit.granted_by)
        self._both(
            f"{amount or 'all'} taken back of {credit} as {policy}",
            lambda: self.engine.reverse(key, amount, policy),
            lambda: reverse(self.world, credit, amount, policy),
        )

    @precondition(lambda self: self._lifting())
    @rule(pick=picks)
    def takes_a_level_back(self, pick: int) -> None:
        """With the growth that has led to it."""
        lifting = self._lifting()
        self._reverse(lifting[pick % len(lifting)], None, "WITHIN_BALANCE")

    def _lifting(self) -> list[Credit]:
        """Growth of members on levels that drop."""
        found = []
        for credit in self.world.credits:
            member = self.world.holder(credit.member)
            falls = member.rank and self.world.ladders[member.role].drops
            if credit.asset == "GROWTH" and credit.left and falls:
                found.append(credit)
        return found

    def _spend_nearly_all(self, credit: Credit) -> None:
        name = self.world.holder(credit.member).name
        amount = self._spendable(name, credit.asset) - 1
        if amount > 0:
            self._spend(name, credit.asset, amount)

    @precondition(lambda self: self.world.waiting)
    @rule(pick=picks)
    def reverses_what_still_waits(self, pick: int) -> None:
        waiting = self.world.waiting[pick % len(self.world.waiting)]
        key = (waiting.member, waiting.asset, waiting.granted_by, waiting.granted_by)
        self._both(
            f"{waiting} taken back",
            lambda: self.engine.reverse_locked(key),
            lambda: reverse_locked(self.world, waiting),
        )

    @precondition(lambda self: self.world.spendings)
    @rule(pick=picks, amount=parts)
    def reverses_a_spending(self, pick: int, amount: int | None) -> None:
        spendings = self.world.spendings
        spending = spendings[-1 - pick % len(spendings)]
        self._both(
            f"{amount or 'all'} given back of {spending}",
            lambda: self.engine.give_back((spending.number, spending.day), amount),
            lambda: give_back(self.world, spending, amount),
        )

    @precondition(lambda self: self.world.scans)
    @rule(pick=picks, paid=st.sampled_from([True, True, True, False]), spent=st.booleans())
    def reverses_a_scan(self, pick: int, paid: bool, spent: bool) -> None:
        """One that paid, if there is one; maybe after most of what it gave was spent."""
        scans = list(self.world.scans.values())
        scans = [s for s in scans if s.role == "CONSUMER" and not s.unpaid and paid] or scans
        name = scans[-1 - pick % len(scans)].name
        if spent:
            for credit in [c for c in self.world.credits if c.granted_by == name]:
                self._spend_nearly_all(credit)
        self._both(
            f"{name} taken back",
            lambda: self.engine.reverse_scan(name),
            lambda: reverse_scan(self.world, name),
        )

    @rule(pick=picks, what=given_back, spent=st.booleans(), again=st.none() | st.booleans())
    def returns_a_purchase(
        self, pick: int, what: tuple[int | None, Given | None], spent: bool, again: bool | None
    ) -> None:
        """One that was rewarded and is not over, mostly; maybe after most of what it gave was
        spent. Maybe it is told again, in the same words or in others."""
        purchases = self.world.purchases
        good = [ref for ref, one in purchases.items() if one.terms and not one.over]
        if not good:
            self.buys([("rex", 0, (1_300, lines_of(1_300, 3)))])
        refs = (pick % 5 and good) or list(purchases)
        ref = refs[-1 - pick % len(refs)]
        fen, line = what
        if line is not None and not purchases[ref].lines:
            fen, line = line[2], None
        if spent:
            for credit in [c for c in self.world.credits if c.granted_by == ref]:
                self._spend_nearly_all(credit)
        return_ref = f"return {len(self.returned)}"
        self._return(ref, return_ref, fen, line)
        if again is not None:
            self._return(ref, return_ref, fen if again else 7, line if again else None)

    @precondition(lambda self: self.returned)
    @rule(pick=picks, more_fen=st.sampled_from([None, None, 1]))
    def reports_a_return_again(self, pick: int, more_fen: int | None) -> None:
        ref, return_ref, fen, line = self.returned[pick % len(self.returned)]
        self._return(ref, return_ref, more_fen or fen, None if more_fen else line)

    def _return(self, ref: str, return_ref: str, fen: int | None, line: Given | None) -> None:
        self.returned.append((ref, return_ref, fen, line))
        self._both(
            f"{line or fen or 'all'} of {ref} given back by {return_ref}",
            lambda: self.engine.return_purchase(ref, return_ref, fen, line),
            lambda: return_purchase(self.world, ref, return_ref, fen, line),
        )

    @precondition(lambda self: self._pairs())
    @rule(pick=picks, owing=st.booleans())
    def merges_two_of_a_role(self, pick: int, owing: bool) -> None:
        """Of which one owes what the other has, if that is wanted and can be had."""
        pairs = self._pairs()
        if owing and not any(self._settles(*pair) for pair in pairs):
            self._runs_into_debt(pairs)
        pairs = [pair for pair in pairs if owing and self._settles(*pair)] or pairs
        self._merge(*pairs[pick % len(pairs)])

    def _pairs(self) -> list[tuple[str, str]]:
        return [
            pair for role in ("GUIDE", "CONSUMER") for pair in permutations(self._open(role), 2)
        ]

    def _runs_into_debt(self, pairs: list[tuple[str, str]]) -> None:
        """One of a pair spends what it was given before it is taken back, and the other has some
        of it."""
        for credit in self.world.credits:
            name = self.world.holder(credit.member).name
            friends = [other for source, other in pairs if source == name]
            had = [other for other in friends if self._spendable(other, credit.asset)]
            if had and credit.left > 1 and not self.world.members[name].frozen:
                self._spend_nearly_all(credit)
                self._reverse(credit, None, "UNLIMITED")
                return

    def _settles(self, source: str, target: str) -> bool:
        one, other = (self.world.members[name].wallet for name in (source, target))
        return any(
            (one.owed[asset] and self._spendable(target, asset))
            or (other.owed[asset] and self._spendable(source, asset))
            for asset in ASSETS
        )

    @precondition(lambda self: self._growing())
    @rule(pick=picks)
    def merges_two_for_a_level(self, pick: int) -> None:
        """The ladder is published anew for it: its next level is what both have grown together."""
        growing = self._growing()
        source, target = growing[pick % len(growing)]
        one, other = self.world.members[source], self.world.members[target]
        ladder = self.world.ladders.get(one.role, GROUND)
        known = ladder.levels[: max(one.rank, other.rank) + 1]
        together = self._spendable(source, "GROWTH") + other.wallet.balance("GROWTH")
        level = (max(together, known[-1][0] + 1), 150)
        self._publish_ladder(one.role, Ladder([*known, level], ladder.drops), allow_lowering=True)
        self._merge(source, target)

    def _growing(self) -> list[tuple[str, str]]:
        """Pairs of a role that both have grown, owe nothing of it, and are not frozen."""

        def grows(name: str) -> bool:
            member = self.world.members[name]
            owes = member.wallet.owed["GROWTH"]
            return bool(self._spendable(name, "GROWTH") and not owes and not member.frozen)

        return [pair for pair in self._pairs() if all(map(grows, pair))]

    def _spendable(self, name: str, asset: str) -> int:
        wallet = self.world.members[name].wallet
        return wallet.spendable(asset, self.world.day_of(self.world.now))

    def _open(self, role: str) -> list[str]:
        members = self.world.members.values()
        return sorted(m.name for m in members if m.role == role and not m.merged_into)

    @precondition(lambda self: self.world.members)
    @rule(one=picks, other=picks)
    def merges_any_two(self, one: int, other: int) -> None:
        self._merge(self._member(one), self._member(other))

    @precondition(lambda self: self._open("GUIDE") and self._open("CONSUMER"))
    @rule(guide=picks, consumer=picks, guide_goes=st.booleans())
    def merges_across_roles(self, guide: int, consumer: int, guide_goes: bool) -> None:
        """Nobody may, in either direction."""
        guides, consumers = self._open("GUIDE"), self._open("CONSUMER")
        pair = (guides[guide % len(guides)], consumers[consumer % len(consumers)])
        self._merge(*(pair if guide_goes else pair[::-1]))

    def _merge(self, source: str, target: str) -> None:
        self._both(
            f"{source} merged into {target}",
            lambda: self.engine.merge(source, target),
            lambda: merge(self.world, source, target),
        )
