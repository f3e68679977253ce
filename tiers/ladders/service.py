"""Verbs of ladders."""

from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.brands.service import touch_configuration
from loyalty.db import RetryTransaction, Snapshot, Tx
from tiers.ladders import queries
from tiers.ladders.models import Ladder, LadderLevel
from tiers.ladders.rules import LadderView, Level, check_levels
from tiers.standings import service as standings


async def publish_ladder(
    tx: Tx, actor: Actor, *, role: MemberRole, levels: list[Level], allow_lowering: bool = False
) -> Ladder:
    """Publish a new version of a role's levels.

    Holders keep their rank; who earned a higher one rises with the next growth. Only a ladder
    with fewer levels must lower someone: refused as LadderLowersMembers unless allowed.
    """
    check_levels(levels)
    version = await queries.get_newest_version(tx, actor.brand_id, role.value) + 1
    ladder = Ladder(
        brand_id=actor.brand_id,
        role=role.value,
        version=version,
        published_by=actor.id,
        published_at=tx.now,
    )
    if not await tx.insert_if_absent(ladder):
        raise RetryTransaction  # published at the same moment by someone else
    await tx.add(
        *(
            LadderLevel(
                brand_id=actor.brand_id,
                ladder_id=ladder.id,
                rank=level.rank,
                code=level.code,
                name_zh=level.name_zh,
                name_en=level.name_en,
                growth_threshold=level.growth_threshold,
                points_multiplier_percent=level.points_multiplier_percent,
            )
            for level in levels
        )
    )
    await standings.lower_to_top(
        tx,
        actor.brand_id,
        role.value,
        top_rank=len(levels) - 1,
        ladder_id=ladder.id,
        allowed=allow_lowering,
    )
    await touch_configuration(tx, actor.brand_id)
    await audit_log.record(tx, actor, "publishLadder", ladder.id, role=role.value, version=version)
    return ladder


async def current_ladders(snapshot: Snapshot, brand_id: UUID) -> dict[str, LadderView]:
    """The newest ladder of each role."""
    found = await queries.list_current_ladders(snapshot, brand_id)
    return {ladder.role: ladder for ladder in found}


def starter_levels() -> list[Level]:
    """The four levels a new brand begins with."""
    return [
        Level(0, "BASIC", "普通会员", "Basic", 0, 100),
        Level(1, "SILVER", "银卡会员", "Silver", 100, 100),
        Level(2, "GOLD", "金卡会员", "Gold", 500, 100),
        Level(3, "DIAMOND", "钻石会员", "Diamond", 2000, 100),
    ]
