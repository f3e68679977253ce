"""Guides who wait until consumers have taken what they got, read by set."""

from collections.abc import Iterable
from uuid import UUID

from loyalty.db import RetryTransaction, Tx
from rewards.grants import queries
from rewards.grants.models import LockStatus
from rewards.grants.service import note_locked
from rewards.grants.world import Awaited, GrantWorld, MemberState

MemberKey = tuple[UUID, UUID]


async def find_guides(
    tx: Tx, world: GrantWorld, members: Iterable[MemberKey]
) -> dict[MemberKey, MemberState]:
    """The guides who may be paid by what ends of these (brand_id, member_id) members' rewards now;
    their accounts are to be locked, too. No statement for brands that never had such a gate."""
    asked = _asked(world, members)
    rows = await queries.list_awaited(tx, asked) if asked else []
    return {(guide.brand_id, guide.id): guide for guide, *_ in rows}


async def load_awaited(
    tx: Tx,
    world: GrantWorld,
    members: Iterable[MemberKey],
    guides: dict[MemberKey, MemberState],
) -> None:
    """Read what these members' guides wait for, once all their accounts are locked: a consumer's
    rewards change only under that lock. ``guides`` are those that were found before; another one
    by now is RetryTransaction."""
    asked = _asked(world, members)
    if not asked:
        return
    known: set[UUID] = set()
    for guide, awaited_id, reward_id, status, state in await queries.list_awaited(tx, asked):
        locked = guides.get((guide.brand_id, guide.id))
        if locked is None:
            raise RetryTransaction
        key = (state.brand_id, awaited_id)
        awaited = world.awaited.setdefault(key, Awaited(locked, set(), False))
        if state.id not in known:
            known.add(state.id)
            note_locked(world, [state])
            awaited.rewards.append(state)
        if status is LockStatus.LOCKED:
            awaited.waiting.add(reward_id)
        awaited.is_taken |= status is LockStatus.UNLOCKED


def _asked(world: GrantWorld, members: Iterable[MemberKey]) -> list[MemberKey]:
    return sorted({key for key in members if world.brands[key[0]].has_taken_gates})
