"""Pure: taking credits back from those who got them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from loyalty.assets.rules import NEVER_EXPIRES
from loyalty.errors import ReversalTooLarge, TransferNotReversible
from loyalty.ledger.models import AccountKind, TransferKind, TransferPhase
from loyalty.ledger.rules import (
    AccountState,
    Book,
    Cause,
    ReturnPolicy,
    ReversibleTransfer,
    plan_return,
)

AccountsByKey = dict[tuple[UUID, UUID, str], AccountState]
"""By (brand_id, owner_id, asset)."""

BudgetKey = tuple[UUID, UUID, str]
"""(brand_id, campaign_id, asset)"""

MERGE = "MERGE"


@dataclass(frozen=True, slots=True)
class Credited:
    """A credit of a member's account. ``reversed`` of its ``amount`` was taken back already.

    ``id`` is its transfer: one that posted it, or, ``is_pending``, the one that still waits.
    ``cause_id`` is the event that booked it; ``granted_by_id`` the one that granted it: another
    one where it was locked meanwhile. ``expires_on`` is the lot that it went into.
    """

    brand_id: UUID
    id: UUID
    member_id: UUID
    asset: str
    amount: int
    kind: str
    campaign_id: UUID | None
    cause_kind: str
    cause_id: UUID
    granted_by_id: UUID
    expires_on: date | None
    is_pending: bool
    reversed: int = 0

    @property
    def left(self) -> int:
        """What may still be taken back."""
        return self.amount - self.reversed


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much of a posted credit is to be taken back; never more than is left of it. ``member_id``
    is who has it by now, when not who got it (members that were merged)."""

    credit: Credited
    amount: int
    policy: ReturnPolicy
    member_id: UUID | None = None

    @property
    def account_key(self) -> tuple[UUID, UUID, str]:
        member_id = self.member_id or self.credit.member_id
        return (self.credit.brand_id, member_id, self.credit.asset)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of a credit that was to be taken back: ``taken`` from lots, ``owed`` by the
    member from now on, and ``left`` with the member."""

    credit: Credited
    taken: int
    owed: int
    left: int

    @property
    def transfer_id(self) -> UUID:
        return self.credit.id


class Side(StrEnum):
    """What a reversible transfer was to its member: it came, it went to the brand, it went to
    another member, or its time was over."""

    CREDIT = "CREDIT"
    SPEND = "SPEND"
    MOVE = "MOVE"
    EXPIRY = "EXPIRY"


_SIDES = {
    ("EARN", "ISSUANCE", "MAIN"): Side.CREDIT,
    ("ADJUST", "ISSUANCE", "MAIN"): Side.CREDIT,
    ("ADJUST", "MAIN", "REVERSED"): Side.SPEND,
    ("SPEND", "MAIN", "SPENT"): Side.SPEND,
    ("SPEND", "MAIN", "FEES"): Side.SPEND,
    ("SPEND", "MAIN", "ISSUANCE"): Side.SPEND,  # as it was before there was a book for it
    ("MOVE", "MAIN", "MAIN"): Side.MOVE,
    ("EXPIRE", "MAIN", "EXPIRED"): Side.EXPIRY,
}
"""By kind, and the kinds of the accounts debited and credited."""


@dataclass(frozen=True, slots=True)
class Found:
    """Any transfer with the kinds and owners of its accounts; of a pending one that has ended, what
    ended it. ``reversed`` of its ``amount`` was taken back already."""

    brand_id: UUID
    id: UUID
    kind: str
    phase: str
    debit_kind: str
    credit_kind: str
    asset: str
    amount: int
    campaign_id: UUID | None
    cause_kind: str
    cause_id: UUID
    occurred_at: datetime
    debit_owner_id: UUID
    credit_owner_id: UUID
    debit_expires_on: date | None
    credit_expires_on: date | None
    reversed: int

    @property
    def left(self) -> int:
        """What may still be taken back."""
        return self.amount - self.reversed

    @property
    def member_id(self) -> UUID:
        """Who has it, of one that ``side_of`` lets pass, or had it: of a move who got it."""
        is_credit = self.credit_kind == AccountKind.MAIN
        return self.credit_owner_id if is_credit else self.debit_owner_id

    @property
    def member_ids(self) -> tuple[UUID, ...]:
        """All whose accounts its reversal changes: of a move first who got it, then who gave it."""
        is_move = self.kind == TransferKind.MOVE
        return (self.member_id, self.debit_owner_id) if is_move else (self.member_id,)

    def as_credited(self) -> Credited:
        """Of a CREDIT or a MOVE: as ``take_back`` wants it."""
        return Credited(
            self.brand_id,
            self.id,
            self.credit_owner_id,
            self.asset,
            self.amount,
            self.kind,
            self.campaign_id,
            self.cause_kind,
            self.cause_id,
            self.cause_id,
            self.credit_expires_on,
            False,
            self.reversed,
        )


def side_of(found: Found) -> Side:
    """Refuses TransferNotReversible: what takes back, repays or settles is itself no more to be
    taken back, nor is what a merge moved; and it must be posted: what waits is voided, what is held
    is let go."""
    side = _SIDES.get((found.kind, found.debit_kind, found.credit_kind))
    if side is None or found.cause_kind == MERGE:
        raise TransferNotReversible(reason="KIND")
    if found.phase == TransferPhase.VOID:
        raise TransferNotReversible(reason="VOIDED")
    if found.phase == TransferPhase.PENDING:
        raise TransferNotReversible(reason="LOCKED_REWARD" if side is Side.CREDIT else "HELD")
    return side


@dataclass(frozen=True, slots=True)
class MoveParties:
    """Accounts behind a move that is given back: who has it by now, with its free ``lots`` and what
    it owes; who gave it; and the brand's book of what is taken back."""

    holder: AccountState
    lots: dict[date, int]
    owed: AccountState
    giver: AccountState
    reversed_book: AccountState


def check_left(found: Found, amount: int | None) -> int:
    """How much is to be taken back: the amount, or all that is left. Refuses ReversalTooLarge."""
    wanted = found.left if amount is None else amount
    if wanted > found.left or not found.left:
        raise ReversalTooLarge(left=found.left, wanted=wanted or found.amount)
    return wanted


def fold_back(
    book: Book,
    wanted: Iterable[Wanted],
    lots: dict[UUID, dict[date, int]],
    has: AccountsByKey,
    owes: AccountsByKey,
    reversed_books: AccountsByKey,
    cause: Cause,
    on: date,
) -> list[TakenBack]:
    """Take credits back one after the other, so that none takes what an earlier one took: in their
    order, a result each. ``lots`` are free lots by account, lowered as they are taken from; who
    begins to owe is added to ``owes``."""
    return [_take_one(book, want, lots, has, owes, reversed_books, cause, on) for want in wanted]


def _take_one(
    book: Book,
    want: Wanted,
    lots: dict[UUID, dict[date, int]],
    has: AccountsByKey,
    owes: AccountsByKey,
    reversed_books: AccountsByKey,
    cause: Cause,
    on: date,
) -> TakenBack:
    credit, key = want.credit, want.account_key
    if credit.is_pending:
        raise ValueError("what is pending is voided, not taken back")
    counted = book.reversed.get((credit.brand_id, credit.id))
    amount = min(want.amount, credit.left - (counted.reversed if counted else 0))
    if amount <= 0 or want.policy is ReturnPolicy.ONLY_PENDING:
        return TakenBack(credit, 0, 0, max(amount, 0))
    # Everything may be merged away, and the other had none of this asset.
    account = account_of(book, has, key)
    free = lots.setdefault(account.id, {})
    parts = plan_return(free.items(), amount, on, credit.expires_on or NEVER_EXPIRES)
    for expires_on, part in parts:
        free[expires_on] -= part
    taken = sum(part for _, part in parts)
    owed = amount - taken if want.policy is ReturnPolicy.UNLIMITED else 0
    if owed:
        account_of(book, owes, key, AccountKind.RECEIVABLE)
    if taken or owed:
        book.take_back(
            account,
            reversed_books[credit.brand_id, credit.brand_id, credit.asset],
            parts,
            cause,
            reverses=ReversibleTransfer(credit.id, credit.amount, credit.campaign_id),
            owed=owes.get(key),
            shortfall=owed,
        )
    return TakenBack(credit, taken, owed, amount - taken - owed)


def account_of(
    book: Book,
    accounts: AccountsByKey,
    key: tuple[UUID, UUID, str],
    kind: AccountKind = AccountKind.MAIN,
) -> AccountState:
    """An account of these, opened in memory if it is not there."""
    account = accounts.get(key)
    if account is None:
        brand_id, member_id, asset = key
        account = accounts[key] = AccountState(
            brand_id, book.new_id(), member_id, asset, kind=kind.value, is_new=True
        )
    return account


def move_back(
    book: Book,
    found: Found,
    amount: int,
    policy: ReturnPolicy,
    parties: MoveParties,
    cause: Cause,
    on: date,
) -> TakenBack:
    """Give a move back from who has it to who gave it, into the lot it came from. Of what is short
    nothing comes back; under UNLIMITED the brand pays it, and who had it owes it."""
    credit = found.as_credited()
    if policy is ReturnPolicy.ONLY_PENDING:
        return TakenBack(credit, 0, 0, amount)
    reverses = ReversibleTransfer(found.id, found.amount, None)
    date_of = found.credit_expires_on or NEVER_EXPIRES
    parts = plan_return(parties.lots.items(), amount, on, date_of)
    taken = sum(part for _, part in parts)
    owed = amount - taken if policy is ReturnPolicy.UNLIMITED else 0
    came_from = found.debit_expires_on or NEVER_EXPIRES
    book.move_back(parties.holder, parties.giver, parts, came_from, cause, reverses=reverses)
    if owed:
        book.owe(parties.owed, parties.reversed_book, owed, cause)
        book.give_back(
            parties.reversed_book, parties.giver, (came_from, owed), cause, reverses=reverses
        )
    return TakenBack(credit, taken, owed, amount - taken - owed)


def returned_to_campaigns(taken: Iterable[TakenBack]) -> dict[BudgetKey, int]:
    """What goes back to campaigns' budgets: all that was taken or is owed of their credits."""
    returned: dict[BudgetKey, int] = {}
    for one in taken:
        credit = one.credit
        if credit.campaign_id is not None and one.taken + one.owed:
            key = (credit.brand_id, credit.campaign_id, credit.asset)
            returned[key] = returned.get(key, 0) + one.taken + one.owed
    return returned
