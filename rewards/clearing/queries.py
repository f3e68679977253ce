"""The SQL of clearing. A pair's two positions are its lock: who moves or locks both, in the order
of their keys, is alone with the pair's entries and statements."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, StatementMismatch, Tx, insert_statement
from loyalty.statements import columns_of, names_of
from rewards.clearing.models import (
    AdjustmentStatus,
    ClearingAdjustment,
    ClearingEntry,
    ClearingPosition,
    ClearingStatement,
)
from rewards.clearing.rules import PositionKey

_ENTRY_COLUMNS = columns_of(ClearingEntry)
_ENTRY_NAMES = names_of(_ENTRY_COLUMNS)

INSERT_ENTRIES = insert_statement(ClearingEntry, _ENTRY_COLUMNS)

MOVE_POSITIONS = Statement(
    """
    UPDATE clearing_positions SET owed_fen = clearing_positions.owed_fen + moved.owed_fen,
        reserved_fen = clearing_positions.reserved_fen + moved.reserved_fen
    FROM {moved} WHERE clearing_positions.brand_id = moved.brand_id
        AND clearing_positions.partner_id = moved.partner_id
        AND clearing_positions.reserved_fen + moved.reserved_fen >= 0
    RETURNING clearing_positions.brand_id, clearing_positions.partner_id,
        clearing_positions.account_id
    """,
    sets={"moved": "brand_id uuid, partner_id uuid, owed_fen bigint, reserved_fen bigint"},
    returns="brand_id uuid, partner_id uuid, account_id uuid",
)

# The guard of issuing: of two at once the second one waits, and sees what the first has reserved.
RESERVE = Statement(
    """
    UPDATE clearing_positions SET reserved_fen = reserved_fen + :amount_fen
    WHERE brand_id = :brand_id AND partner_id = :partner_id
        AND owed_fen + reserved_fen + :amount_fen <= :limit_fen
    RETURNING owed_fen + reserved_fen
    """,
    params="amount_fen bigint, brand_id uuid, partner_id uuid, limit_fen bigint",
    returns="used_fen bigint",
)

LOCK_POSITIONS = Statement(
    """
    SELECT p.brand_id, p.partner_id, p.owed_fen
    FROM {keys} {locked:p clearing_positions ON p.brand_id = keys.brand_id
        AND p.partner_id = keys.partner_id}
    """,
    sets={"keys": "brand_id uuid, partner_id uuid"},
    returns="brand_id uuid, partner_id uuid, owed_fen bigint",
)


async def find_position(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> ClearingPosition | None:
    """As it is now."""
    found = await snapshot.session.exec(
        select(ClearingPosition)
        .where(
            col(ClearingPosition.brand_id) == brand_id,
            col(ClearingPosition.partner_id) == partner_id,
        )
        .execution_options(populate_existing=True)
    )
    return found.first()


async def list_positions(snapshot: Snapshot, brand_id: UUID) -> list[ClearingPosition]:
    """How a brand stands with each of its partners, by partner."""
    found = await snapshot.session.exec(
        select(ClearingPosition)
        .where(col(ClearingPosition.brand_id) == brand_id)
        .order_by(col(ClearingPosition.partner_id))
    )
    return list(found)


async def list_statements(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[ClearingStatement]:
    """The brand's copies, newest first, older than the id ``before``."""
    return await keyed.list_newest(
        snapshot, ClearingStatement, brand_id, before=before, limit=limit
    )


async def list_entries(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    statement_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[ClearingEntry]:
    """The brand's copies, newest first, older than the id ``before``: of a statement, or all."""
    of_one = () if statement_id is None else (col(ClearingEntry.statement_id) == statement_id,)
    return await keyed.list_newest(
        snapshot, ClearingEntry, brand_id, *of_one, before=before, limit=limit
    )


async def list_entries_of_statement(
    snapshot: Snapshot, brand_id: UUID, statement_id: UUID, *, after: UUID | None, limit: int
) -> list[ClearingEntry]:
    """The brand's copies, oldest first, newer than the id ``after``."""
    wanted = select(ClearingEntry).where(
        col(ClearingEntry.brand_id) == brand_id, col(ClearingEntry.statement_id) == statement_id
    )
    if after is not None:
        wanted = wanted.where(col(ClearingEntry.id) > after)
    found = await snapshot.session.exec(wanted.order_by(col(ClearingEntry.id)).limit(limit))
    return list(found)


async def list_adjustments(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[ClearingAdjustment]:
    """The brand's copies, newest first, older than the id ``before``."""
    return await keyed.list_newest(
        snapshot, ClearingAdjustment, brand_id, before=before, limit=limit
    )


async def count_proposed(snapshot: Snapshot, brand_id: UUID, partner_id: UUID) -> int:
    """What a brand has proposed to a partner and neither has decided."""
    found = await snapshot.session.exec(
        select(func.count()).where(
            col(ClearingAdjustment.brand_id) == brand_id,
            col(ClearingAdjustment.partner_id) == partner_id,
            col(ClearingAdjustment.status) == AdjustmentStatus.PROPOSED.value,
            col(ClearingAdjustment.is_ours),
        )
    )
    return found.one()


async def lock_positions(tx: Tx, pairs: Iterable[PositionKey]) -> dict[PositionKey, int]:
    """What is owed on both sides of these pairs, and nobody moves it until this transaction
    ends."""
    keys = sorted({key for a, b in pairs for key in ((a, b), (b, a))})
    return {(row[0], row[1]): row[2] for row in await tx.fetch(LOCK_POSITIONS, keys=keys)}


async def move_positions(
    tx: Tx, owed: Mapping[PositionKey, int], reserved: Mapping[PositionKey, int]
) -> dict[PositionKey, UUID]:
    """Move what is owed and reserved: the account of each position. StatementMismatch where there
    is no position, or less is reserved than is to be released."""
    keys = sorted({*owed, *reserved})
    rows = [(*key, owed.get(key, 0), reserved.get(key, 0)) for key in keys]
    found = {(row[0], row[1]): row[2] for row in await tx.fetch(MOVE_POSITIONS, moved=rows)}
    if len(found) != len(rows):
        raise StatementMismatch("two brands have no position, or more is released than reserved")
    return found


async def reserve(
    tx: Tx, brand_id: UUID, partner_id: UUID, amount_fen: int, limit_fen: int
) -> int | None:
    """Reserve within the limit: what is owed and reserved now; None where it does not suffice."""
    rows = await tx.fetch(
        RESERVE,
        amount_fen=amount_fen,
        brand_id=brand_id,
        partner_id=partner_id,
        limit_fen=limit_fen,
    )
    return rows[0][0] if rows else None


async def add_entries(tx: Tx, entries: Sequence[ClearingEntry]) -> None:
    rows = [tuple(getattr(entry, name) for name in _ENTRY_NAMES) for entry in entries]
    await tx.fetch(INSERT_ENTRIES, rows=rows)


async def get_entry(snapshot: Snapshot, brand_id: UUID, entry_id: UUID) -> ClearingEntry:
    """The brand's copy; NotFound when it has none such."""
    return await keyed.get_row(snapshot, ClearingEntry, brand_id, entry_id, "clearing entry")


# --- statements --------------------------------------------------------------------------------

LIST_DUE = Statement(
    """
    SELECT p.brand_id, p.partner_id FROM clearing_positions p
    WHERE p.brand_id < p.partner_id AND (p.statement_due_at IS NULL OR p.statement_due_at <= :now)
    ORDER BY p.brand_id, p.partner_id LIMIT :row_count_max
    """,
    params="now timestamptz, row_count_max bigint",
    returns="brand_id uuid, partner_id uuid",
)

SET_DUE = Statement(
    """
    UPDATE clearing_positions SET statement_due_at = :due_at
    FROM {keys} WHERE clearing_positions.brand_id = keys.brand_id
        AND clearing_positions.partner_id = keys.partner_id
    """,
    sets={"keys": "brand_id uuid, partner_id uuid"},
    params="due_at timestamptz",
)

DRAW_ENTRIES = Statement(
    """
    UPDATE clearing_entries SET statement_id = :statement_id
    FROM {keys} WHERE clearing_entries.brand_id = keys.brand_id
        AND clearing_entries.partner_id = keys.partner_id
        AND clearing_entries.statement_id IS NULL AND clearing_entries.created_at < :ends_at
    RETURNING clearing_entries.brand_id, clearing_entries.owed_fen
    """,
    sets={"keys": "brand_id uuid, partner_id uuid"},
    params="statement_id uuid, ends_at timestamptz",
    returns="brand_id uuid, owed_fen bigint",
)

CONFIRM = Statement(
    """
    UPDATE clearing_statements SET
        confirmed_at = CASE WHEN brand_id = :brand_id THEN :now ELSE confirmed_at END,
        confirmed_by = CASE WHEN brand_id = :brand_id THEN :by ELSE confirmed_by END,
        partner_confirmed_at = CASE WHEN brand_id = :brand_id THEN partner_confirmed_at
            ELSE :now END
    WHERE id = :id AND brand_id IN (:brand_id, :partner_id)
    RETURNING id
    """,
    params="brand_id uuid, now timestamptz, by uuid, id uuid, partner_id uuid",
    returns="id uuid",
)

ADJUST = Statement(
    """
    UPDATE clearing_statements SET entry_count = entry_count + 1,
        closing_fen = closing_fen + CASE WHEN brand_id = :brand_id THEN :owed_fen
            ELSE -:owed_fen END,
        confirmed_at = NULL, confirmed_by = NULL, partner_confirmed_at = NULL
    WHERE id = :id AND brand_id IN (:brand_id, :partner_id)
    RETURNING id
    """,
    params="brand_id uuid, owed_fen bigint, id uuid, partner_id uuid",
    returns="id uuid",
)

END_ADJUSTMENT = Statement(
    """
    UPDATE clearing_adjustments SET status = :status, entry_id = :entry_id, decided_at = :now
    WHERE id = :id AND brand_id IN (:brand_id, :partner_id) AND status = 'PROPOSED'
    RETURNING id
    """,
    params="status text, entry_id uuid, now timestamptz, id uuid, brand_id uuid, partner_id uuid",
    returns="id uuid",
)


async def list_due_pairs(tx: Tx, now: datetime, limit: int) -> list[PositionKey]:
    """Pairs, the lower brand first, whose period is over or that have none yet."""
    rows = await tx.fetch(LIST_DUE, now=now, row_count_max=limit)
    return [(row[0], row[1]) for row in rows]


async def set_due(tx: Tx, one: UUID, other: UUID, due_at: datetime) -> None:
    await tx.fetch(SET_DUE, keys=sorted([(one, other), (other, one)]), due_at=due_at)


async def draw_entries(
    tx: Tx, one: UUID, other: UUID, statement_id: UUID, ends_at: datetime
) -> dict[UUID, tuple[int, int]]:
    """Both copies of a pair's open entries into a statement: (sum, number) by brand."""
    keys = sorted([(one, other), (other, one)])
    rows = await tx.fetch(DRAW_ENTRIES, keys=keys, statement_id=statement_id, ends_at=ends_at)
    sums: dict[UUID, tuple[int, int]] = {}
    for brand_id, owed_fen in rows:
        fen, count = sums.get(brand_id, (0, 0))
        sums[brand_id] = fen + owed_fen, count + 1
    return sums


async def find_last_statement(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> ClearingStatement | None:
    """The brand's copy of the last one that was drawn with a partner."""
    found = await snapshot.session.exec(
        select(ClearingStatement)
        .where(
            col(ClearingStatement.brand_id) == brand_id,
            col(ClearingStatement.partner_id) == partner_id,
        )
        .order_by(col(ClearingStatement.number).desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def confirm(tx: Tx, own: ClearingStatement, by: UUID) -> None:
    """Note it in both copies; the pair is locked."""
    keys = {"brand_id": own.brand_id, "partner_id": own.partner_id, "id": own.id}
    if len(await tx.fetch(CONFIRM, now=tx.now, by=by, **keys)) != 2:
        raise StatementMismatch("a statement has not two copies")


async def adjust_statement(tx: Tx, own: ClearingStatement, owed_fen: int) -> None:
    """One more entry in both copies, which nobody has confirmed so; the pair is locked."""
    keys = {"brand_id": own.brand_id, "partner_id": own.partner_id, "id": own.id}
    if len(await tx.fetch(ADJUST, owed_fen=owed_fen, **keys)) != 2:
        raise StatementMismatch("a statement has not two copies")


async def end_adjustment(
    tx: Tx, own: ClearingAdjustment, status: AdjustmentStatus, entry_id: UUID | None
) -> int:
    """How many copies were still PROPOSED and are decided now."""
    rows = await tx.fetch(
        END_ADJUSTMENT,
        status=status.value,
        entry_id=entry_id,
        now=tx.now,
        id=own.id,
        brand_id=own.brand_id,
        partner_id=own.partner_id,
    )
    return len(rows)
