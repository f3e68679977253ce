"""Verbs of ladders."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.assets.service import require_asset
from loyalty.brands.service import get_brand, touch_configuration
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import LadderLowersMembers
from loyalty.ids import new_id
from tiers.ladders import queries
from tiers.ladders.models import Ladder, LadderLevel, TierEnd
from tiers.ladders.rules import (
    DEFAULT_POLICY,
    LadderPolicy,
    LadderView,
    Level,
    carried_ranks,
    check_levels,
    check_policy,
)
from tiers.privileges.rules import privileges_to_json
from tiers.standings.carrying import carry_holders, lock_holders, open_run_of_all
from tiers.standings.previewing import LadderMove, preview_moves


@dataclass(frozen=True, slots=True)
class _Succession:
    """A ladder to be published, the one it follows, and the brand's time zone."""

    wanted: LadderView
    current: LadderView | None
    timezone: str


async def publish_ladder(
    tx: Tx,
    actor: Actor,
    *,
    role: MemberRole,
    levels: Sequence[Level],
    policy: LadderPolicy = DEFAULT_POLICY,
    allow_lowering: bool = False,
) -> Ladder:
    """Publish a new version of a role's ladder.

    Levels are known by their codes: holders keep theirs, and who has held one without end is held
    to the end that the new ladder gives. Who has earned a higher one rises with the next event, or
    with the run that looks at every member soon. Only where a level that somebody holds is gone, or
    where levels end as soon as the amount drops, somebody is lowered: refused as
    LadderLowersMembers unless allowed. Refuses InvalidInput, and NotFound (asset).
    """
    # First of all: from here on nobody moves a standing by the ladder that was (KEEP_RULES).
    await touch_configuration(tx, actor.brand_id)
    succession = await _succession(tx, actor.brand_id, role, levels, policy)
    wanted = succession.wanted
    if not await tx.insert_if_absent(_ladder_row(tx, actor, wanted)):
        raise RetryTransaction  # published at the same moment by someone else
    await tx.add(*(_level_row(actor.brand_id, wanted.id, level) for level in levels))
    await _carry(tx, actor.brand_id, succession, allowed=allow_lowering)
    await open_run_of_all(tx, actor.brand_id, wanted, succession.timezone)
    await audit_log.record(
        tx, actor, "publishLadder", wanted.id, role=role.value, version=wanted.version
    )
    return await queries.get_ladder(tx, actor.brand_id, wanted.id)


async def preview_ladder(
    snapshot: Snapshot,
    actor: Actor,
    *,
    role: MemberRole,
    levels: Sequence[Level],
    policy: LadderPolicy = DEFAULT_POLICY,
    sample_max: int = 0,
) -> list[LadderMove]:
    """Who would move if this were published now, falls first, with up to ``sample_max`` members of
    each move. Some statements for each 20,000 members; refuses as ``publish_ladder`` does, but for
    LadderLowersMembers."""
    succession = await _succession(snapshot, actor.brand_id, role, levels, policy)
    return await preview_moves(
        snapshot,
        actor.brand_id,
        succession.timezone,
        succession.current,
        succession.wanted,
        sample_max=sample_max,
    )


async def _succession(
    snapshot: Snapshot,
    brand_id: UUID,
    role: MemberRole,
    levels: Sequence[Level],
    policy: LadderPolicy,
) -> _Succession:
    check_levels(levels)
    check_policy(policy)
    if policy.metric_asset is not None:
        await require_asset(snapshot, brand_id, policy.metric_asset)
    timezone = (await get_brand(snapshot, brand_id)).timezone
    current = (await current_ladders(snapshot, brand_id)).get(role.value)
    id = new_id()
    counting_id = None if policy.counts_balance else id
    if current is not None and current.policy.day_metric == policy.day_metric:
        counting_id = current.counting_id  # what was counted so far is still what counts
    version = current.version + 1 if current else 1
    wanted = LadderView(id, role.value, version, tuple(levels), policy, counting_id)
    return _Succession(wanted, current, timezone)


async def _carry(tx: Tx, brand_id: UUID, succession: _Succession, *, allowed: bool) -> None:
    """Give holders the ranks that their levels have now; refuse to lower them if not allowed."""
    wanted, current = succession.wanted, succession.current
    carried, gone = carried_ranks(current.levels if current else (), wanted.levels)
    changing = {old for old, new in carried.items() if old != new} | gone
    holders = await lock_holders(tx, brand_id, wanted.role, changing)
    lowered = sum(rank in gone for _, rank in holders)
    if not allowed and wanted.policy.ends is TierEnd.BALANCE_DROP:
        moves = await preview_moves(tx, brand_id, succession.timezone, current, wanted)
        lowered = sum(move.members for move in moves if move.lowers)
    if lowered and not allowed:
        raise LadderLowersMembers(members=lowered)
    await carry_holders(tx, brand_id, wanted, holders, carried, gone)


def _ladder_row(tx: Tx, actor: Actor, ladder: LadderView) -> Ladder:
    policy = ladder.policy
    period = policy.period
    return Ladder(
        brand_id=actor.brand_id,
        id=ladder.id,
        role=ladder.role,
        version=ladder.version,
        published_by=actor.id,
        published_at=tx.now,
        metric=policy.metric.value,
        metric_asset=policy.metric_asset,
        period_kind=period.kind.value if period else None,
        period_unit=period.unit.value if period else None,
        period_count=period.count if period else None,
        starts=policy.starts.value,
        ends=policy.ends.value,
        grace=policy.grace.text if policy.grace else None,
        downgrade=policy.downgrade.value,
        counting_id=ladder.counting_id,
    )


def _level_row(brand_id: UUID, ladder_id: UUID, level: Level) -> LadderLevel:
    return LadderLevel(
        brand_id=brand_id,
        ladder_id=ladder_id,
        rank=level.rank,
        code=level.code,
        name_zh=level.name_zh,
        name_en=level.name_en,
        growth_threshold=level.growth_threshold,
        points_multiplier_percent=level.points_multiplier_percent,
        invitation_only=level.invitation_only,
        privileges=privileges_to_json(level.privileges),
    )


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
