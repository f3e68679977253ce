"""The SQL of ladders."""

from uuid import UUID

from sqlmodel import col, func, select

from loyalty.db import Snapshot, Tx
from tiers.ladders.models import Ladder, LadderLevel
from tiers.ladders.rules import LadderView, Level


async def list_current_ladders(snapshot: Snapshot, brand_id: UUID) -> list[LadderView]:
    """The newest ladder of each role that has one, with its levels."""
    newest = (
        select(Ladder.role, func.max(Ladder.version).label("version"))
        .where(col(Ladder.brand_id) == brand_id)
        .group_by(col(Ladder.role))
        .subquery()
    )
    rows = await snapshot.session.exec(
        select(Ladder, LadderLevel)
        .join(newest, (newest.c.role == Ladder.role) & (newest.c.version == Ladder.version))
        .join(
            LadderLevel,
            (col(LadderLevel.brand_id) == col(Ladder.brand_id))
            & (col(LadderLevel.ladder_id) == col(Ladder.id)),
        )
        .where(col(Ladder.brand_id) == brand_id)
        .order_by(col(Ladder.role), col(LadderLevel.rank))
    )
    levels: dict[UUID, list[Level]] = {}
    ladders: dict[UUID, Ladder] = {}
    for ladder, row in rows:
        ladders[ladder.id] = ladder
        levels.setdefault(ladder.id, []).append(
            Level(
                row.rank,
                row.code,
                row.name_zh,
                row.name_en,
                row.growth_threshold,
                row.points_multiplier_percent,
            )
        )
    return [
        LadderView(ladder.id, ladder.role, ladder.version, tuple(levels[ladder.id]))
        for ladder in ladders.values()
    ]


async def get_newest_version(tx: Tx, brand_id: UUID, role: str) -> int:
    """The newest version's number; 0 when the role has no ladder yet."""
    found = await tx.session.exec(
        select(func.max(Ladder.version)).where(
            col(Ladder.brand_id) == brand_id, col(Ladder.role) == role
        )
    )
    return found.one() or 0
