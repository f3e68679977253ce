"""What members did is noted where something waits for it, and then settled: the tasks that it
completes, and the referrals that waited for it. Of brands where nothing waits, one look at the set
of them is all."""

from collections.abc import Collection, Iterable
from uuid import UUID

from loyalty.actor import Actor, system_actor
from loyalty.crypto import Keyring
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.members import service as members
from rewards.activities import queries
from rewards.events import service as events
from rewards.events.rules import RecordedEvent
from rewards.events.service import SET_SIZE_MAX, settle_events
from rewards.purchases.service import ConfigurationCache
from rewards.referrals.models import Referral
from rewards.referrals.service import end_referrals, find_due, use_code
from rewards.tasks.rules import late_limit
from rewards.tasks.service import find_completed

Key = tuple[UUID, UUID]
"""(brand_id, id)."""


async def note_scans(tx: Tx, scans: Collection[Key]) -> None:
    """Note who did these scans, whom they paid besides, and who invited whoever did them."""
    scans = await _watched(tx, scans)
    if scans:
        people = await tx.fetch(queries.FIND_OF_SCANS, scans=scans)
        await _note(tx, ((brand, id) for brand, *ids in people for id in ids if id is not None))


async def note_enrolments(tx: Tx, enrolled: Collection[Key]) -> None:
    """Note who invited these members."""
    enrolled = await _watched(tx, enrolled)
    if enrolled:
        await _note(tx, await tx.fetch(queries.FIND_INVITERS, members=enrolled))


async def note_members(tx: Tx, active: Collection[Key]) -> None:
    """Note that these members did something."""
    await _note(tx, await _watched(tx, active))


async def check_in(
    tx: Tx, actor: Actor, scene: str | None, cache: ConfigurationCache | None = None
) -> tuple[RecordedEvent, bool]:
    """What ``events.check_in`` does, noted for what waits for it."""
    checked_in = await events.check_in(tx, actor, scene, cache)
    member = await members.enrol(tx, actor)
    await note_members(tx, [(member.brand_id, member.id)])
    return checked_in


async def _watched(tx: Tx, keys: Collection[Key]) -> list[Key]:
    brands = sorted({(brand_id,) for brand_id, _ in keys})
    if not brands:
        return []
    found = await tx.fetch(queries.FIND_WATCHED, brands=brands, late=late_limit(tx.now))
    watched = {row[0] for row in found}
    return sorted({key for key in keys if key[0] in watched})


async def _note(tx: Tx, active: Iterable[Iterable[UUID]]) -> None:
    keys = sorted({tuple(key) for key in active})
    if not keys:
        return
    waiting = await tx.fetch(queries.FIND_WAITING, members=keys, late=late_limit(tx.now))
    if waiting:
        rows = [(brand_id, new_id(), member_id) for brand_id, member_id in sorted(waiting)]
        await tx.fetch(queries.INSERT, rows=rows)


async def settle_activities(tx: Tx, limit: int, cache: ConfigurationCache | None = None) -> int:
    """Settle what up to ``limit`` notes of one brand lead to; how many there may have been. The
    notes go in the same transaction, so nothing is settled that is not done with, nor lost."""
    taken = await tx.fetch(queries.TAKE, row_count_max=limit)
    if not taken:
        return 0
    brand_id = taken[0][0]
    member_ids = {member_id for _, _, member_id in taken}
    due = await find_due(tx, brand_id, member_ids)
    completed = await find_completed(tx, brand_id, member_ids)
    referred = [each.event for each in due if each.event is not None]
    facts = [*referred, *completed][:SET_SIZE_MAX]
    if facts:
        await settle_events(tx, brand_id, system_actor(brand_id), facts, cache)
    await end_referrals(tx, brand_id, due)
    await _note(tx, {(brand_id, fact.member_id) for fact in referred})
    if len(facts) == len(referred) + len(completed):  # or the rest comes in the next turn
        await tx.fetch(queries.DELETE, brand_id=brand_id, done=[(id,) for _, id, _ in taken])
    return limit  # there may be more, of this brand or another


async def use_referral_code(
    tx: Tx, actor: Actor, keyring: Keyring, code: str, device_id: str | None
) -> Referral:
    """What ``referrals.use_code`` does, noted: what it waits for may be there already."""
    referral = await use_code(tx, actor, keyring, code, device_id)
    await note_members(tx, [(referral.brand_id, referral.referred_id)])
    return referral
