"""What is undone afterwards: credits and scans are taken back, spending is given back."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.machine.plans import parts, picks, return_policies
from tests.machine.playing import BrandMachine
from tests.model.records import Credit
from tests.model.reversing import give_back, reverse, reverse_locked, reverse_scan


class CorrectingMachine(BrandMachine):
    """One brand, and the second thoughts of its operators."""

    @precondition(lambda self: self.world.credits)
    @rule(pick=picks, amount=parts, policy=return_policies, spent=st.booleans())
    def reverses_a_credit(self, pick: int, amount: int | None, policy: str, spent: bool) -> None:
        """Maybe after most of it was spent."""
        credits = self.world.credits
        credit = credits[-1 - pick % len(credits)]
        if spent:
            self._spend_nearly_all(credit)
        key = (credit.member, credit.asset, credit.cause, credit.granted_by)
        self._both(
            f"{amount or 'all'} taken back of {credit} as {policy}",
            lambda: self.engine.reverse(key, amount, policy),
            lambda: reverse(self.world, credit, amount, policy),
        )

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
