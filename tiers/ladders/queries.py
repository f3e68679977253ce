"""The SQL of ladders."""

from uuid import UUID

from sqlmodel import col, func, select

from loyalty import keyed
from loyalty.assets.rules import Unit
from loyalty.db import Snapshot, Tx
from tiers.ladders.models import (
    Downgrade,
    Ladder,
    LadderLevel,
    PeriodKind,
    TierEnd,
    TierMetric,
    TierStart,
)
from tiers.ladders.periods import PeriodRule, read_grace
from tiers.ladders.rules import LadderPolicy, LadderView, Level
from tiers.privileges.rules import privileges_from_json


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
                row.invitation_only,
                privileges_from_json(row.privileges),
            )
        )
    return [
        LadderView(
            ladder.id,
            ladder.role,
            ladder.version,
            tuple(levels[ladder.id]),
            policy_of(ladder),
            ladder.counting_id,
        )
        for ladder in ladders.values()
    ]


def policy_of(ladder: Ladder) -> LadderPolicy:
    """What a row says of metric, period, beginning and end."""
    period = None
    if ladder.period_kind is not None and ladder.period_unit is not None:
        kind, unit = PeriodKind(ladder.period_kind), Unit(ladder.period_unit)
        period = PeriodRule(kind, unit, ladder.period_count or 1)
    return LadderPolicy(
        TierMetric(ladder.metric),
        ladder.metric_asset,
        period,
        TierStart(ladder.starts),
        TierEnd(ladder.ends),
        read_grace(ladder.grace),
        Downgrade(ladder.downgrade),
    )


async def get_ladder(tx: Tx, brand_id: UUID, id: UUID) -> Ladder:
    """A version by its id."""
    return await keyed.get_row(tx, Ladder, brand_id, id, "ladder")
