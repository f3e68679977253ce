"""Verbs of the ledger: write a book, move points between members.

Locking order within a transaction: member accounts by (brand, id) first; the brand's issuance
accounts last, as sums, so that the hottest rows are held for the shortest time.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from loyalty.actor import Actor
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, StatementMismatch, Tx
from loyalty.errors import InsufficientBalance, InvalidInput, SameAccount
from loyalty.ids import new_id
from loyalty.ledger import queries
from loyalty.ledger.models import Account, AccountKind, Asset
from loyalty.ledger.rules import (
    AccountDelta,
    AccountState,
    Book,
    Cause,
    Movement,
    plan_spend,
    spendable,
)
from loyalty.text import checked_text

AMOUNT_MAX = 10**15
REASON_LENGTH_MAX = 500


async def lock_member_accounts(
    tx: Tx, owners: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID, str], AccountState]:
    """The accounts of (brand_id, member_id) pairs by (brand_id, member_id, asset), locked."""
    found = await queries.lock_accounts(tx, owners)
    return {(account.brand_id, account.owner_id, account.asset): account for account in found}


async def lock_place_accounts(
    tx: Tx, places: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], AccountState]:
    """The rebate accounts of (brand_id, place_id) pairs, locked."""
    found = await queries.lock_accounts(tx, places)
    return {(account.brand_id, account.owner_id): account for account in found}


async def issuance_accounts(
    tx: Tx, brand_ids: Iterable[UUID]
) -> dict[tuple[UUID, UUID, str], AccountState]:
    """The brand's own issuing accounts, by (brand_id, brand_id, asset)."""
    found = await queries.find_books(tx, brand_ids, AccountKind.ISSUANCE)
    return {(account.brand_id, account.owner_id, account.asset): account for account in found}


async def payout_accounts(tx: Tx, brand_ids: Iterable[UUID]) -> dict[UUID, AccountState]:
    """Where cash goes that leaves the house, by brand."""
    found = await queries.find_books(tx, brand_ids, AccountKind.PAYOUT)
    return {account.brand_id: account for account in found}


async def open_place_account(tx: Tx, brand_id: UUID, place_id: UUID) -> None:
    """Make a new place's rebate account. It may go below zero: a redemption may be reversed after
    its rebate was paid out."""
    await tx.add(
        Account(
            brand_id=brand_id,
            owner_id=place_id,
            asset=Asset.CASH.value,
            kind=AccountKind.PLACE.value,
            overdraft_allowed=True,
            created_at=tx.now,
        )
    )


async def open_brand_books(tx: Tx, brand_id: UUID) -> None:
    """Make a new brand's issuance accounts, one an asset, which may go below zero; and its account
    for payouts."""
    await tx.add(
        Account(
            brand_id=brand_id,
            owner_id=brand_id,
            asset=Asset.CASH.value,
            kind=AccountKind.PAYOUT.value,
            created_at=tx.now,
        )
    )
    for asset in Asset:
        await tx.add(
            Account(
                brand_id=brand_id,
                owner_id=brand_id,
                asset=asset.value,
                kind=AccountKind.ISSUANCE.value,
                overdraft_allowed=True,
                created_at=tx.now,
            )
        )


async def write_members_side(tx: Tx, book: Book) -> None:
    """Write transfers, member accounts and lots. Call ``write_brands_side`` last of all."""
    await _insert_accounts(tx, [d for d in book.accounts.values() if d.account.is_new])
    await _move_accounts(
        tx,
        [d for d in book.accounts.values() if not d.account.is_new and not d.account.is_brand],
    )
    await _write_lots(tx, book)
    if book.movements:
        await tx.fetch(
            queries.INSERT_TRANSFERS,
            rows=[queries.transfer_row(movement, tx.now) for movement in book.movements],
        )


async def write_brands_side(tx: Tx, book: Book) -> None:
    """Write the brand's own accounts: the hottest rows, so the last statement before commit."""
    await _move_accounts(tx, [d for d in book.accounts.values() if d.account.is_brand])


def _account_key(delta: AccountDelta) -> tuple[UUID, UUID, str]:
    return (delta.account.brand_id, delta.account.owner_id, delta.account.asset)


async def _insert_accounts(tx: Tx, deltas: Sequence[AccountDelta]) -> None:
    if not deltas:
        return
    # In the order of the key that two processes may both want, not of our new ids.
    rows = [
        (
            delta.account.brand_id,
            delta.account.id,
            delta.account.owner_id,
            delta.account.asset,
            delta.account.kind,
            False,
            delta.credits_posted,
            delta.debits_posted,
            delta.credits_pending,
            delta.debits_pending,
            tx.now,
        )
        for delta in sorted(deltas, key=_account_key)
    ]
    if len(await tx.fetch(queries.INSERT_ACCOUNTS, rows=rows)) != len(rows):
        raise RetryTransaction  # another process opened one of these accounts first


async def _move_accounts(tx: Tx, deltas: Sequence[AccountDelta]) -> None:
    if not deltas:
        return
    rows = sorted(
        (
            delta.account.brand_id,
            delta.account.id,
            delta.credits_posted,
            delta.debits_posted,
            delta.credits_pending,
            delta.debits_pending,
        )
        for delta in deltas
    )
    if len(await tx.fetch(queries.MOVE_ACCOUNTS, moved=rows)) != len(rows):
        raise StatementMismatch("an account would be overdrawn, or is gone")


async def _write_lots(tx: Tx, book: Book) -> None:
    rows = [(*key, lot.granted, lot.remaining) for key, lot in sorted(book.lots.items())]
    taken = [row for row in rows if row[5] < 0]
    added = [row for row in rows if row[5] >= 0]
    if taken and len(await tx.fetch(queries.TAKE_FROM_LOTS, taken=taken)) != len(taken):
        raise StatementMismatch("a lot would go below zero")
    if added:
        await tx.fetch(queries.ADD_TO_LOTS, rows=added)


async def move_balance(
    tx: Tx,
    actor: Actor,
    *,
    from_member_id: UUID,
    to_member_id: UUID,
    asset: Asset,
    amount: int,
    reason: str,
    timezone: str,
    command_id: UUID,
) -> list[Movement]:
    """Move spendable value from one member to another of the brand, soonest expiry first.

    Refuses InsufficientBalance, SameAccount and InvalidInput. The members are known to exist;
    dates of lots are kept, so that nobody's points live longer by being moved.
    """
    if from_member_id == to_member_id:
        raise SameAccount()
    if not 0 < amount <= AMOUNT_MAX:
        raise InvalidInput(field="amount", problem=f"a whole number from 1 to {AMOUNT_MAX}")
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    brand_id = actor.brand_id
    accounts = await lock_member_accounts(
        tx, [(brand_id, from_member_id), (brand_id, to_member_id)]
    )
    source = accounts.get((brand_id, from_member_id, asset.value))
    if source is None:
        raise InsufficientBalance(available=0, wanted=amount)
    target = accounts.get((brand_id, to_member_id, asset.value)) or AccountState(
        brand_id, new_id(), to_member_id, asset.value, is_new=True
    )
    parts = await spend_parts(tx, source, amount, local_date(tx.now, timezone))
    cause = Cause("OPERATOR", command_id, actor.kind.value, actor.id, reason, tx.now)
    book = Book(new_id)
    moved = book.move(source, target, parts, cause)
    await write_members_side(tx, book)
    return moved


async def spend_parts(
    tx: Tx, source: AccountState, amount: int, on: date
) -> list[tuple[date | None, int]]:
    """Which lots of an account that the caller has locked pay ``amount`` on a local day, as
    ``Book.move`` and ``Book.spend`` want them; InsufficientBalance when they do not suffice."""
    if source.asset != Asset.POINTS.value:
        if source.balance < amount:
            raise InsufficientBalance(available=source.balance, wanted=amount)
        return [(None, amount)]
    # The account row is locked, and lots change only under that lock.
    lots = await queries.list_free_lots(tx, source.brand_id, source.id)
    plan = plan_spend(lots, amount, on)
    if plan is None:
        raise InsufficientBalance(available=spendable(lots, on), wanted=amount)
    return [(expires_on, part) for expires_on, part in plan]
