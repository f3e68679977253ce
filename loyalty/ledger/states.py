"""The values that bookkeeping works on: accounts as read, movements to be written, their sums."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from loyalty.ledger.models import AccountKind


class ReturnPolicy(StrEnum):
    """What a reversal may take: only what is still locked (仅冻结部分); what is there (余额为限);
    all of it, and what is missing is owed (可欠)."""

    ONLY_PENDING = "ONLY_PENDING"
    WITHIN_BALANCE = "WITHIN_BALANCE"
    UNLIMITED = "UNLIMITED"


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

    @property
    def keeps_lots(self) -> bool:
        return self.kind == AccountKind.MAIN


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
    reverses_id: UUID | None = None
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


@dataclass(frozen=True, slots=True)
class LotExtended:
    """So much of one free lot of an account that moves to a later one."""

    brand_id: UUID
    account_id: UUID
    from_expires_on: date
    to_expires_on: date
    amount: int


@dataclass(slots=True)
class ReversalDelta:
    """What the book takes back of one earlier transfer of ``amount``."""

    amount: int
    reversed: int = 0


LotPart = tuple[date, int]
"""(expires_on, amount): what is taken from, or comes from, one lot."""


@dataclass(frozen=True, slots=True)
class ReversibleTransfer:
    """A posted transfer of which some or all is to be taken back."""

    id: UUID
    amount: int
    campaign_id: UUID | None


LotKey = tuple[UUID, UUID, date, bool]
"""(brand_id, account_id, expires_on, locked)"""
