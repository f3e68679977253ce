"""What ends locked rewards where no scan does: reports of actions, their times, and operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty import audit_log, keyed
from loyalty.actor import Actor
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import LockedRewardEnded, MemberClosed, NotFound
from loyalty.ids import new_id
from loyalty.ledger.rules import Cause
from loyalty.members.service import follow_merges, list_members_by_ids
from loyalty.text import checked_text
from rewards.campaigns.locks import check_action
from rewards.grants import queries
from rewards.grants.awaiting import find_guides, load_awaited
from rewards.grants.models import ActionReport, LockedReward, LockStatus
from rewards.grants.rules import end_locked, unlock_waiting
from rewards.grants.service import (
    empty_world,
    know_templates,
    load_brands_side,
    load_configuration,
    load_locked,
    load_members_side,
    load_waiting,
    write_brands_side,
    write_members_side,
)
from rewards.grants.world import GrantWorld, LockedState, MemberState, cause_of_time

REASON_LENGTH_MAX = 500
ACTIVE = "ACTIVE"
ACTION = "ACTION"
OPERATOR = "OPERATOR"
"""The kinds of causes of transfers that are booked here."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report of an action unlocked. ``member_id`` is who the member is by now."""

    report_id: UUID
    member_id: UUID
    unlocked: list[LockedState]


async def report_action(tx: Tx, actor: Actor, member_id: UUID, action: str) -> Reported:
    """Note that a member did something, and unlock what waits for it.

    A member with nothing that waits is no refusal: whoever calls back tells of everybody. Nothing
    of a frozen member is unlocked. Refuses NotFound (member), InvalidInput (action).
    """
    check_action("action", action)
    member = await _find_owner(tx, actor.brand_id, member_id)
    if member is None:
        raise NotFound(noun="member")
    report = ActionReport(
        brand_id=actor.brand_id,
        member_id=member.id,
        action=action,
        reported_by=actor.id,
        created_at=tx.now,
    )
    await tx.add(report)
    await audit_log.record(tx, actor, "action.report", member.id, did=action)
    if member.status != ACTIVE:
        return Reported(report.id, member.id, [])
    world = await _open_world(tx, [member])
    await load_waiting(tx, world, [(member.brand_id, member.id, action)])
    await _load_budgets(tx, world)
    cause = Cause(ACTION, report.id, actor.kind.value, actor.id, f"action {action}", tx.now)
    unlocked = unlock_waiting(world, member, action, cause)
    await write_members_side(tx, world)
    await write_brands_side(tx, world)
    return Reported(report.id, member.id, unlocked)


async def void_locked_reward(
    tx: Tx, actor: Actor, locked_reward_id: UUID, reason: str
) -> LockedReward:
    """Take back what is still locked, for good; its budget is free again.

    Refuses NotFound (locked reward), LockedRewardEnded and InvalidInput (reason).
    """
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    brand_id = actor.brand_id
    row = await keyed.get_row(tx, LockedReward, brand_id, locked_reward_id, "locked reward")
    if row.status != LockStatus.LOCKED:
        raise LockedRewardEnded(status=row.status)
    [member] = await _list_owners(tx, [(brand_id, row.member_id)])
    world = await _open_world(tx, [member])
    states = await load_locked(tx, world, [(brand_id, row.id)])
    if not states:
        raise RetryTransaction  # it ended in this very moment: say how
    await _load_budgets(tx, world)
    cause = Cause(OPERATOR, new_id(), actor.kind.value, actor.id, reason, tx.now)
    end_locked(world, member, states[0], cause, LockStatus.VOIDED)
    await write_members_side(tx, world)
    await audit_log.record(
        tx, actor, "locked_reward.void", row.id, reason, asset=row.asset, amount=row.amount
    )
    await write_brands_side(tx, world)
    return await keyed.get_row(tx, LockedReward, brand_id, row.id, "locked reward")


async def settle_due(tx: Tx, limit: int) -> int:
    """Unlock up to ``limit`` rewards whose time has come, of any brand, and void those that waited
    for too long; how many it were. Each counts as of its own time, however late this is."""
    due = await queries.list_due(tx, tx.now, limit)
    if not due:
        return 0
    since: dict[tuple[UUID, UUID], datetime] = {}
    for brand_id, _, member_id, at in due:
        key = (brand_id, member_id)
        since[key] = min(at, since.get(key, at))
    owners = await _list_owners(tx, since)
    members = {(member.brand_id, member.id): member for member in owners}
    world = await _open_world(tx, owners, since)
    states = await load_locked(tx, world, [(brand_id, id) for brand_id, id, *_ in due])
    await _load_budgets(tx, world)
    times = {id: at for _, id, _, at in due}
    for state in sorted(states, key=lambda state: (times[state.id], state.id)):
        if state.status is not LockStatus.LOCKED:
            continue  # it ended with what its consumer was to take
        unlocks = state.unlock.unlocks_at is not None
        end = LockStatus.UNLOCKED if unlocks else LockStatus.LAPSED
        member = members[state.brand_id, state.member_id]
        end_locked(world, member, state, cause_of_time(state), end)
    await write_members_side(tx, world)
    await write_brands_side(tx, world)
    return len(due)


async def _find_owner(tx: Tx, brand_id: UUID, member_id: UUID) -> MemberState | None:
    """The member, or into whom it was merged; None if the brand has none such."""
    followed = await follow_merges(tx, brand_id, [member_id])
    owners = await _list_owners(tx, [(brand_id, id) for id in followed.values()])
    return owners[0] if owners else None


async def _list_owners(tx: Tx, keys: Iterable[tuple[UUID, UUID]]) -> list[MemberState]:
    """Members by (brand_id, member_id): a statement per brand."""
    by_brand: dict[UUID, set[UUID]] = {}
    for brand_id, member_id in keys:
        by_brand.setdefault(brand_id, set()).add(member_id)
    return [
        MemberState(row.brand_id, row.id, row.identity_id, row.role, row.status)
        for brand_id, ids in sorted(by_brand.items())
        for row in await list_members_by_ids(tx, brand_id, sorted(ids))
    ]


async def _open_world(
    tx: Tx,
    members: Sequence[MemberState],
    since: Mapping[tuple[UUID, UUID], datetime] | None = None,
) -> GrantWorld:
    """A world with these members' accounts, locked; ``since`` is when what is to be booked began
    to count, if not now."""
    own = {(member.brand_id, member.id): member for member in members}
    brand_ids = sorted({member.brand_id for member in members})
    world = empty_world(tx, {id: await load_configuration(tx, id) for id in brand_ids})
    people = await find_guides(tx, world, own) | own
    if since:  # who awaits any of it may be paid as early as the first of it
        since = dict.fromkeys(people, min(since.values())) | dict(since)
    first_days = {
        key: local_date(at, world.brands[key[0]].timezone) for key, at in (since or {}).items()
    }
    try:
        await load_members_side(tx, world, people, first_days=first_days)
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up
    await load_awaited(tx, world, own, people)
    return world


async def _load_budgets(tx: Tx, world: GrantWorld) -> None:
    """Of what is locked: its campaigns' budgets, and of coupons their templates."""
    campaigns = {(state.brand_id, state.campaign_id) for state in world.states()}
    await load_brands_side(tx, world, campaigns, ())
    await know_templates(tx, world)
