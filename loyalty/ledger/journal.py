"""Adding up: each movement, and what its phase does to counters and lots."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from loyalty.ledger.models import TransferPhase
from loyalty.ledger.states import (
    AccountDelta,
    AccountState,
    Cause,
    LotDelta,
    LotKey,
    Movement,
    ReversalDelta,
)

_PENDING_SIGN = {
    TransferPhase.POSTED: 0,
    TransferPhase.PENDING: 1,
    TransferPhase.POST: -1,
    TransferPhase.VOID: -1,
}


@dataclass(slots=True)
class Journal:
    """The movements of one transaction and their sums by account and lot."""

    new_id: Callable[[], UUID]
    movements: list[Movement] = field(default_factory=list)
    accounts: dict[UUID, AccountDelta] = field(default_factory=dict)
    lots: dict[LotKey, LotDelta] = field(default_factory=dict)
    reversed: dict[tuple[UUID, UUID], ReversalDelta] = field(default_factory=dict)
    extended: dict[tuple[UUID, UUID], tuple[date, date]] = field(default_factory=dict)
    """Accounts (brand_id, id) of which lots good on the first day are good until the second."""

    def _delta(self, account: AccountState) -> AccountDelta:
        delta = self.accounts.get(account.id)
        if delta is None:
            delta = self.accounts[account.id] = AccountDelta(account)
        return delta

    def _lot(self, account: AccountState, expires_on: date, locked: bool) -> LotDelta:
        key = (account.brand_id, account.id, expires_on, locked)
        lot = self.lots.get(key)
        if lot is None:
            lot = self.lots[key] = LotDelta()
        return lot

    def _note(
        self,
        debit: AccountState,
        credit: AccountState,
        amount: int,
        phase: TransferPhase,
        kind: str,
        cause: Cause,
        *,
        campaign_id: UUID | None = None,
        pending_id: UUID | None = None,
        reverses_id: UUID | None = None,
        debit_expires_on: date | None = None,
        credit_expires_on: date | None = None,
    ) -> Movement:
        """Add one movement, and what its phase does to both accounts' counters."""
        movement = Movement(
            credit.brand_id,
            self.new_id(),
            debit,
            credit,
            amount,
            phase.value,
            kind,
            cause,
            campaign_id,
            pending_id,
            reverses_id,
            debit_expires_on,
            credit_expires_on,
        )
        self.movements.append(movement)
        gave, got = self._delta(debit), self._delta(credit)
        if phase in (TransferPhase.POSTED, TransferPhase.POST):
            gave.debits_posted += amount
            got.credits_posted += amount
            debit.balance -= amount
            credit.balance += amount
        pending = _PENDING_SIGN[phase] * amount
        if pending:
            gave.debits_pending += pending
            got.credits_pending += pending
            debit.held += pending
            credit.locked += pending
        return movement

    def _fill(self, account: AccountState, expires_on: date, amount: int, *, locked: bool) -> None:
        lot = self._lot(account, expires_on, locked)
        lot.granted += amount
        lot.remaining += amount

    def extend_lot(self, key: LotKey, remaining: int, until: date) -> int:
        """Move to the date ``until`` what is left of a lot of ``remaining``, less what this book
        takes of it or more that it adds; how much of what was there before."""
        delta = self.lots.get(key)
        amount = remaining + (min(0, delta.remaining) if delta is not None else 0)
        if amount > 0:
            self.lots.setdefault(key, LotDelta()).remaining -= amount
            later = self.lots.setdefault((*key[:2], until, False), LotDelta())
            later.granted += amount
            later.remaining += amount
        return max(amount, 0)
