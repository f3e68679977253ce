"""What a new ladder does to standings at once: levels keep their holders, and whoever has earned
more, or is to be held to a date now, is looked at by a run that begins soon."""

from collections.abc import Mapping, Set
from uuid import UUID

from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.ids import new_id
from tiers.ladders.rules import LadderView
from tiers.standings import queries
from tiers.standings.folding import TierChange
from tiers.standings.loading import write_changes
from tiers.standings.models import ChangeReason, ReEvaluation, ReEvaluationKind


async def lock_holders(
    tx: Tx, brand_id: UUID, role: str, ranks: Set[int]
) -> list[tuple[UUID, int]]:
    """(member_id, rank) of whoever stands at one of these ranks, locked."""
    if not ranks:
        return []
    rows = await tx.fetch(
        queries.LOCK_HOLDERS,
        ranks=[(rank,) for rank in sorted(ranks)],
        brand_id=brand_id,
        role=role,
    )
    return [(row[0], row[1]) for row in rows]


async def carry_holders(
    tx: Tx,
    brand_id: UUID,
    ladder: LadderView,
    holders: list[tuple[UUID, int]],
    carried: Mapping[int, int],
    lowered: Set[int],
) -> None:
    """Move ``holders`` (of all ranks that change) to their ranks on the new ladder. Whoever is
    ``lowered`` by that is a fact; a level that has only another number is none."""
    changing = [(old, new) for old, new in sorted(carried.items()) if old != new]
    if not changing:
        return
    await tx.fetch(queries.CARRY_RANKS, carried=changing, brand_id=brand_id, role=ladder.role)
    changes = [
        TierChange(
            brand_id,
            new_id(),
            member_id,
            rank,
            carried[rank],
            ladder.level(carried[rank]).code,
            ladder.id,
            ChangeReason.LADDER,
            tx.now,
        )
        for member_id, rank in holders
    ]
    await write_changes(tx, changes, facts=[c for c in changes if c.from_rank in lowered])


async def open_run_of_all(tx: Tx, brand_id: UUID, ladder: LadderView, timezone: str) -> None:
    """Have every member of the ladder's role looked at, by the next worker that comes along."""
    counted = await tx.fetch(queries.COUNT_MEMBERS, brand_id=brand_id, role=ladder.role)
    if not counted[0][0]:
        return
    await tx.add(
        ReEvaluation(
            brand_id=brand_id,
            name=f"{ReEvaluationKind.ALL} {ladder.id}",
            kind=ReEvaluationKind.ALL.value,
            ladder_id=ladder.id,
            day=local_date(tx.now, timezone),
            rows_total=counted[0][0],
            started_at=tx.now,
        )
    )
