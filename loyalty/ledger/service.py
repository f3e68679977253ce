"""Verbs of the ledger: lock accounts, write a book.

Locking order within a transaction: member accounts by (brand, id) first; the brand's issuance
accounts last, as sums, so that the hottest rows are held for the shortest time.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from uuid import UUID

from loyalty.assets.rules import expiry_from_json
from loyalty.assets.service import open_assets, require_asset
from loyalty.db import StatementMismatch, Tx
from loyalty.errors import InsufficientBalance, InvalidInput
from loyalty.ids import new_id
from loyalty.ledger import queries
from loyalty.ledger.models import Account, AccountKind, Asset, TransferKind, TransferPhase
from loyalty.ledger.rules import (
    AccountDelta,
    AccountState,
    Book,
    Cause,
    LotPart,
    Movement,
    plan_spend,
    spendable,
)
from loyalty.members.service import require_unmerged

AMOUNT_MAX = 10**15
REASON_LENGTH_MAX = 500


AccountsByKey = dict[tuple[UUID, UUID, str], AccountState]
"""By (brand_id, owner_id, asset)."""

BRAND_BOOKS = (
    AccountKind.ISSUANCE,
    AccountKind.SPENT,
    AccountKind.EXPIRED,
    AccountKind.REVERSED,
    AccountKind.FEES,
    AccountKind.CLEARING,
)


async def lock_accounts_and_debts(
    tx: Tx,
    owners: Iterable[tuple[UUID, UUID]],
    *,
    new_owners: Collection[tuple[UUID, UUID]] = (),
    closed_owners: Collection[tuple[UUID, UUID]] = (),
) -> tuple[AccountsByKey, AccountsByKey]:
    """What (brand_id, member_id) pairs have and what they owe (RECEIVABLE, below zero), locked.

    Nobody is merged into another member meanwhile: who has no account yet is locked by its own
    row, unless it is one of ``new_owners``, made in this very transaction. Refuses MemberClosed
    where one was merged before, but for ``closed_owners``: of these the caller knows.
    """
    has: AccountsByKey = {}
    owes: AccountsByKey = {}
    without = set(owners)
    for account in await queries.lock_accounts(tx, without, closed_owners):
        side = owes if account.kind == AccountKind.RECEIVABLE else has
        side[(account.brand_id, account.owner_id, account.asset)] = account
        without.discard((account.brand_id, account.owner_id))
    await require_unmerged(tx, without.difference(new_owners, closed_owners))
    return has, owes


async def lock_member_accounts(tx: Tx, owners: Iterable[tuple[UUID, UUID]]) -> AccountsByKey:
    """What (brand_id, member_id) pairs have, locked."""
    return (await lock_accounts_and_debts(tx, owners))[0]


async def close_accounts(tx: Tx, owner: tuple[UUID, UUID]) -> None:
    """Let nothing come to a (brand_id, member_id) any more; its accounts are locked."""
    await tx.fetch(queries.CLOSE_ACCOUNTS, now=tx.now, brand_id=owner[0], owner_id=owner[1])


async def lock_place_accounts(
    tx: Tx, places: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], AccountState]:
    """The rebate accounts of (brand_id, place_id) pairs, locked."""
    found = await queries.lock_accounts(tx, places)
    return {(account.brand_id, account.owner_id): account for account in found}


async def issuance_accounts(tx: Tx, brand_ids: Iterable[UUID]) -> AccountsByKey:
    """The brand's own issuing accounts, by (brand_id, brand_id, asset)."""
    return await brand_books(tx, brand_ids, AccountKind.ISSUANCE)


async def brand_books(tx: Tx, brand_ids: Iterable[UUID], kind: AccountKind) -> AccountsByKey:
    """The brands' own books of one kind, by (brand_id, brand_id, asset): found, not locked."""
    found = await queries.find_books(tx, brand_ids, kind)
    return {(account.brand_id, account.owner_id, account.asset): account for account in found}


async def payout_accounts(tx: Tx, brand_ids: Iterable[UUID]) -> dict[UUID, AccountState]:
    """Where cash goes that leaves the house, by brand."""
    found = await queries.find_books(tx, brand_ids, AccountKind.PAYOUT)
    return {account.brand_id: account for account in found}


async def open_place_account(tx: Tx, brand_id: UUID, place_id: UUID) -> None:
    """Make a new place's rebate account. It may go below zero: a redemption may be reversed after
    its rebate was paid out."""
    await _open_account(tx, brand_id, place_id, Asset.CASH.value, AccountKind.PLACE, overdraft=True)


async def open_brand_books(tx: Tx, brand_id: UUID, points_valid_months: int | None = 24) -> None:
    """Make a new brand's four assets and its books of each, and those for payouts and tax. Points
    are good for so many months, None for ever."""
    await open_assets(tx, brand_id, points_valid_months)
    for asset in Asset:
        await open_books(tx, brand_id, asset.value)
    for kind in (AccountKind.PAYOUT, AccountKind.TAX):
        await _open_account(tx, brand_id, brand_id, Asset.CASH.value, kind)


async def open_books(tx: Tx, brand_id: UUID, asset: str) -> None:
    """Make the brand's own books of one new asset. Issuance may go below zero, and clearing."""
    for kind in BRAND_BOOKS:
        overdraft = kind in (AccountKind.ISSUANCE, AccountKind.CLEARING)
        await _open_account(tx, brand_id, brand_id, asset, kind, overdraft=overdraft)


async def open_partner_account(tx: Tx, brand_id: UUID, partner_id: UUID) -> UUID:
    """The account of what a brand owes another one in cash, made unless it is there: its id."""
    return await queries.open_partner_account(tx, brand_id, partner_id)


def partner_account(brand_id: UUID, id: UUID, partner_id: UUID) -> AccountState:
    """The account that ``open_partner_account`` made, for a book. It is written with the brands'
    side."""
    kind, cash = AccountKind.PARTNER.value, Asset.CASH.value
    return AccountState(brand_id, id, partner_id, cash, kind=kind, is_brand=True)


async def _open_account(
    tx: Tx,
    brand_id: UUID,
    owner_id: UUID,
    asset: str,
    kind: AccountKind,
    *,
    overdraft: bool = False,
) -> None:
    await tx.add(
        Account(
            brand_id=brand_id,
            owner_id=owner_id,
            asset=asset,
            kind=kind.value,
            overdraft_allowed=overdraft,
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
    await _write_reversals(tx, book)
    await _extend_lots(tx, book)
    await _write_lots(tx, book)
    if book.movements:
        await tx.write(
            queries.INSERT_TRANSFERS,
            rows=[queries.transfer_row(movement, tx.now) for movement in book.movements],
        )


async def write_brands_side(tx: Tx, book: Book) -> None:
    """Write the brand's own accounts: the hottest rows, so the last statement before commit."""
    await _move_accounts(tx, [d for d in book.accounts.values() if d.account.is_brand])


def _account_key(delta: AccountDelta) -> tuple[UUID, UUID, str, str]:
    account = delta.account
    return (account.brand_id, account.owner_id, account.asset, account.kind)


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
            delta.account.kind == AccountKind.RECEIVABLE,
            delta.credits_posted,
            delta.debits_posted,
            delta.credits_pending,
            delta.debits_pending,
            tx.now,
        )
        for delta in sorted(deltas, key=_account_key)
    ]
    # Too few when another process opened one of these accounts first.
    await tx.write(queries.INSERT_ACCOUNTS, expected=len(rows), rows=rows)


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
    mismatch = StatementMismatch("an account would be overdrawn, or is gone")
    await tx.write(queries.MOVE_ACCOUNTS, expected=len(rows), otherwise=mismatch, moved=rows)


async def _write_lots(tx: Tx, book: Book) -> None:
    rows = [(*key, lot.granted, lot.remaining) for key, lot in sorted(book.lots.items())]
    # What is given back to a lot was granted before: the lot is there, and must be.
    taken = [row for row in rows if row[5] < 0 or row[4] < row[5]]
    added = [row for row in rows if 0 <= row[5] <= row[4]]
    if taken:
        mismatch = StatementMismatch("a lot would go below zero")
        await tx.write(queries.TAKE_FROM_LOTS, expected=len(taken), otherwise=mismatch, taken=taken)
    if added:
        await tx.write(queries.ADD_TO_LOTS, rows=added)


async def _write_reversals(tx: Tx, book: Book) -> None:
    rows = [(*key, delta.amount, delta.reversed) for key, delta in sorted(book.reversed.items())]
    if rows:  # too few when another reversal came first, and less is left to take back
        await tx.write(queries.COUNT_REVERSALS, expected=len(rows), rows=rows)


async def _extend_lots(tx: Tx, book: Book) -> None:
    """Where an asset's expiry goes by activity, let lots that are still good live on, also those
    that only the database knows. Their accounts are locked."""
    new = {delta.account.id for delta in book.accounts.values() if delta.account.is_new}
    rows = [
        (*key, min(today for today, _ in times), max(until for _, until in times))
        for key, times in sorted(book.activity.items())
        if key[1] not in new
    ]
    for found in await tx.fetch(queries.FIND_GOOD_LOTS, accounts=rows) if rows else ():
        book.extend_found(*found)
    if book.extensions:
        await tx.write(
            queries.INSERT_LOT_EXTENSIONS,
            rows=[
                (
                    extended.brand_id,
                    new_id(),
                    extended.account_id,
                    extended.from_expires_on,
                    extended.to_expires_on,
                    extended.amount,
                    tx.now,
                )
                for extended in book.extensions
            ],
        )


def check_amount(amount: int, field: str = "amount") -> int:
    """What one command may move: 1 to AMOUNT_MAX, or InvalidInput, which says what it is."""
    if amount == 0:
        raise InvalidInput(field=field, problem="nothing would move")
    if amount < 0:
        raise InvalidInput(field=field, problem="below zero")
    if amount > AMOUNT_MAX:
        raise InvalidInput(field=field, problem=f"more than {AMOUNT_MAX}")
    return amount


async def spend_parts(tx: Tx, source: AccountState, amount: int, on: date) -> list[LotPart]:
    """Which lots of an account that the caller has locked pay ``amount`` on a local day, as
    ``Book.move`` and ``Book.spend`` want them; InsufficientBalance when they do not suffice."""
    # The account row is locked, and lots change only under that lock.
    lots = await queries.list_free_lots(tx, source.brand_id, source.id)
    plan = plan_spend(lots, amount, on)
    if plan is None:
        raise InsufficientBalance(available=spendable(lots, on), wanted=amount)
    return plan


async def find_free_lots(
    tx: Tx, book: Book, accounts: Collection[AccountState], on: date
) -> dict[UUID, dict[date, int]]:
    """What is left, by account and last good day, of the free lots of accounts that the caller has
    locked: those good on a local day, less what the book takes of them, with what it adds."""
    lots: dict[UUID, dict[date, int]] = {account.id: {} for account in accounts}
    keys = sorted({(account.brand_id, account.id) for account in accounts if not account.is_new})
    for account_id, expires_on, remaining in await tx.fetch(
        queries.FIND_FREE_LOTS, accounts=keys, today=on
    ):
        lots[account_id][expires_on] = remaining
    for (_, account_id, expires_on, is_locked), delta in book.lots.items():
        if not is_locked and account_id in lots and expires_on >= on:
            there = lots[account_id].get(expires_on, 0)
            lots[account_id][expires_on] = there + delta.remaining
    return lots


async def spend_balance(
    tx: Tx,
    book: Book,
    owner: tuple[UUID, UUID],
    asset: str,
    amount: int,
    cause: Cause,
    on: date,
    *,
    phase: TransferPhase = TransferPhase.POSTED,
) -> list[Movement]:
    """Lock the accounts of a (brand_id, member_id) and take ``amount`` from them into the book,
    soonest expiry first, a transfer a lot; PENDING for a hold.

    Refuses InsufficientBalance and NotFound (asset).
    """
    brand_id = owner[0]
    policy = await require_asset(tx, brand_id, asset)
    account = (await lock_member_accounts(tx, [owner])).get((*owner, asset))
    if account is None:
        raise InsufficientBalance(available=0, wanted=amount)
    spent = await brand_books(tx, [brand_id], AccountKind.SPENT)
    parts = await spend_parts(tx, account, amount, on)
    expiry = expiry_from_json(policy.expiry)
    if expiry.is_extended:
        book.extend(account, on, expiry.last_day(on))
    return book.take(
        account, spent[brand_id, brand_id, asset], parts, TransferKind.SPEND, cause, phase=phase
    )
