"""Expiry (过期): what is left in free lots past their last day goes to the brand's EXPIRED books.

A brand is due as soon as its local day has moved on. A sweep works in chunks, a transaction each;
where it is stands in its row, so that whoever comes next goes on. It looks through all lots past
their day, also those that were swept before: a late event or a reversal may have filled them again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty.actor import SYSTEM_ID
from loyalty.brands.service import get_brand, list_brands
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, StatementMismatch, Tx
from loyalty.ids import new_id
from loyalty.ledger import queries
from loyalty.ledger.expiry_queries import (
    INSERT_EXPIRIES,
    PastLot,
    count_past_lots,
    list_past_lots,
    list_unswept,
    lock_and_read,
    lock_run,
    save_run,
)
from loyalty.ledger.models import AccountKind, ExpiryRun
from loyalty.ledger.service import brand_books

CHUNK_LOTS = 2_000
"""So many accounts at most are locked at once, for a fraction of a second. More would not be
faster."""
REASON = "expired"
_BEFORE_ALL_IDS = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Swept:
    """How far a sweep is after a chunk. ``lots_seen`` of ``lots_past`` were looked at, of which
    ``lots_expired`` held something; ``expired_now`` of them in this chunk."""

    run_id: UUID
    swept_on: date
    lots_past: int
    lots_seen: int
    lots_expired: int
    expired_now: int
    is_finished: bool


async def list_due(snapshot: Snapshot) -> list[UUID]:
    """Brands whose local day has moved on since they were swept to the end, in order."""
    days = [
        (brand.id, local_date(snapshot.now, brand.timezone))
        for brand in await list_brands(snapshot)
    ]
    return await list_unswept(snapshot, days)


async def sweep_chunk(tx: Tx, brand_id: UUID, limit: int, *, again: bool = False) -> Swept:
    """Look at the next ``limit`` lots of the brand that are past their last day, and expire those
    that hold something: one transfer a lot.

    ``again`` starts over what is finished; otherwise nothing is done then. Refuses NotFound.
    """
    timezone = (await get_brand(tx, brand_id)).timezone
    run = await _open_run(tx, brand_id, local_date(tx.now, timezone))
    if run.finished_at is not None and again:
        run.finished_at, run.lots_seen = None, 0
        run.lots_past = await count_past_lots(tx, brand_id, run.swept_on)
        run.below_expires_on, run.below_account_id = run.swept_on, _BEFORE_ALL_IDS
    expired = 0
    if run.finished_at is None:
        lots = await list_past_lots(tx, run, limit)
        expired = await _expire(tx, run, [lot for lot in lots if lot.owner_id is not None])
        if lots:
            run.below_expires_on, run.below_account_id = lots[-1].expires_on, lots[-1].account_id
        run.lots_seen += len(lots)
        run.lots_expired += expired
        run.finished_at = tx.now if len(lots) < limit else None
        await save_run(tx, run)
    return Swept(
        run.id,
        run.swept_on,
        run.lots_past,
        run.lots_seen,
        run.lots_expired,
        expired,
        run.finished_at is not None,
    )


async def _open_run(tx: Tx, brand_id: UUID, today: date) -> ExpiryRun:
    run = await lock_run(tx, brand_id, today)
    if run is None:
        begun = ExpiryRun(
            brand_id=brand_id,
            swept_on=today,
            below_expires_on=today,
            below_account_id=_BEFORE_ALL_IDS,
            lots_past=await count_past_lots(tx, brand_id, today),
            started_at=tx.now,
        )
        await tx.insert_if_absent(begun)
        run = await lock_run(tx, brand_id, today)
    if run is None or tx.now < run.started_at:
        raise RetryTransaction  # somebody else began it a moment ago, and after us
    return run


async def _expire(tx: Tx, run: ExpiryRun, lots: Sequence[PastLot]) -> int:
    if not lots:
        return 0
    brand_id = run.brand_id
    asset_of = {lot.account_id: lot.asset or "" for lot in lots}
    # Under the lock: what was spent, moved or prolonged meanwhile is not expired as well.
    left = await lock_and_read(tx, brand_id, lots)
    if not left:
        return 0
    books = {
        asset: book.id
        for (_, _, asset), book in (await brand_books(tx, [brand_id], AccountKind.EXPIRED)).items()
    }
    lot_rows, transfers = [], []
    by_account: Counter[UUID] = Counter()
    by_book: Counter[UUID] = Counter()
    for account_id, (expires_on, amount) in left:
        asset = asset_of[account_id]
        lot_rows.append((brand_id, account_id, expires_on, False, 0, -amount))
        transfers.append((new_id(), account_id, books[asset], asset, amount, expires_on))
        by_account[account_id] += amount
        by_book[books[asset]] += amount
    if len(await tx.fetch(queries.TAKE_FROM_LOTS, taken=lot_rows)) != len(lot_rows):
        raise StatementMismatch("a lot would go below zero")
    await _move(tx, [(brand_id, id, 0, sent, 0, 0) for id, sent in sorted(by_account.items())])
    await tx.fetch(
        INSERT_EXPIRIES,
        rows=transfers,
        brand_id=brand_id,
        run_id=run.id,
        actor_id=SYSTEM_ID,
        reason=REASON,
        now=tx.now,
    )
    # The brand's own books are the hottest rows: last, as everywhere.
    await _move(tx, [(brand_id, id, received, 0, 0, 0) for id, received in sorted(by_book.items())])
    return len(left)


async def _move(tx: Tx, rows: list[tuple[UUID, UUID, int, int, int, int]]) -> None:
    if len(await tx.fetch(queries.MOVE_ACCOUNTS, moved=rows)) != len(rows):
        raise StatementMismatch("an account would be overdrawn, or is gone")
