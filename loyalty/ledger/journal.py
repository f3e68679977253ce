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
    LotExtended,
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
    free_dates: dict[UUID, list[date]] = field(default_factory=dict)
    """Of which free lots of an account there are sums."""
    activity: dict[tuple[UUID, UUID], list[tuple[date, date]]] = field(default_factory=dict)
    """What made lots of an account (brand_id, id) live on, in order: each time those good on the
    first day, until the second."""
    extensions: list[LotExtended] = field(default_factory=list)

    def _delta(self, account: AccountState) -> AccountDelta:
        delta = self.accounts.get(account.id)
        if delta is None:
            delta = self.accounts[account.id] = AccountDelta(account)
        return delta

    def _lot(self, account: AccountState, expires_on: date, locked: bool) -> LotDelta:
        return self._lot_of((account.brand_id, account.id, expires_on, locked))

    def _lot_of(self, key: LotKey) -> LotDelta:
        lot = self.lots.get(key)
        if lot is None:
            lot = self.lots[key] = LotDelta()
            if not key[3]:
                self.free_dates.setdefault(key[1], []).append(key[2])
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

    def extend(self, account: AccountState, today: date, until: date) -> None:
        """The asset's expiry goes by activity, and there was some: lots good on a day live on,
        those that the book filled at once, the others (``extend_found``) when it is written."""
        brand_id, account_id = account.brand_id, account.id
        self.activity.setdefault((brand_id, account_id), []).append((today, until))
        for expires_on in sorted(self.free_dates.get(account_id, ())):
            key = (brand_id, account_id, expires_on, False)
            if today <= expires_on < until and self.lots[key].remaining > 0:
                self._live_on(key, until, self.lots[key].remaining)

    def extend_found(self, brand_id: UUID, account_id: UUID, expires_on: date, amount: int) -> None:
        """``extend`` a lot that was there before, of so much, less what the book takes of it."""
        until = expires_on
        for today, later in self.activity[(brand_id, account_id)]:
            if today <= until < later:
                until = later
        key = (brand_id, account_id, expires_on, False)
        left = amount + min(0, self.lots[key].remaining if key in self.lots else 0)
        if until > expires_on and left > 0:
            self._live_on(key, until, left)

    def prolong(self, account: AccountState, expires_on: date, until: date, amount: int) -> None:
        """So much of one lot lives on until a later day."""
        self._live_on((account.brand_id, account.id, expires_on, False), until, amount)

    def _live_on(self, key: LotKey, until: date, amount: int) -> None:
        self._lot_of(key).remaining -= amount
        later = self._lot_of((key[0], key[1], until, False))
        later.granted += amount
        later.remaining += amount
        self.extensions.append(LotExtended(key[0], key[1], key[2], until, amount))
