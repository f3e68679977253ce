"""Verbs of standings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import LadderLowersMembers
from loyalty.ids import new_id
from tiers.standings import queries
from tiers.standings.models import Standing


@dataclass(frozen=True, slots=True)
class Rise:
    """A member's move from one rank to another, and the transfer that caused it."""

    brand_id: UUID
    id: UUID
    member_id: UUID
    from_rank: int
    to_rank: int
    transfer_id: UUID | None
    ladder_id: UUID
    occurred_at: datetime


async def find_ranks(tx: Tx, members: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """Ranks by (brand_id, member_id); members without a standing are at 0 and left out."""
    rows = await tx.fetch(queries.FIND_STANDINGS, members=sorted(set(members)))
    return {(row[0], row[1]): row[2] for row in rows}


async def write_rises(tx: Tx, rises: Sequence[Rise]) -> None:
    """Write moves and where they end. RetryTransaction if a standing is no longer what it was
    when the first of its moves was decided: a new ladder may have lowered it meanwhile."""
    if not rises:
        return
    last = {(rise.brand_id, rise.member_id): rise for rise in rises}
    first = {(rise.brand_id, rise.member_id): rise for rise in reversed(rises)}
    written = await tx.fetch(
        queries.PUT_STANDINGS,
        rows=sorted((*key, rise.to_rank, rise.occurred_at) for key, rise in last.items()),
        held=sorted((*key, rise.from_rank) for key, rise in first.items()),
    )
    if len(written) != len(last):
        raise RetryTransaction
    await tx.fetch(
        queries.INSERT_CHANGES,
        rows=[
            (
                rise.brand_id,
                rise.id,
                rise.member_id,
                rise.from_rank,
                rise.to_rank,
                rise.transfer_id,
                rise.ladder_id,
                rise.occurred_at,
                tx.now,
            )
            for rise in rises
        ],
    )


async def lower_to_top(
    tx: Tx, brand_id: UUID, role: str, *, top_rank: int, ladder_id: UUID, allowed: bool
) -> None:
    """Bring holders of ranks that a new ladder no longer has down to its top, if allowed."""
    above = await tx.fetch(queries.FIND_ABOVE, brand_id=brand_id, role=role, top_rank=top_rank)
    if above and not allowed:
        raise LadderLowersMembers(members=len(above))
    await write_rises(
        tx,
        [
            Rise(brand_id, new_id(), member_id, rank, top_rank, None, ladder_id, tx.now)
            for member_id, rank in above
        ],
    )


async def find_standing(snapshot: Snapshot, brand_id: UUID, member_id: UUID) -> Standing | None:
    """A member's standing; None is rank 0."""
    return await queries.find_standing(snapshot, brand_id, member_id)
