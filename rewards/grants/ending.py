"""Pure: how what was locked ends: unlocked by what it waits for, or taken back, or lapsed."""

from datetime import datetime
from uuid import UUID

from loyalty.ledger.rules import Cause
from rewards.campaigns.models import UnlockKind
from rewards.grants.coupons import end_locked_coupon
from rewards.grants.crediting import count_for_tier, credit_member, spend_budget
from rewards.grants.models import LockedReward, LockStatus
from rewards.grants.world import Awaited, GrantWorld, LockedState, MemberState, cause_of_time
from tiers.standings.folding import TierEvent

UNLOCKED_TOPIC = "reward.unlocked"
LAPSED_TOPIC = "reward.lapsed"


def settle_item(
    world: GrantWorld, member: MemberState, unlock_key: str, cause: Cause, *, post: bool
) -> None:
    """Post what waits for an item's scan (its points' clock starts now), or void it. What waited
    for too long lapses, as of its own time; what waits for more than the scan goes on."""
    end = LockStatus.UNLOCKED if post else LockStatus.VOIDED
    for state in world.locked.get((member.brand_id, None, unlock_key), ()):
        if not post or state.unlock.kind is UnlockKind.ITEM or not state.waits_at(world.now):
            _end_in_time(world, member, state, cause, end)


def waits_for_item(world: GrantWorld, brand_id: UUID, unlock_key: str) -> bool:
    """Whether anything is still locked until an item's scan, and has not waited for too long."""
    states = world.locked.get((brand_id, None, unlock_key), ())
    return any(state.waits_at(world.now) for state in states)


def shown_status(reward: LockedReward, now: datetime) -> LockStatus:
    """A locked reward's status as people see it: one that waited for too long has lapsed, swept or
    not."""
    status = LockStatus(reward.status)
    has_lapsed = reward.lapses_at is not None and reward.lapses_at <= now
    return LockStatus.LAPSED if status is LockStatus.LOCKED and has_lapsed else status


def count_scan(world: GrantWorld, member: MemberState, cause: Cause) -> list[LockedState]:
    """One more paid scan of a consumer, for its tier and for what waits for scans: the last one
    unlocks it, and that is the answer. Call it before what this scan locks is locked."""
    count_for_tier(
        world, member, TierEvent(cause.occurred_at, cause.kind, cause.id, scans=1, visit=True)
    )
    return unlock_waiting(world, member, UnlockKind.NEXT_SCAN.value, cause)


def unlock_waiting(
    world: GrantWorld, member: MemberState, unlock_key: str, cause: Cause
) -> list[LockedState]:
    """One more of the events that some of a member's rewards wait for; those it has unlocked."""
    unlocked = []
    for state in world.locked.get((member.brand_id, member.id, unlock_key), ()):
        if not state.waits_at(cause.occurred_at):
            continue
        state.count -= 1
        if state.count == 0:
            end_locked(world, member, state, cause, LockStatus.UNLOCKED)
        if state.status is LockStatus.UNLOCKED:
            unlocked.append(state)
    return unlocked


def await_taking(
    world: GrantWorld, consumer: MemberState, guide: MemberState, unlock_key: str, cause: Cause
) -> None:
    """What of an item's guide waits until its consumer has taken what this scan has given: all of
    it may be there already."""
    rewards = [
        state
        for state in world.locked.get((guide.brand_id, None, unlock_key), ())
        if state.unlock.kind is UnlockKind.TAKEN and state.status is LockStatus.LOCKED
    ]
    if not rewards:
        return
    waiting = {
        state.id
        for state in world.states()
        if (state.member_id, state.cause_id) == (consumer.id, cause.id)
        and state.status is LockStatus.LOCKED
    }
    if waiting:
        world.awaited[guide.brand_id, cause.id] = Awaited(guide, waiting, False, rewards)
        return
    for state in rewards:
        _end_in_time(world, guide, state, cause, LockStatus.UNLOCKED)


def _end_in_time(
    world: GrantWorld, member: MemberState, state: LockedState, cause: Cause, end: LockStatus
) -> None:
    """End what still waits; what waited for too long lapses, as of its own time."""
    if state.waits_at(cause.occurred_at):
        end_locked(world, member, state, cause, end)
    elif state.status is LockStatus.LOCKED:
        end_locked(world, member, state, cause_of_time(state), LockStatus.LAPSED)


def end_locked(
    world: GrantWorld, member: MemberState, state: LockedState, cause: Cause, end: LockStatus
) -> None:
    """Post a locked reward to its member (UNLOCKED), or void it and free what it reserved. If a
    guide awaits that, and nothing else of its scan waits, that is posted too if any was; else it
    ends in the same way."""
    _end_one(world, member, state, cause, end)
    awaited = world.awaited.get((state.brand_id, state.cause_id))
    if awaited is None or state.id not in awaited.waiting:
        return
    awaited.waiting.remove(state.id)
    awaited.is_taken |= state.status is LockStatus.UNLOCKED
    if not awaited.waiting:
        del world.awaited[state.brand_id, state.cause_id]
        last = LockStatus.UNLOCKED if awaited.is_taken else state.status
        for reward in awaited.rewards:
            _end_in_time(world, awaited.guide, reward, cause, last)


def _end_one(
    world: GrantWorld, member: MemberState, state: LockedState, cause: Cause, end: LockStatus
) -> None:
    if state.template_id is not None:
        state.status = end_locked_coupon(world, member, state.template_id, state.id, end)
        state.resolved_by_id = cause.id
        state.count = 0 if state.status is LockStatus.UNLOCKED else state.count
        _tell_end(world, member, state)
        return
    brand = world.brands[member.brand_id]
    post = end is LockStatus.UNLOCKED
    if post:
        what = (state.asset, state.amount)
        movement = credit_member(
            world, member, what, cause, state.campaign_id, state.draw_id, pending_id=state.id
        )
    else:
        movement = world.book.resolve(
            world.issuance[(brand.id, brand.id, state.asset)],
            world.account(member, state.asset),
            state.amount,
            cause,
            pending_id=state.id,
            campaign_id=state.campaign_id,
            expires_on=None,
        )
    state.status, state.resolved_by_id = end, movement.id
    spend_budget(
        world,
        (brand.id, state.campaign_id, state.asset),
        spent=state.amount if post else 0,
        reserved=-state.amount,
    )
    if post:
        state.count = 0
    _tell_end(world, member, state)


_TOPICS = {LockStatus.UNLOCKED: UNLOCKED_TOPIC, LockStatus.LAPSED: LAPSED_TOPIC}


def _tell_end(world: GrantWorld, member: MemberState, state: LockedState) -> None:
    topic = _TOPICS.get(state.status)
    if topic is not None:
        told = {"asset": state.asset, "amount": state.amount}
        world.emit(member.brand_id, topic, member.id, told)
