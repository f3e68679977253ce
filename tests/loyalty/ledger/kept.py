"""A member's and a brand's accounts in memory, with the verbs of a book done to them."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind, TransferKind, TransferPhase
from loyalty.ledger.rules import (
    AccountState,
    Book,
    Cause,
    LotPart,
    Movement,
    ReversibleTransfer,
    plan_return,
    plan_spend,
)

TODAY = date(2026, 11, 9)
SOON, LATER = date(2026, 12, 31), date(2027, 12, 31)
BRAND, MEMBER = new_id(), new_id()
CAUSE = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "a reason", datetime.now(UTC))
SPEND = TransferKind.SPEND


def new_account(kind: AccountKind = AccountKind.MAIN, owner_id: UUID = MEMBER) -> AccountState:
    return AccountState(BRAND, new_id(), owner_id, "POINTS", kind=kind.value)


@dataclass
class Kept:
    """A member's accounts, new and empty, the brand's, and one book."""

    book: Book = field(default_factory=lambda: Book(new_id))
    has: AccountState = field(default_factory=new_account)
    owes: AccountState = field(default_factory=lambda: new_account(AccountKind.RECEIVABLE))
    issuance: AccountState = field(default_factory=lambda: new_account(AccountKind.ISSUANCE, BRAND))
    spent: AccountState = field(default_factory=lambda: new_account(AccountKind.SPENT, BRAND))
    reversed: AccountState = field(default_factory=lambda: new_account(AccountKind.REVERSED, BRAND))

    def credit(self, amount: int, expires_on: date = SOON) -> Movement:
        return self.book.credit(
            self.issuance,
            self.has,
            amount,
            CAUSE,
            campaign_id=None,
            expires_on=expires_on,
            owed=self.owes,
        )

    def lock(self, amount: int) -> Movement:
        return self.book.lock(self.issuance, self.has, amount, CAUSE, campaign_id=None)

    def resolve(self, locked: Movement, expires_on: date | None) -> Movement:
        return self.book.resolve(
            self.issuance,
            self.has,
            locked.amount,
            CAUSE,
            pending_id=locked.id,
            campaign_id=None,
            expires_on=expires_on,
            owed=self.owes,
        )

    def spend(self, amount: int) -> list[Movement]:
        return self.book.spend(self.has, self.spent, self.plan(amount), CAUSE)

    def hold(self, amount: int) -> list[Movement]:
        return self.book.take(
            self.has, self.spent, self.plan(amount), SPEND, CAUSE, phase=TransferPhase.PENDING
        )

    def end(self, held: Movement, *, post: bool) -> Movement:
        assert held.debit_expires_on is not None
        part = (held.debit_expires_on, held.amount)
        return self.book.settle_taken(
            self.has, self.spent, part, SPEND, CAUSE, pending_id=held.id, post=post
        )

    def give_back(self, spent: Movement, amount: int) -> Movement:
        assert spent.debit_expires_on is not None
        return self.book.give_back(
            self.spent,
            self.has,
            (spent.debit_expires_on, amount),
            CAUSE,
            reverses=reversible(spent),
            owed=self.owes,
        )

    def take_back(self, earned: Movement, amount: int, *, may_owe: bool) -> list[Movement]:
        parts = plan_return(self.lots().items(), amount, TODAY, earned.credit_expires_on)
        there = sum(part for _, part in parts)
        return self.book.take_back(
            self.has,
            self.reversed,
            parts,
            CAUSE,
            reverses=reversible(earned),
            owed=self.owes,
            shortfall=amount - there if may_owe else 0,
        )

    def plan(self, amount: int) -> list[LotPart]:
        plan = plan_spend(self.lots().items(), amount, TODAY)
        assert plan is not None, "the test spends more than there is"
        return plan

    def lots(self, *, locked: bool = False) -> dict[date, int]:
        """What the book leaves in the member's lots."""
        return {
            key[2]: lot.remaining
            for key, lot in self.book.lots.items()
            if key[3] is locked and lot.remaining
        }

    def taken_back(self) -> dict[UUID, int]:
        return {key[1]: delta.reversed for key, delta in self.book.reversed.items()}


def reversible(movement: Movement) -> ReversibleTransfer:
    return ReversibleTransfer(movement.id, movement.amount, movement.campaign_id)


def said(movements: list[Movement]) -> list[tuple[str, str, int, date | None, date | None]]:
    return [(m.kind, m.phase, m.amount, m.debit_expires_on, m.credit_expires_on) for m in movements]
