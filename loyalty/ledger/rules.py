"""Pure bookkeeping: what a movement does to accounts and lots. No I/O, no clock, no session.

A ``Book`` gathers the movements of one transaction. It only adds up; the service writes the sums
by set and the database's guards have the last word.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from loyalty.ledger.models import NEVER_EXPIRES, Asset, TransferPhase

POINTS = Asset.POINTS.value


@dataclass(slots=True)
class AccountState:
    """An account as read under lock, moved on by the book's movements."""

    brand_id: UUID
    id: UUID
    owner_id: UUID
    asset: str
    balance: int = 0
    locked: int = 0
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
        movement = Movement(
            account.brand_id,
            self.new_id(),
            issuance,
            account,
            amount,
            TransferPhase.POSTED.value,
            "EARN",
            cause,
            campaign_id,
            credit_expires_on=expires_on if keeps_lots else None,
        )
        self.movements.append(movement)
        self._delta(issuance).debits_posted += amount
        self._delta(account).credits_posted += amount
        issuance.balance -= amount
        account.balance += amount
        if keeps_lots:
            lot = self._lot(account, expires_on, False)
            lot.granted += amount
            lot.remaining += amount
        return movement

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
        movement = Movement(
            account.brand_id,
            self.new_id(),
            issuance,
            account,
            amount,
            TransferPhase.PENDING.value,
            "EARN",
            cause,
            campaign_id,
        )
        self.movements.append(movement)
        self._delta(issuance).debits_pending += amount
        self._delta(account).credits_pending += amount
        account.locked += amount
        if account.asset == POINTS:
            lot = self._lot(account, NEVER_EXPIRES, True)
            lot.granted += amount
            lot.remaining += amount
        return movement

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
        posts = expires_on is not None
        keeps_lots = account.asset == POINTS
        movement = Movement(
            account.brand_id,
            self.new_id(),
            issuance,
            account,
            amount,
            (TransferPhase.POST if posts else TransferPhase.VOID).value,
            "EARN",
            cause,
            campaign_id,
            pending_id=pending_id,
            credit_expires_on=expires_on if keeps_lots else None,
        )
        self.movements.append(movement)
        issued, received = self._delta(issuance), self._delta(account)
        issued.debits_pending -= amount
        received.credits_pending -= amount
        account.locked -= amount
        if keeps_lots:
            self._lot(account, NEVER_EXPIRES, True).remaining -= amount
        if expires_on is not None:
            issued.debits_posted += amount
            received.credits_posted += amount
            issuance.balance -= amount
            account.balance += amount
            if keeps_lots:
                lot = self._lot(account, expires_on, False)
                lot.granted += amount
                lot.remaining += amount
        return movement

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
            movement = Movement(
                source.brand_id,
                self.new_id(),
                source,
                target,
                amount,
                TransferPhase.POSTED.value,
                "MOVE",
                cause,
                None,
                debit_expires_on=expires_on,
                credit_expires_on=expires_on,
            )
            self.movements.append(movement)
            self._delta(source).debits_posted += amount
            self._delta(target).credits_posted += amount
            source.balance -= amount
            target.balance += amount
            if expires_on is not None:
                self._lot(source, expires_on, False).remaining -= amount
                lot = self._lot(target, expires_on, False)
                lot.granted += amount
                lot.remaining += amount
            moved.append(movement)
        return moved


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
