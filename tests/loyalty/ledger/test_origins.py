"""What is left of a balance is of the credits that made it, whatever was done in between."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loyalty.ledger.models import NEVER_EXPIRES, TransferKind, TransferPhase
from loyalty.ledger.origins import LotMovement, LotProlonged, Tracing, UnspentCredit
from loyalty.ledger.rules import AccountState, Book, Cause, Movement, ReversibleTransfer

AT = datetime(2026, 11, 9, tzinfo=UTC)
SOON, LATE = date(2026, 11, 30), date(2026, 12, 31)
DATES = (SOON, LATE, NEVER_EXPIRES)
ANN, BOB, BRAND = UUID(int=1), UUID(int=2), UUID(int=3)
SPEND, PENDING = TransferKind.SPEND, TransferPhase.PENDING


@dataclass
class Ledger:
    """Two members' accounts kept by the engine's own book, an act after the other."""

    count: int = 100
    left: Counter[tuple[UUID, date, bool]] = field(default_factory=Counter)
    movements: list[LotMovement] = field(default_factory=list)
    prolonged: list[LotProlonged] = field(default_factory=list)

    def new_id(self) -> UUID:
        self.count += 1
        return UUID(int=self.count)

    def account(self, id: UUID) -> AccountState:
        return AccountState(BRAND, id, id, "POINTS", kind="MAIN")

    @property
    def book_of_brand(self) -> AccountState:
        return AccountState(BRAND, BRAND, BRAND, "POINTS", kind="ISSUANCE", is_brand=True)

    def act(self, keep: Callable[[Book], object]) -> list[LotMovement]:
        book = Book(self.new_id)
        keep(book)
        for (_, account_id, expires_on, locked), delta in book.lots.items():
            self.left[account_id, expires_on, locked] += delta.remaining
            assert self.left[account_id, expires_on, locked] >= 0
        made = [lot_movement(movement) for movement in book.movements]
        self.movements += made
        return made

    def cause(self) -> Cause:
        return Cause("OPERATOR", self.new_id(), "OPERATOR", BRAND, "because", AT)

    def earn(self, account_id: UUID, expires_on: date, amount: int) -> LotMovement:
        account = self.account(account_id)
        (made,) = self.act(
            lambda book: book.credit(
                self.book_of_brand,
                account,
                amount,
                self.cause(),
                campaign_id=None,
                expires_on=expires_on,
            )
        )
        return made

    def take(
        self, account_id: UUID, expires_on: date, amount: int, kind: TransferKind = SPEND
    ) -> LotMovement:
        parts = [(expires_on, amount)]
        (made,) = self.act(
            lambda book: book.take(
                self.account(account_id), self.book_of_brand, parts, kind, self.cause()
            )
        )
        return made

    def trace(self, account_id: UUID) -> list[UnspentCredit]:
        return Tracing({ANN, BOB}).fold(self.movements, self.prolonged).unspent(account_id)

    def unspent(self, account_id: UUID = ANN) -> dict[UUID, int]:
        found: Counter[UUID] = Counter()
        for part in self.trace(account_id):
            found[part.credit.id] += part.amount
        return dict(found)


def lot_movement(movement: Movement) -> LotMovement:
    return LotMovement(
        movement.id,
        movement.phase,
        movement.kind,
        movement.amount,
        movement.debit.id,
        movement.credit.id,
        movement.debit_expires_on,
        movement.credit_expires_on,
        movement.pending_id,
        movement.reverses_id,
        movement.cause.kind,
        movement.cause.id,
        None,
        movement.cause.reason,
        AT,
        AT,
    )


def test_the_oldest_credit_of_a_lot_is_spent_first() -> None:
    ledger = Ledger()
    old, new = ledger.earn(ANN, SOON, 5), ledger.earn(ANN, SOON, 5)
    other = ledger.earn(ANN, LATE, 5)
    ledger.take(ANN, SOON, 7)
    assert ledger.unspent() == {new.id: 3, other.id: 5}
    assert old.id not in ledger.unspent()
    ledger.take(ANN, SOON, 3, TransferKind.EXPIRE)
    assert ledger.unspent() == {other.id: 5}


def test_lots_are_told_soonest_expiry_first_and_locked_ones_last() -> None:
    ledger = Ledger()
    for expires_on in reversed(DATES):
        ledger.earn(ANN, expires_on, 5)
    account = ledger.account(ANN)
    ledger.act(
        lambda book: book.lock(ledger.book_of_brand, account, 2, ledger.cause(), campaign_id=None)
    )
    told = [(part.expires_on, part.locked) for part in ledger.trace(ANN)]
    assert told == [*((day, False) for day in DATES), (NEVER_EXPIRES, True)]


def test_what_was_locked_is_told_by_what_granted_it() -> None:
    ledger = Ledger()
    account = ledger.account(ANN)
    (granted,) = ledger.act(
        lambda book: book.lock(ledger.book_of_brand, account, 4, ledger.cause(), campaign_id=None)
    )
    (pending,) = ledger.trace(ANN)
    assert (pending.locked, pending.amount, pending.cause) == (True, 4, granted)
    (posted,) = ledger.act(
        lambda book: book.resolve(
            ledger.book_of_brand,
            account,
            4,
            ledger.cause(),
            pending_id=granted.id,
            campaign_id=None,
            expires_on=SOON,
        )
    )
    (part,) = ledger.trace(ANN)
    assert (part.locked, part.expires_on, part.credit.id) == (False, SOON, posted.id)
    assert part.cause == part.granted == granted


def test_of_two_locked_credits_the_one_that_was_resolved_is_gone() -> None:
    ledger = Ledger()
    account = ledger.account(ANN)

    def lock(book: Book) -> None:
        for _ in range(2):
            book.lock(ledger.book_of_brand, account, 4, ledger.cause(), campaign_id=None)

    first, second = ledger.act(lock)
    ledger.act(
        lambda book: book.resolve(
            ledger.book_of_brand,
            account,
            4,
            ledger.cause(),
            pending_id=second.id,
            campaign_id=None,
            expires_on=None,
        )
    )
    assert ledger.unspent() == {first.id: 4}


def test_what_is_given_back_is_of_the_credits_it_was_taken_from() -> None:
    ledger = Ledger()
    old, new = ledger.earn(ANN, SOON, 5), ledger.earn(ANN, SOON, 5)
    spent = ledger.take(ANN, SOON, 7)
    newest = ledger.earn(ANN, SOON, 1)
    reversal = ReversibleTransfer(spent.id, 7, None)
    account = ledger.account(ANN)
    ledger.act(
        lambda book: book.give_back(
            ledger.book_of_brand, account, (SOON, 4), ledger.cause(), reverses=reversal
        )
    )
    assert ledger.unspent() == {old.id: 2, new.id: 5, newest.id: 1}


def test_a_credit_that_is_taken_back_is_taken_from_itself() -> None:
    ledger = Ledger()
    old, new = ledger.earn(ANN, SOON, 5), ledger.earn(ANN, SOON, 5)
    account = ledger.account(ANN)
    ledger.act(
        lambda book: book.take_back(
            account,
            ledger.book_of_brand,
            [(SOON, 5)],
            ledger.cause(),
            reverses=ReversibleTransfer(new.id, 5, None),
        )
    )
    assert ledger.unspent() == {old.id: 5}


def test_a_move_keeps_the_credits_and_says_that_it_brought_them() -> None:
    ledger = Ledger()
    earned = ledger.earn(ANN, SOON, 5)
    accounts = ledger.account(ANN), ledger.account(BOB)
    (moved,) = ledger.act(lambda book: book.move(*accounts, [(SOON, 3)], ledger.cause()))
    assert ledger.unspent(ANN) == {earned.id: 2}
    (part,) = ledger.trace(BOB)
    assert (part.credit, part.moved, part.amount) == (earned, moved, 3)
    (alone,) = Tracing({BOB}).fold(ledger.movements).unspent(BOB)
    assert (alone.credit, alone.amount) == (moved, 3), "the other account is not known"


def test_what_was_told_out_of_order_adds_up_all_the_same() -> None:
    """Of two transactions that met, the one that waited may have the earlier id."""
    ledger = Ledger()
    earned, more = ledger.earn(ANN, SOON, 5), ledger.earn(ANN, SOON, 5)
    spent = ledger.take(ANN, SOON, 7)
    accounts = ledger.account(ANN), ledger.account(BOB)
    (moved,) = ledger.act(lambda book: book.move(*accounts, [(SOON, 1)], ledger.cause()))
    early = [UUID(int=n) for n in range(10, 14)]
    swapped = dict(zip((spent.id, moved.id, earned.id, more.id), early, strict=True))
    parts = (
        Tracing({ANN, BOB})
        .fold([changed(each, id=swapped[each.id]) for each in ledger.movements])
        .unspent(ANN)
    )
    assert sum(part.amount for part in parts) == 2


def changed(movement: LotMovement, *, id: UUID) -> LotMovement:
    values = {name: getattr(movement, name) for name in LotMovement.__slots__}
    return LotMovement(**{**values, "id": id})


class Play(RuleBasedStateMachine):
    """Anything that may happen to two accounts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.credits: dict[UUID, int] = {}
        self.spends: list[tuple[LotMovement, int]] = []
        self.held: list[LotMovement] = []
        self.locked: list[LotMovement] = []

    accounts = st.sampled_from([ANN, BOB])
    dates = st.sampled_from(DATES)
    amounts = st.integers(1, 9)
    picks = st.integers(0, 99)

    def _some(self, account_id: UUID, expires_on: date, amount: int) -> int:
        return min(amount, self.ledger.left[account_id, expires_on, False])

    @rule(account_id=accounts, expires_on=dates, amount=amounts)
    def earns(self, account_id: UUID, expires_on: date, amount: int) -> None:
        self.credits[self.ledger.earn(account_id, expires_on, amount).id] = amount

    @rule(account_id=accounts, expires_on=dates, amount=amounts, hold=st.booleans())
    def spends_or_holds(self, account_id: UUID, expires_on: date, amount: int, hold: bool) -> None:
        part = self._some(account_id, expires_on, amount)
        if not part:
            return
        if not hold:
            self.spends.append((self.ledger.take(account_id, expires_on, part), part))
            return
        self.held += self.ledger.act(
            lambda book: book.take(
                self.ledger.account(account_id),
                self.ledger.book_of_brand,
                [(expires_on, part)],
                SPEND,
                self.ledger.cause(),
                phase=PENDING,
            )
        )

    @precondition(lambda self: self.held)
    @rule(pick=picks, post=st.booleans())
    def ends_a_hold(self, pick: int, post: bool) -> None:
        held = self.held.pop(pick % len(self.held))
        (ended,) = self.ledger.act(
            lambda book: book.settle_taken(
                self.ledger.account(held.debit_account_id),
                self.ledger.book_of_brand,
                (held.debit_expires_on or NEVER_EXPIRES, held.amount),
                SPEND,
                self.ledger.cause(),
                pending_id=held.id,
                post=post,
            )
        )
        if post:
            self.spends.append((ended, ended.amount))

    @precondition(lambda self: self.spends)
    @rule(pick=picks, amount=amounts)
    def reverses_a_spend(self, pick: int, amount: int) -> None:
        spent, left = self.spends.pop(pick % len(self.spends))
        part = min(left, amount)
        if part < left:
            self.spends.append((spent, left - part))
        self.ledger.act(
            lambda book: book.give_back(
                self.ledger.book_of_brand,
                self.ledger.account(spent.debit_account_id),
                (spent.debit_expires_on or NEVER_EXPIRES, part),
                self.ledger.cause(),
                reverses=ReversibleTransfer(spent.id, spent.amount, None),
            )
        )

    @rule(expires_on=dates, amount=amounts, to_bob=st.booleans())
    def moves(self, expires_on: date, amount: int, to_bob: bool) -> None:
        source, target = (ANN, BOB) if to_bob else (BOB, ANN)
        part = self._some(source, expires_on, amount)
        if part:
            accounts = self.ledger.account(source), self.ledger.account(target)
            parts = [(expires_on, part)]
            self.ledger.act(lambda book: book.move(*accounts, parts, self.ledger.cause()))

    @rule(account_id=accounts, amount=amounts)
    def prolongs(self, account_id: UUID, amount: int) -> None:
        part = self._some(account_id, SOON, amount)
        if part:
            self.ledger.left[account_id, SOON, False] -= part
            self.ledger.left[account_id, LATE, False] += part
            id = self.ledger.new_id()
            self.ledger.prolonged.append(LotProlonged(id, account_id, SOON, LATE, part))

    @rule(account_id=accounts, amount=amounts)
    def locks(self, account_id: UUID, amount: int) -> None:
        self.locked += self.ledger.act(
            lambda book: book.lock(
                self.ledger.book_of_brand,
                self.ledger.account(account_id),
                amount,
                self.ledger.cause(),
                campaign_id=None,
            )
        )
        self.credits[self.locked[-1].id] = amount

    @precondition(lambda self: self.locked)
    @rule(pick=picks, expires_on=st.sampled_from([*DATES, None]))
    def unlocks_or_voids(self, pick: int, expires_on: date | None) -> None:
        pending = self.locked.pop(pick % len(self.locked))
        (resolved,) = self.ledger.act(
            lambda book: book.resolve(
                self.ledger.book_of_brand,
                self.ledger.account(pending.credit_account_id),
                pending.amount,
                self.ledger.cause(),
                pending_id=pending.id,
                campaign_id=None,
                expires_on=expires_on,
            )
        )
        self.credits[resolved.id] = pending.amount

    @invariant()
    def each_lot_is_explained_to_the_unit_by_credits_that_there_were(self) -> None:
        used: Counter[UUID] = Counter()
        for account_id in (ANN, BOB):
            explained: Counter[tuple[UUID, date, bool]] = Counter()
            for part in self.ledger.trace(account_id):
                explained[account_id, part.expires_on, part.locked] += part.amount
                used[part.credit.id] += part.amount
            left = {k: n for k, n in self.ledger.left.items() if n and k[0] == account_id}
            assert dict(explained) == left
        assert used.keys() <= self.credits.keys()
        assert all(amount <= self.credits[id] for id, amount in used.items())


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=60, stateful_step_count=30)
