"""The SQL of adjustments."""

from uuid import UUID

from sqlalchemy import update
from sqlmodel import col

from loyalty import keyed
from loyalty.adjustments.models import Adjustment, AdjustmentStatus
from loyalty.db import Snapshot, Tx


async def decide(
    tx: Tx, seen: Adjustment, status: AdjustmentStatus, decided_by_id: UUID, reason: str | None
) -> bool:
    """PROPOSED to its end, by somebody else than who proposed it, while it is its member's; False
    for anything else."""
    decided = await tx.session.exec(
        update(Adjustment)
        .where(
            col(Adjustment.brand_id) == seen.brand_id,
            col(Adjustment.id) == seen.id,
            col(Adjustment.member_id) == seen.member_id,
            col(Adjustment.status) == AdjustmentStatus.PROPOSED.value,
            col(Adjustment.proposed_by_id) != decided_by_id,
        )
        .values(
            status=status.value,
            decided_by_id=decided_by_id,
            decided_at=tx.now,
            decision_reason=reason,
        )
        .execution_options(synchronize_session=False)
    )
    return decided.rowcount == 1


async def list_adjustments(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    status: AdjustmentStatus | None = None,
    member_id: UUID | None = None,
    before: UUID | None,
    limit: int,
) -> list[Adjustment]:
    """Newest first, older than the id ``before``."""
    conditions = []
    if status is not None:
        conditions.append(col(Adjustment.status) == status.value)
    if member_id is not None:
        conditions.append(col(Adjustment.member_id) == member_id)
    return await keyed.list_newest(
        snapshot, Adjustment, brand_id, *conditions, before=before, limit=limit
    )


async def find_adjustment(
    snapshot: Snapshot, brand_id: UUID, adjustment_id: UUID
) -> Adjustment | None:
    return await keyed.find_row(snapshot, Adjustment, brand_id, adjustment_id)
