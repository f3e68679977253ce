"""Who would move if a ladder were published: every member of its role is decided upon by the rule
that events use, in large pieces, and nothing is written."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.clock import local_date
from loyalty.db import Snapshot
from loyalty.ids import new_id
from tiers.ladders.rules import LadderView, Level, carried_ranks
from tiers.standings import queries
from tiers.standings.folding import MemberTier, look
from tiers.standings.loading import BrandTiers, add_days, load_for, tier_of_row
from tiers.standings.rules import Held

PIECE_ROWS_MAX = 20_000
"""Members that are read by one statement, and their days by another."""
_BEFORE_ALL = UUID(int=0)


@dataclass(slots=True)
class LadderMove:
    """How many members would move from one level (None: the role has no ladder yet) to another.
    ``lowers``: it is a fall, or their level is gone. ``sample`` are the first of them."""

    from_level: Level | None
    to_level: Level
    lowers: bool
    members: int = 0
    sample: list[UUID] = field(default_factory=list)


async def preview_moves(
    snapshot: Snapshot,
    brand_id: UUID,
    timezone: str,
    current: LadderView | None,
    wanted: LadderView,
    *,
    sample_max: int = 0,
) -> list[LadderMove]:
    """Who would move today, falls first; ``wanted.counting_id`` is the current ladder's where both
    count the same. Some statements for each ``PIECE_ROWS_MAX`` members."""
    carried, gone = carried_ranks(current.levels if current else (), wanted.levels)
    today = local_date(snapshot.now, timezone)
    rules = BrandTiers(timezone, {wanted.role: wanted}, revision=0)  # nothing is written by them
    moves: dict[tuple[int, int], LadderMove] = {}
    after = _BEFORE_ALL
    while True:
        rows = await snapshot.fetch(
            queries.LIST_TIERS,
            brand_id=brand_id,
            role=wanted.role,
            after=after,
            row_count_max=PIECE_ROWS_MAX,
        )
        ranks = {row[1]: max(row[7] or 0, row[9] or 0) for row in rows}
        tiers = [_carried(tier_of_row(row, rules), carried, today) for row in rows]
        before = {tier.member_id: tier.rank for tier in tiers}
        await _read(snapshot, rows, tiers, wanted)
        await asyncio.to_thread(_look_at_all, tiers, today, snapshot)
        for tier in tiers:
            rank = ranks[tier.member_id]
            if tier.rank == before[tier.member_id] and rank not in gone:
                continue
            move = moves.get((rank, tier.rank))
            if move is None:
                lowers = rank in gone or tier.rank < before[tier.member_id]
                old = current.level(rank) if current else None
                move = moves[rank, tier.rank] = LadderMove(old, wanted.level(tier.rank), lowers)
            move.members += 1
            if len(move.sample) < sample_max:
                move.sample.append(tier.member_id)
        if len(rows) < PIECE_ROWS_MAX:
            return [moves[key] for key in sorted(moves, key=lambda k: (not moves[k].lowers, k))]
        after = rows[-1][1]


async def _read(
    snapshot: Snapshot,
    rows: Sequence[Sequence[Any]],
    tiers: Sequence[MemberTier],
    wanted: LadderView,
) -> None:
    """The days of a piece: those that were counted, else what history tells."""
    if wanted.policy.counts_balance:
        return
    known = {row[1] for row in rows if row[6] is not None and row[6] == wanted.counting_id}
    await add_days(
        snapshot,
        [tier for tier in tiers if tier.member_id in known],
        [tier for tier in tiers if tier.member_id not in known],
    )


def _carried(tier: MemberTier, carried: dict[int, int], today: date) -> MemberTier:
    tier.held = carried_held(tier.held, carried)
    load_for(tier, today)
    return tier


def carried_held(held: Held, carried: dict[int, int]) -> Held:
    """A standing by the ranks of a new ladder."""
    grant, pending = held.grant, held.pending_rank
    return replace(
        held,
        earned_rank=carried.get(held.earned_rank, held.earned_rank),
        grant=grant and replace(grant, rank=carried.get(grant.rank, grant.rank)),
        pending_rank=None if pending is None else carried.get(pending, pending),
    )


def _look_at_all(tiers: Sequence[MemberTier], today: date, snapshot: Snapshot) -> None:
    for tier in tiers:
        look(tier, today, snapshot.now, new_id)
