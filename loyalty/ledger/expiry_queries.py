"""The SQL of expiry. What is locked: the brand's sweep, then member accounts in the order of their
owners, as everybody locks them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.db import Snapshot, Statement, Tx
from loyalty.ledger.models import ExpiryRun
from loyalty.ledger.rules import LotPart

# Those below a key, from the latest date downwards: what became due last comes first. Emptied lots
# count too, so that a chunk is bounded by what it reads.
LIST_PAST_LOTS = Statement(
    """
    WITH past AS MATERIALIZED (
        SELECT l.brand_id, l.account_id, l.expires_on, l.remaining FROM lots l
        WHERE l.brand_id = :brand_id AND (l.expires_on, l.account_id) < (:below_on, :below_id)
            AND NOT l.locked
        ORDER BY l.expires_on DESC, l.account_id DESC LIMIT :row_count_max
    )
    SELECT past.account_id, past.expires_on, a.owner_id, a.asset FROM past
    {maybe:a accounts ON a.brand_id = past.brand_id AND a.id = past.account_id
        AND past.remaining > 0}
    ORDER BY past.expires_on DESC, past.account_id DESC
    """,
    params="brand_id uuid, below_on date, below_id uuid, row_count_max bigint",
    returns="account_id uuid, expires_on date, owner_id uuid, asset text",
)

COUNT_PAST_LOTS = Statement(
    "SELECT COUNT(*) FROM lots l WHERE l.brand_id = :brand_id AND l.expires_on < :today",
    params="brand_id uuid, today date",
    returns="lots bigint",
)

LOCK_OWNERS = Statement(
    """
    SELECT a.id FROM {owners} {locked:a accounts ON a.brand_id = owners.brand_id
        AND a.owner_id = owners.owner_id AND a.asset = owners.asset AND a.kind = 'MAIN'}
    """,
    sets={"owners": "brand_id uuid, owner_id uuid, asset text"},
    returns="id uuid",
)

READ_REMAINING = Statement(
    """
    SELECT l.account_id, l.expires_on, l.remaining
    FROM {keys} {each:l lots ON l.brand_id = keys.brand_id AND l.account_id = keys.account_id
        AND l.expires_on = keys.expires_on AND NOT l.locked AND l.remaining > 0}
    """,
    sets={"keys": "brand_id uuid, account_id uuid, expires_on date"},
    returns="account_id uuid, expires_on date, remaining bigint",
)

INSERT_EXPIRIES = Statement(
    """
    INSERT INTO transfers (brand_id, id, debit_account_id, credit_account_id, asset, amount, phase,
        kind, cause_kind, cause_id, debit_expires_on, actor_kind, actor_id, reason, occurred_at,
        created_at)
    SELECT :brand_id, id, account_id, book_id, asset, amount, 'POSTED', 'EXPIRE', 'EXPIRY',
        :run_id, expires_on, 'SYSTEM', :actor_id, :reason, :now, :now
    FROM {rows} WHERE true
    """,
    sets={
        "rows": "id uuid, account_id uuid, book_id uuid, asset text, amount bigint, expires_on date"
    },
    params="brand_id uuid, run_id uuid, actor_id uuid, reason text, now timestamptz",
)

FIND_UNSWEPT = Statement(
    """
    SELECT days.brand_id, days.today
    FROM {days} {maybe:r expiry_runs ON r.brand_id = days.brand_id AND r.swept_on = days.today
        AND r.finished_at IS NOT NULL}
    WHERE r.id IS NULL ORDER BY days.brand_id
    """,
    sets={"days": "brand_id uuid, today date"},
    returns="brand_id uuid, today date",
)


@dataclass(frozen=True, slots=True)
class PastLot:
    """A free lot past its last day; of an emptied one the owner and the asset are not told."""

    account_id: UUID
    expires_on: date
    owner_id: UUID | None
    asset: str | None


async def list_unswept(snapshot: Snapshot, days: Collection[tuple[UUID, date]]) -> list[UUID]:
    """Of brands on their local days those that were not swept on it to the end."""
    return [row[0] for row in await snapshot.fetch(FIND_UNSWEPT, days=sorted(days))]


async def lock_run(tx: Tx, brand_id: UUID, today: date) -> ExpiryRun | None:
    """The brand's sweep of a local day; nobody else goes on with it until this transaction ends."""
    found = await tx.session.exec(
        select(ExpiryRun)
        .where(col(ExpiryRun.brand_id) == brand_id, col(ExpiryRun.swept_on) == today)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.first()


async def count_past_lots(snapshot: Snapshot, brand_id: UUID, today: date) -> int:
    """Lots of the brand past their last day, emptied ones among them."""
    rows = await snapshot.fetch(COUNT_PAST_LOTS, brand_id=brand_id, today=today)
    count: int = rows[0][0]
    return count


async def list_past_lots(snapshot: Snapshot, run: ExpiryRun, limit: int) -> list[PastLot]:
    """The next lots of a sweep, in its order."""
    rows = await snapshot.fetch(
        LIST_PAST_LOTS,
        brand_id=run.brand_id,
        below_on=run.below_expires_on,
        below_id=run.below_account_id,
        row_count_max=limit,
    )
    return [PastLot(*row) for row in rows]


async def lock_and_read(
    tx: Tx, brand_id: UUID, lots: Sequence[PastLot]
) -> list[tuple[UUID, LotPart]]:
    """Lock the lots' accounts, and read what is in those lots then: (account_id, lot and amount) of
    those that still hold something."""
    owners = {(brand_id, lot.owner_id, lot.asset) for lot in lots}
    await tx.fetch(LOCK_OWNERS, owners=sorted(owners))
    keys = sorted((brand_id, lot.account_id, lot.expires_on) for lot in lots)
    rows = await tx.fetch(READ_REMAINING, keys=keys)
    return [(account_id, (expires_on, amount)) for account_id, expires_on, amount in rows]


async def save_run(tx: Tx, run: ExpiryRun) -> None:
    """Write how far a sweep is that this transaction has locked."""
    await tx.session.exec(
        update(ExpiryRun)
        .where(col(ExpiryRun.brand_id) == run.brand_id, col(ExpiryRun.id) == run.id)
        .values(
            below_expires_on=run.below_expires_on,
            below_account_id=run.below_account_id,
            lots_past=run.lots_past,
            lots_seen=run.lots_seen,
            lots_expired=run.lots_expired,
            finished_at=run.finished_at,
        )
        .execution_options(synchronize_session=False)
    )
