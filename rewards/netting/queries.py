"""The SQL of netting. The positions of a run's pairs are its lock."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, StatementMismatch, Tx
from rewards.clearing.rules import PositionKey
from rewards.netting.models import NettingLeg, NettingRun, NettingStatus

LIST_OPEN = Statement(
    """
    SELECT l.run_id FROM netting_legs l
    JOIN {keys} ON l.brand_id = keys.brand_id AND l.partner_id = keys.partner_id
    WHERE l.is_open
    """,
    sets={"keys": "brand_id uuid, partner_id uuid"},
    returns="run_id uuid",
)

APPROVE = Statement(
    """
    UPDATE netting_runs SET approved_at = :now, approved_by = :by
    WHERE brand_id = :brand_id AND id = :id AND approved_at IS NULL AND status = 'PROPOSED'
    RETURNING id
    """,
    params="now timestamptz, by uuid, brand_id uuid, id uuid",
    returns="id uuid",
)

END_RUN = Statement(
    """
    UPDATE netting_runs SET status = :status, reason = :reason, decided_at = :now
    FROM {keys} WHERE netting_runs.brand_id = keys.brand_id AND netting_runs.id = :id
        AND netting_runs.status = 'PROPOSED'
    RETURNING netting_runs.brand_id
    """,
    sets={"keys": "brand_id uuid"},
    params="status text, reason text, now timestamptz, id uuid",
    returns="brand_id uuid",
)

CLOSE_LEGS = Statement(
    """
    UPDATE netting_legs SET is_open = false
    FROM {keys} WHERE netting_legs.brand_id = keys.brand_id AND netting_legs.run_id = :id
    """,
    sets={"keys": "brand_id uuid"},
    params="id uuid",
)


async def get_run(snapshot: Snapshot, brand_id: UUID, run_id: UUID) -> NettingRun:
    """The brand's copy as it is now; NotFound when it has none such."""
    return await keyed.get_row(snapshot, NettingRun, brand_id, run_id, "netting run")


async def list_runs(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[NettingRun]:
    """The brand's copies, newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, NettingRun, brand_id, before=before, limit=limit)


async def list_legs(
    snapshot: Snapshot, brand_id: UUID, run_ids: Sequence[UUID]
) -> list[NettingLeg]:
    """The brand's copies of what runs do, by run and partner."""
    found = await snapshot.session.exec(
        select(NettingLeg)
        .where(col(NettingLeg.brand_id) == brand_id, col(NettingLeg.run_id).in_(run_ids))
        .order_by(col(NettingLeg.run_id), col(NettingLeg.partner_id))
    )
    return list(found)


async def list_copies(tx: Tx, run_id: UUID) -> list[NettingRun]:
    """Every brand's copy as it is now, by brand: for what is done for all of them."""
    found = await tx.session.exec(
        select(NettingRun)
        .where(col(NettingRun.id) == run_id)
        .order_by(col(NettingRun.brand_id))
        .execution_options(populate_existing=True)
    )
    return list(found)


async def list_all_legs(tx: Tx, run_id: UUID) -> list[NettingLeg]:
    """Both copies of every leg, by brand and partner: for what is done for all of them."""
    found = await tx.session.exec(
        select(NettingLeg)
        .where(col(NettingLeg.run_id) == run_id)
        .order_by(col(NettingLeg.brand_id), col(NettingLeg.partner_id))
    )
    return list(found)


async def is_any_open(tx: Tx, pairs: Iterable[PositionKey]) -> bool:
    """Whether one of these pairs is in a run that has not ended."""
    return bool(await tx.fetch(LIST_OPEN, keys=sorted(pairs)))


async def approve(tx: Tx, own: NettingRun, by: UUID) -> None:
    """Note it in the brand's own copy; the run's pairs are locked."""
    if not await tx.fetch(APPROVE, now=tx.now, by=by, brand_id=own.brand_id, id=own.id):
        raise StatementMismatch("a netting run was approved or ended meanwhile")


async def end_run(
    tx: Tx, copies: Sequence[NettingRun], status: NettingStatus, reason: str | None
) -> None:
    """In every copy; the run's pairs are locked."""
    keys = [(copy.brand_id,) for copy in copies]
    id = copies[0].id
    ended = await tx.fetch(
        END_RUN, keys=keys, status=status.value, reason=reason, now=tx.now, id=id
    )
    if len(ended) != len(copies):
        raise StatementMismatch("a netting run has ended meanwhile")
    await tx.fetch(CLOSE_LEGS, keys=keys, id=id)
