"""Reads of key epochs, batches and scanned codes, always inside one brand unless a name says so."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.codes.models import CodeBatch, KeyEpoch, UnknownCodeCount
from loyalty.db import Snapshot, Tx, insert_statement
from loyalty.errors import NotFound

ADD_UNKNOWN_CODES = insert_statement(
    UnknownCodeCount,
    "brand_id uuid, counted_on date, address text, device_hash text, attempts bigint",
    "ON CONFLICT (brand_id, counted_on, address, device_hash)"
    " DO UPDATE SET attempts = unknown_code_counts.attempts + excluded.attempts",
)


async def list_key_epochs_of_all_brands(snapshot: Snapshot) -> Sequence[KeyEpoch]:
    """Every brand's keys: a server must recognise a code before it knows whose it is."""
    statement = select(KeyEpoch).order_by(col(KeyEpoch.key_id))
    return (await snapshot.session.exec(statement)).all()


async def find_newest_key_epoch(snapshot: Snapshot, brand_id: UUID) -> KeyEpoch | None:
    """The key that new batches are printed with."""
    statement = (
        select(KeyEpoch)
        .where(KeyEpoch.brand_id == brand_id)
        .order_by(col(KeyEpoch.created_at).desc(), col(KeyEpoch.id).desc())
        .limit(1)
    )
    return (await snapshot.session.exec(statement)).first()


async def get_key_epoch(snapshot: Snapshot, brand_id: UUID, epoch_id: UUID) -> KeyEpoch:
    statement = select(KeyEpoch).where(KeyEpoch.brand_id == brand_id, KeyEpoch.id == epoch_id)
    epoch = (await snapshot.session.exec(statement)).first()
    if epoch is None:
        raise NotFound(noun="key epoch")
    return epoch


async def lock_numbering(tx: Tx, brand_id: UUID) -> None:
    """Queue those who number batches of one brand behind each other, on its oldest key epoch: a
    row of this noun that every numbering brand has and that never changes. Without one yet, the
    unique batch number alone keeps order."""
    statement = (
        select(KeyEpoch.id)
        .where(KeyEpoch.brand_id == brand_id)
        .order_by(col(KeyEpoch.created_at), col(KeyEpoch.id))
        .limit(1)
        .with_for_update()
    )
    (await tx.session.exec(statement)).first()


async def find_last_batch_number(snapshot: Snapshot, brand_id: UUID) -> int:
    """The highest batch number of the brand; 0 before the first."""
    statement = select(func.max(CodeBatch.number)).where(CodeBatch.brand_id == brand_id)
    return (await snapshot.session.exec(statement)).one() or 0


async def find_batch(snapshot: Snapshot, brand_id: UUID, batch_id: UUID) -> CodeBatch | None:
    return await keyed.find_row(snapshot, CodeBatch, brand_id, batch_id)


async def get_batch(snapshot: Snapshot, brand_id: UUID, batch_id: UUID) -> CodeBatch:
    return await keyed.get_row(snapshot, CodeBatch, brand_id, batch_id, "batch")


async def find_batch_by_number(snapshot: Snapshot, brand_id: UUID, number: int) -> CodeBatch | None:
    """The batch that a decoded code names. Its ``key_epoch_id`` must be that of the decoding key,
    its ``quantity`` above the serial: else the code was never printed."""
    statement = select(CodeBatch).where(CodeBatch.brand_id == brand_id, CodeBatch.number == number)
    return (await snapshot.session.exec(statement)).first()


async def list_batches(
    snapshot: Snapshot, brand_id: UUID, *, limit: int, below_number: int | None = None
) -> Sequence[CodeBatch]:
    """Batches, newest first, by keyset: those numbered below ``below_number``."""
    statement = select(CodeBatch).where(CodeBatch.brand_id == brand_id)
    if below_number is not None:
        statement = statement.where(CodeBatch.number < below_number)
    statement = statement.order_by(col(CodeBatch.number).desc()).limit(limit)
    return (await snapshot.session.exec(statement)).all()


async def list_series(snapshot: Snapshot, brand_id: UUID, series_no: int) -> Sequence[CodeBatch]:
    """The batches that share their serials, in order of their numbers."""
    statement = (
        select(CodeBatch)
        .where(CodeBatch.brand_id == brand_id, CodeBatch.series_no == series_no)
        .order_by(col(CodeBatch.number))
    )
    return (await snapshot.session.exec(statement)).all()


async def lock_series(tx: Tx, brand_id: UUID, *batch_ids: UUID) -> Sequence[CodeBatch]:
    """Batches and those of their series, locked in order of their ids; refuses NotFound."""
    batches = [await get_batch(tx, brand_id, batch_id) for batch_id in batch_ids]
    statement = (
        select(CodeBatch)
        .where(
            CodeBatch.brand_id == brand_id,
            col(CodeBatch.series_no).in_({batch.series_no for batch in batches}),
        )
        .order_by(col(CodeBatch.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await tx.session.exec(statement)).all()


async def list_batches_by_ids(
    snapshot: Snapshot, brand_id: UUID, batch_ids: Sequence[UUID]
) -> list[CodeBatch]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, CodeBatch, brand_id, batch_ids)


async def move_batch(tx: Tx, batch: CodeBatch, current: str, wanted: str, moved_at: str) -> bool:
    """Move a batch from one status to the next, noting when in the column ``moved_at``; False when
    it is no longer in the current one."""
    moved = await tx.session.exec(
        update(CodeBatch)
        .where(
            col(CodeBatch.brand_id) == batch.brand_id,
            col(CodeBatch.id) == batch.id,
            col(CodeBatch.status) == current,
        )
        .values({"status": wanted, moved_at: tx.now})
    )
    return moved.rowcount == 1
