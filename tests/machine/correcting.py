"""What is undone afterwards: credits and scans are taken back, spending is given back."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machine.plans import given_back, parts, picks, return_policies
from tests.machine.playing import BrandMachine
from tests.model.records import Credit
from tests.model.reversing import give_back, reverse, reverse_locked, reverse_scan
from tests.model.shopping import Given, return_purchase


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
        members, ladders = self.world.members, self.world.ladders
        return [
            credit
            for credit in self.world.credits
            if credit.asset == "GROWTH" and credit.left and members[credit.member].rank
            if ladders[members[credit.member].role].drops
        ]

    def _spend_nearly_all(self, credit: Credit) -> None:
        wallet = self.world.members[credit.member].wallet
        amount = wallet.spendable(credit.asset, self.world.day_of(self.world.now)) - 1
        if amount > 0:
            self._spend(credit.member, credit.asset, amount)

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

    @precondition(lambda self: self.world.purchases)
    @rule(pick=picks, what=given_back, spent=st.booleans())
    def returns_a_purchase(
        self, pick: int, what: tuple[int | None, Given | None], spent: bool
    ) -> None:
        """One that was rewarded and is not over, if there is one; maybe after most of what it gave
        was spent."""
        purchases = self.world.purchases
        good = [ref for ref, one in purchases.items() if one.terms and not one.over]
        refs = (pick % 7 and good) or list(purchases)
        ref = refs[-1 - pick % len(refs)]
        fen, line = what
        if line is not None and not purchases[ref].lines:
            fen, line = line[2], None
        if spent:
            for credit in [c for c in self.world.credits if c.granted_by == ref]:
                self._spend_nearly_all(credit)
        self._return(ref, f"return {len(self.returned)}", fen, line)

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
