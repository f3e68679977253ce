"""Pure bookkeeping: what a movement does to accounts and lots. No I/O, no clock, no session.

A ``Book`` gathers the movements of one transaction. It only adds up; the service writes the sums
by set and the database's guards have the last word.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from loyalty.ledger.models import NEVER_EXPIRES, AccountKind, Asset, TransferPhase

POINTS = Asset.POINTS.value


@dataclass(slots=True)
class AccountState:
    """An account as read under lock, moved on by the book's movements. ``locked`` are pending
    credits, ``held`` pending debits."""

    brand_id: UUID
    id: UUID
    owner_id: UUID
    asset: str
    balance: int = 0
    locked: int = 0
    kind: str = AccountKind.MAIN.value
    held: int = 0
    is_new: bool = False
    is_brand: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something moved: an event and who did it."""

    kind: str
    id: UUID
    actor_kind: str
    actor_id: UUID
    reason: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Movement:
    """One transfer to be written; fields as in ``loyalty.ledger.models.Transfer``."""

    brand_id: UUID
    id: UUID
    debit: AccountState
    credit: AccountState
    amount: int
    phase: str
    kind: str
    cause: Cause
    campaign_id: UUID | None
    pending_id: UUID | None = None
    debit_expires_on: date | None = None
    credit_expires_on: date | None = None


@dataclass(slots=True)
class AccountDelta:
    """What the book adds to an account's four counters."""

    account: AccountState
    credits_posted: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    debits_pending: int = 0


@dataclass(slots=True)
class LotDelta:
    granted: int = 0
    remaining: int = 0


LotKey = tuple[UUID, UUID, date, bool]
"""(brand_id, account_id, expires_on, locked)"""


@dataclass(slots=True)
class Book:
    """The movements of one transaction and their sums by account and lot."""

    new_id: Callable[[], UUID]
    movements: list[Movement] = field(default_factory=list)
    accounts: dict[UUID, AccountDelta] = field(default_factory=dict)
    lots: dict[LotKey, LotDelta] = field(default_factory=dict)

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

    def credit(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        campaign_id: UUID | None,
        expires_on: date,
    ) -> Movement:
        """Issue ``amount`` to a member at once. Points go into the free lot of their date."""
        keeps_lots = account.asset == POINTS
        if keeps_lots:
            self._fill(account, expires_on, amount, locked=False)
        return self._note(
            issuance,
            account,
            amount,
            TransferPhase.POSTED,
            "EARN",
            cause,
            campaign_id=campaign_id,
            credit_expires_on=expires_on if keeps_lots else None,
        )

    def lock(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        campaign_id: UUID,
    ) -> Movement:
        """Grant ``amount`` pending. Its lot is locked, without date: the clock starts at unlock."""
        if account.asset == POINTS:
            self._fill(account, NEVER_EXPIRES, amount, locked=True)
        return self._note(
            issuance, account, amount, TransferPhase.PENDING, "EARN", cause, campaign_id=campaign_id
        )

    def resolve(
        self,
        issuance: AccountState,
        account: AccountState,
        amount: int,
        cause: Cause,
        *,
        pending_id: UUID,
        campaign_id: UUID,
        expires_on: date | None,
    ) -> Movement:
        """Post a pending credit (``expires_on`` dates its points), or void it (None)."""
        keeps_lots = account.asset == POINTS
        if keeps_lots:
            self._lot(account, NEVER_EXPIRES, True).remaining -= amount
            if expires_on is not None:
                self._fill(account, expires_on, amount, locked=False)
        return self._note(
            issuance,
            account,
            amount,
            TransferPhase.VOID if expires_on is None else TransferPhase.POST,
            "EARN",
            cause,
            campaign_id=campaign_id,
            pending_id=pending_id,
            credit_expires_on=expires_on if keeps_lots else None,
        )

    def move(
        self,
        source: AccountState,
        target: AccountState,
        parts: Iterable[tuple[date | None, int]],
        cause: Cause,
    ) -> list[Movement]:
        """Move value between two members, one transfer a lot, keeping each lot's date.

        ``parts`` is (expires_on, amount) as ``plan_spend`` gives it; (None, amount) for assets
        without lots.
        """
        moved = []
        for expires_on, amount in parts:
            if expires_on is not None:
                self._lot(source, expires_on, False).remaining -= amount
                self._fill(target, expires_on, amount, locked=False)
            moved.append(
                self._note(
                    source,
                    target,
                    amount,
                    TransferPhase.POSTED,
                    "MOVE",
                    cause,
                    debit_expires_on=expires_on,
                    credit_expires_on=expires_on,
                )
            )
        return moved

    def spend(
        self,
        account: AccountState,
        issuance: AccountState,
        parts: Iterable[tuple[date | None, int]],
        cause: Cause,
    ) -> list[Movement]:
        """Give value back to the brand that issued it, one transfer a lot; ``parts`` as in
        ``move``."""
        spent = []
        for expires_on, amount in parts:
            if expires_on is not None:
                self._lot(account, expires_on, False).remaining -= amount
            spent.append(
                self._note(
                    account,
                    issuance,
                    amount,
                    TransferPhase.POSTED,
                    "SPEND",
                    cause,
                    debit_expires_on=expires_on,
                )
            )
        return spent

    # --- between accounts that keep no lots -----------------------------------------------------

    def post(
        self, debit: AccountState, credit: AccountState, amount: int, kind: str, cause: Cause
    ) -> Movement:
        """Move ``amount`` at once, from accounts without lots."""
        return self._note(debit, credit, amount, TransferPhase.POSTED, kind, cause)

    def pend(
        self, debit: AccountState, credit: AccountState, amount: int, kind: str, cause: Cause
    ) -> Movement:
        """Hold ``amount`` of the debited account for the credited one (two-phase)."""
        return self._note(debit, credit, amount, TransferPhase.PENDING, kind, cause)

    def settle(
        self,
        debit: AccountState,
        credit: AccountState,
        amount: int,
        kind: str,
        cause: Cause,
        *,
        pending_id: UUID,
        post: bool,
    ) -> Movement:
        """Post what ``pend`` held, or void it: the whole of it, once."""
        phase = TransferPhase.POST if post else TransferPhase.VOID
        return self._note(debit, credit, amount, phase, kind, cause, pending_id=pending_id)


_PENDING_SIGN = {
    TransferPhase.POSTED: 0,
    TransferPhase.PENDING: 1,
    TransferPhase.POST: -1,
    TransferPhase.VOID: -1,
}


def plan_spend(
    lots: Iterable[tuple[date, int]], amount: int, on: date
) -> list[tuple[date, int]] | None:
    """Which lots pay ``amount`` on a day: soonest expiry first, never-expiring last.

    ``lots`` is (expires_on, remaining) of free lots. Lots past their date pay nothing, swept or
    not. None when they do not suffice.
    """
    plan = []
    wanted = amount
    for expires_on, remaining in sorted(lots):
        if expires_on < on or remaining == 0:
            continue
        part = min(remaining, wanted)
        plan.append((expires_on, part))
        wanted -= part
        if wanted == 0:
            return plan
    return None


def spendable(lots: Iterable[tuple[date, int]], on: date) -> int:
    """Free lots not past their date."""
    return sum(remaining for expires_on, remaining in lots if expires_on >= on)


def expiry_date(earned_on: date, valid_months: int | None) -> date:
    """The last day a credit is good: the same day ``valid_months`` later, or that month's last."""
    if valid_months is None:
        return NEVER_EXPIRES
    month_index = earned_on.year * 12 + earned_on.month - 1 + valid_months
    year, month = divmod(month_index, 12)
    return date(year, month + 1, min(earned_on.day, monthrange(year, month + 1)[1]))
