"""What each verb of a book does to accounts, lots and debts, before anything is written."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from loyalty.ledger.models import NEVER_EXPIRES
from loyalty.ledger.rules import Book, Movement
from tests.loyalty.ledger.kept import (
    BRAND,
    CAUSE,
    LATER,
    SOON,
    SPEND,
    TODAY,
    Kept,
    new_account,
    said,
)

# --- credits and debts ------------------------------------------------------------------------


def test_a_credit_fills_the_lot_of_its_date() -> None:
    kept = Kept()
    kept.credit(5, SOON)
    kept.credit(3, LATER)
    kept.credit(2, SOON)
    assert kept.lots() == {SOON: 7, LATER: 3}
    assert (kept.has.balance, kept.issuance.balance, kept.owes.balance) == (10, -10, 0)


def test_a_credit_repays_what_is_owed_and_the_rest_stays() -> None:
    kept = Kept()
    kept.owes.balance = -4
    kept.credit(10)
    assert said(kept.book.movements) == [
        ("EARN", "POSTED", 10, None, SOON),
        ("REPAY", "POSTED", 4, SOON, None),
    ]
    assert (kept.has.balance, kept.owes.balance, kept.lots()) == (6, 0, {SOON: 6})
    kept.credit(1)
    assert len(kept.book.movements) == 3


def test_credits_too_small_repay_one_after_the_other() -> None:
    kept = Kept()
    kept.owes.balance = -5
    kept.credit(3)
    kept.credit(3)
    assert [m.amount for m in kept.book.movements] == [3, 3, 3, 2]
    assert (kept.has.balance, kept.owes.balance, kept.lots()) == (1, 0, {SOON: 1})


def test_what_was_locked_repays_once_it_is_unlocked_and_not_when_it_is_voided() -> None:
    kept = Kept()
    kept.owes.balance = -4
    locked, void = kept.lock(6), kept.lock(9)
    assert (kept.has.locked, kept.lots(locked=True)) == (15, {NEVER_EXPIRES: 15})
    kept.resolve(void, None)
    assert (kept.has.balance, kept.has.locked, kept.owes.balance) == (0, 6, -4)
    kept.resolve(locked, LATER)
    assert (kept.has.balance, kept.has.locked, kept.owes.balance) == (2, 0, 0)
    assert (kept.lots(), kept.lots(locked=True)) == ({LATER: 2}, {})


# --- taking and giving back -------------------------------------------------------------------


def test_taking_back_within_the_balance_takes_what_is_there_and_nothing_is_owed() -> None:
    kept = Kept()
    earned = kept.credit(10)
    kept.spend(7)
    taken = kept.take_back(earned, 10, may_owe=False)
    assert said(taken) == [("REVERSE", "POSTED", 3, SOON, None)]
    assert (kept.has.balance, kept.owes.balance, kept.reversed.balance) == (0, 0, 3)
    assert kept.taken_back() == {earned.id: 3}
    assert {m.reverses_id for m in taken} == {earned.id}


def test_taking_back_without_limit_leaves_a_debt_of_what_is_missing() -> None:
    kept = Kept()
    earned = kept.credit(10)
    kept.spend(7)
    taken = kept.take_back(earned, 10, may_owe=True)
    assert said(taken)[1] == ("OWE", "POSTED", 7, None, None)
    assert (kept.has.balance, kept.owes.balance, kept.reversed.balance) == (0, -7, 10)
    assert kept.taken_back() == {earned.id: 10}
    assert {m.reverses_id for m in taken} == {earned.id}


def test_taking_back_takes_from_the_credits_own_lot_first() -> None:
    kept = Kept()
    kept.credit(10, SOON)
    earned = kept.credit(4, LATER)
    taken = kept.take_back(earned, 4, may_owe=True)
    assert said(taken) == [("REVERSE", "POSTED", 4, LATER, None)]
    assert kept.lots() == {SOON: 10}


def test_what_is_taken_back_in_parts_is_counted_together() -> None:
    kept = Kept()
    earned = kept.credit(10)
    kept.take_back(earned, 4, may_owe=False)
    kept.take_back(earned, 5, may_owe=False)
    assert kept.taken_back() == {earned.id: 9}
    assert [delta.amount for delta in kept.book.reversed.values()] == [10]


def test_taking_nothing_back_counts_nothing() -> None:
    kept = Kept()
    earned = kept.credit(10)
    kept.spend(10)
    assert kept.take_back(earned, 10, may_owe=False) == []
    assert kept.taken_back() == {}


def test_what_was_spent_returns_to_the_lots_that_it_came_from() -> None:
    kept = Kept()
    kept.credit(5, SOON)
    kept.credit(5, LATER)
    first, second = kept.spend(8)
    kept.give_back(second, 2)
    kept.give_back(first, 5)
    assert (kept.lots(), kept.has.balance, kept.spent.balance) == ({SOON: 5, LATER: 4}, 9, 1)
    assert kept.taken_back() == {first.id: 5, second.id: 2}
    # Nothing was granted by it: of ten.
    assert sum(lot.granted for lot in kept.book.lots.values()) == 10


def test_what_is_given_back_repays_what_is_owed() -> None:
    kept = Kept()
    kept.credit(5)
    [spent] = kept.spend(5)
    kept.owes.balance = -3
    kept.give_back(spent, 5)
    assert said(kept.book.movements)[2:] == [
        ("REVERSE", "POSTED", 5, None, SOON),
        ("REPAY", "POSTED", 3, SOON, None),
    ]
    assert (kept.lots(), kept.has.balance, kept.owes.balance) == ({SOON: 2}, 2, 0)


# --- holds ------------------------------------------------------------------------------------


def test_a_hold_empties_its_lots_at_once_and_the_balance_only_when_it_is_captured() -> None:
    kept = Kept()
    kept.credit(5, SOON)
    kept.credit(5, LATER)
    one, other = kept.hold(7)
    assert (kept.lots(), kept.has.balance, kept.has.held) == ({LATER: 3}, 10, 7)
    kept.end(one, post=True)
    assert (kept.lots(), kept.has.balance, kept.has.held) == ({LATER: 3}, 5, 2)
    kept.end(other, post=False)
    assert (kept.lots(), kept.has.balance, kept.has.held) == ({LATER: 5}, 5, 0)
    assert kept.spent.balance == 5
    ends = [(m.phase, m.pending_id) for m in kept.book.movements[-2:]]
    assert ends == [("POST", one.id), ("VOID", other.id)]


# --- expiry by activity -----------------------------------------------------------------------


def test_what_the_book_filled_lives_on_by_what_comes_later() -> None:
    kept = Kept()
    kept.credit(5, SOON)
    kept.book.extend(kept.has, TODAY, LATER)
    kept.credit(2, LATER)
    assert kept.lots() == {LATER: 7}
    [extended] = kept.book.extensions
    assert (extended.from_expires_on, extended.to_expires_on, extended.amount) == (SOON, LATER, 5)


def test_nothing_lives_on_that_is_past_or_lives_longer_or_is_locked_or_anothers() -> None:
    kept = Kept()
    kept.credit(5, TODAY - timedelta(days=1))
    kept.credit(5, NEVER_EXPIRES)
    kept.lock(5)
    other = new_account()
    kept.book.credit(kept.issuance, other, 5, CAUSE, campaign_id=None, expires_on=SOON)
    before = kept.lots()
    kept.book.extend(kept.has, TODAY, LATER)
    assert (kept.lots(), kept.book.extensions) == (before, [])


def test_an_older_activity_shortens_nothing() -> None:
    kept = Kept()
    kept.book.extend(kept.has, TODAY, LATER)
    kept.credit(5, LATER)
    kept.book.extend(kept.has, TODAY, SOON)
    kept.credit(2, SOON)
    assert kept.lots() == {LATER: 5, SOON: 2}


def test_a_lot_found_lives_on_by_all_that_happened_less_what_is_taken_of_it() -> None:
    kept = Kept()
    kept.book.extend(kept.has, TODAY, SOON)
    kept.book.extend(kept.has, TODAY, LATER)
    kept.book.take(kept.has, kept.spent, [(TODAY, 4)], SPEND, CAUSE)
    kept.book.extend_found(BRAND, kept.has.id, TODAY, 10)
    assert kept.lots() == {TODAY: -10, LATER: 6}
    assert [(e.to_expires_on, e.amount) for e in kept.book.extensions] == [(LATER, 6)]


def test_a_lot_found_that_is_spent_whole_leaves_no_extension() -> None:
    kept = Kept()
    kept.book.extend(kept.has, TODAY, LATER)
    kept.book.take(kept.has, kept.spent, [(SOON, 4)], SPEND, CAUSE)
    kept.book.extend_found(BRAND, kept.has.id, SOON, 4)
    assert (kept.lots(), kept.book.extensions) == ({SOON: -4}, [])


# --- any sequence -----------------------------------------------------------------------------


class Player:
    """Plays verbs as far as there is something to play them with."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.locked: list[Movement] = []
        self.held: list[Movement] = []
        self.left: list[tuple[Movement, int]] = []
        """Credits and spends, and what of each may still be taken back."""
        self.verbs: list[Callable[[int], None]] = [
            lambda n: self._remember(self.kept.credit(n, SOON if n % 2 else LATER)),
            lambda n: self.locked.append(self.kept.lock(n)),
            self._unlock,
            self._spend,
            self._hold,
            self._end_hold,
            self._reverse,
            lambda n: self.kept.book.extend(self.kept.has, TODAY, SOON + timedelta(days=n)),
        ]

    def _remember(self, *movements: Movement) -> None:
        self.left += [(movement, movement.amount) for movement in movements]

    def _unlock(self, n: int) -> None:
        if self.locked:
            locked = self.locked.pop(n % len(self.locked))
            resolved = self.kept.resolve(locked, SOON if n % 3 else None)
            if resolved.phase == "POST":
                self._remember(resolved)

    def _spend(self, n: int) -> None:
        if sum(self.kept.lots().values()) >= n:
            self._remember(*self.kept.spend(n))

    def _hold(self, n: int) -> None:
        if sum(self.kept.lots().values()) >= n:
            self.held += self.kept.hold(n)

    def _end_hold(self, n: int) -> None:
        if self.held:
            self.kept.end(self.held.pop(n % len(self.held)), post=n % 2 == 0)

    def _reverse(self, n: int) -> None:
        if not self.left:
            return
        movement, left = self.left.pop(n % len(self.left))
        amount = min(n, left)
        if movement.kind == "SPEND":
            self.kept.give_back(movement, amount)
        else:
            taken = self.kept.take_back(movement, amount, may_owe=n % 2 == 0)
            amount = sum(one.amount for one in taken)
        if left > amount:
            self.left.append((movement, left - amount))


def _balances(book: Book) -> Counter[UUID]:
    """By movements alone."""
    found: Counter[UUID] = Counter()
    for movement in book.movements:
        if movement.phase in ("POSTED", "POST"):
            found[movement.credit.id] += movement.amount
            found[movement.debit.id] -= movement.amount
    return found


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 9)), max_size=40))
def test_whatever_happens_lots_counters_and_movements_say_the_same(
    steps: list[tuple[int, int]],
) -> None:
    player = Player()
    kept, book = player.kept, player.kept.book
    for verb, n in steps:
        player.verbs[verb](n)
    balances = _balances(book)
    for account in (kept.has, kept.owes, kept.issuance, kept.spent, kept.reversed):
        counters = book.accounts.get(account.id)
        assert account.balance == balances[account.id]
        if counters is not None:
            assert counters.credits_posted - counters.debits_posted == account.balance
            assert (counters.credits_pending, counters.debits_pending) == (
                sum(m.amount for m in _open(book) if m.credit is account),
                sum(m.amount for m in _open(book) if m.debit is account),
            )
    assert sum(balances.values()) == 0
    assert kept.owes.balance <= 0 <= kept.has.balance
    assert sum(kept.lots().values()) == kept.has.balance - kept.has.held
    assert sum(kept.lots(locked=True).values()) == kept.has.locked
    assert all(0 <= lot.remaining <= lot.granted for lot in book.lots.values())
    assert all(0 < delta.reversed <= delta.amount for delta in book.reversed.values())


def _open(book: Book) -> list[Movement]:
    """What is pending still."""
    ended = {movement.pending_id for movement in book.movements}
    return [m for m in book.movements if m.phase == "PENDING" and m.id not in ended]
