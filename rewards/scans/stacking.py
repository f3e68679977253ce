"""Pure: what bonus campaigns pay on top of a scan: its consumer, and the guide if it is paid."""

from collections.abc import Sequence

from loyalty.ledger.rules import Cause
from rewards.grants.models import LockStatus
from rewards.grants.rules import Credit, MemberState
from rewards.grants.stacking import Paid, PlannedBonus, Stacking, by_asset, plan_bonuses
from rewards.scans.world import (
    BatchView,
    ScanRequest,
    ScanWorld,
    bonuses,
    scan_facts,
    unlock_key,
)


def plan_of_scan(
    world: ScanWorld,
    request: ScanRequest,
    batch: BatchView,
    cause: Cause,
    consumer: tuple[MemberState, Sequence[Credit]],
    guide: tuple[MemberState, Sequence[Credit]] | None,
    item: int,
) -> list[PlannedBonus]:
    """The bonuses of a scan that its campaign pays: to the consumer, and to the guide if that one
    is paid too, each with its credits. A guide without any has had them locked by a pre-scan."""
    candidates = bonuses(world, request, batch)
    if not candidates:
        return []
    member, credits = consumer
    stacking = Stacking(
        candidates,
        world.questions,
        lambda campaign: scan_facts(world, request, batch, member, campaign),
    )
    paid = Paid(member, by_asset(credits))
    if guide is None:
        return plan_bonuses(world.grants, stacking, cause, paid)
    who, theirs = guide
    gets = by_asset(theirs) if theirs else _locked(world, batch, item)
    return plan_bonuses(world.grants, stacking, cause, paid, Paid(who, gets))


def _locked(world: ScanWorld, batch: BatchView, item: int) -> dict[str, int]:
    """What waits for the item's scan."""
    sums: dict[str, int] = {}
    for state in world.grants.locked.get((batch.brand_id, None, unlock_key(item)), ()):
        if state.status is LockStatus.LOCKED:
            sums[state.asset] = sums.get(state.asset, 0) + state.amount
    return sums
