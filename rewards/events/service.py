"""Settle events, a set in a transaction: discover by set, fold one by one, write by set."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from loyalty import audit_log
from loyalty.actor import Actor, system_actor
from loyalty.brands.service import get_brand, list_brands
from loyalty.clock import day_start, local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import InvalidInput, NotFound, ReferenceConflict, Refusal
from loyalty.members import service as members
from loyalty.text import checked_text
from rewards.campaigns import service as campaigns
from rewards.campaigns.models import EventKind
from rewards.conditions.service import log_failures
from rewards.draws.folding import draw_rows
from rewards.draws.service import write_draws
from rewards.event_types.service import list_types
from rewards.events import queries, sources
from rewards.events.models import EventUnpaidReason
from rewards.events.reading import EventReport, read_external_ref, read_report
from rewards.events.rules import (
    EventFact,
    EventResult,
    EventStatus,
    EventWorld,
    NewEvent,
    RecordedEvent,
    bonuses,
    candidates,
    decide,
    fresh_facts,
)
from rewards.gifts.rules import birthdays_on
from rewards.grants import service as grants
from rewards.grants import unlocking
from rewards.grants.loading import load_for_events
from rewards.grants.rules import MemberState
from rewards.grants.unlocking import Reported
from rewards.grants.world import Earned
from rewards.purchases.service import ConfigurationCache, configuration_of

SET_SIZE_MAX = 1_000
SCENE_LENGTH_MAX = 64


async def settle_events(
    tx: Tx,
    brand_id: UUID,
    actor: Actor,
    facts: Sequence[EventFact],
    cache: ConfigurationCache | None = None,
) -> list[EventResult]:
    """Record events in their order, with what they earn: a result each, one transaction.

    At most SET_SIZE_MAX, a constant number of statements. ``cache`` holds configurations between
    sets. Raises RetryTransaction when another process recorded one of them first; refuses NotFound
    (brand).
    """
    if len(facts) > SET_SIZE_MAX:
        raise ValueError(f"at most {SET_SIZE_MAX} events in one transaction")
    cache = ConfigurationCache() if cache is None else cache
    brand = await configuration_of(tx, brand_id, cache)
    world = EventWorld(grants.empty_world(tx, {brand_id: brand}), brand)
    await _load_recorded(tx, world, facts)
    fresh = fresh_facts(world, facts)
    if fresh:
        await _load_members(tx, world, fresh)
        fresh = [fact for fact in fresh if fact.member_id in world.members]
        await load_for_events(
            tx,
            world.grants,
            [
                (member, fact.at, (*candidates(world, fact, member), *bonuses(world, fact, member)))
                for fact in fresh
                for member in [world.members[fact.member_id]]
            ],
            keyring=cache.keyring,
        )
    results = [decide(world, actor, fact) for fact in facts]
    if world.new:
        await _write(tx, world)
    log_failures(world.questions)
    return results


async def _load_recorded(tx: Tx, world: EventWorld, facts: Iterable[EventFact]) -> None:
    keys = sorted({(world.brand.id, *fact.key) for fact in facts})
    if not keys:
        return
    for kind, ref, id, content_hash, unpaid, earned in await tx.fetch(
        queries.FIND_EVENTS, keys=keys
    ):
        world.recorded[kind, ref] = RecordedEvent(
            id,
            content_hash,
            None if unpaid is None else EventUnpaidReason(unpaid),
            tuple(Earned(**reward) for reward in orjson.loads(earned)),
        )


async def _load_members(tx: Tx, world: EventWorld, facts: Iterable[EventFact]) -> None:
    """Whoever the events name, and is one of the brand's members; each of them once."""
    keys = sorted({(world.brand.id, fact.member_id) for fact in facts})
    states: dict[UUID, MemberState] = {}
    for named_id, *known in await tx.fetch(queries.FIND_MEMBERS, keys=keys):
        id, identity_id, role, status, inviter_id, joined_at, birthday = known
        state = MemberState(world.brand.id, id, identity_id, role, status, inviter_id)
        state.joined_at, state.birthday = joined_at, birthday
        world.members[named_id] = states.setdefault(id, state)


async def _write(tx: Tx, world: EventWorld) -> None:
    """Members first, then the events, then the brand's hottest rows: the global order of locks."""
    await grants.write_members_side(tx, world.grants)
    new = sorted(world.new, key=lambda each: each.fact.key)
    rows = [_row(world, each, tx) for each in new]
    if len(await tx.fetch(queries.INSERT_EVENTS, rows=rows)) != len(rows):
        raise RetryTransaction  # another process recorded one of them first
    await grants.write_brands_side(tx, world.grants)
    await write_draws(tx, draw_rows(world.draws, world.grants.counted))


def _row(world: EventWorld, new: NewEvent, tx: Tx) -> tuple[object, ...]:
    fact, recorded = new.fact, new.recorded
    unpaid = recorded.unpaid_reason
    return (
        world.brand.id,
        recorded.id,
        fact.kind.value,
        fact.ref,
        recorded.content_hash,
        fact.member_id,
        fact.type_id,
        orjson.dumps(fact.payload).decode(),
        new.campaign_version_id,
        None if unpaid is None else unpaid.value,
        orjson.dumps(recorded.earned).decode(),
        fact.at,
        tx.now,
    )


# --- what members do -----------------------------------------------------------------------------


async def check_in(
    tx: Tx, actor: Actor, scene: str | None = None, cache: ConfigurationCache | None = None
) -> tuple[RecordedEvent, bool]:
    """A member checks in: the event of its local day, and whether it is there since just now. Who
    is no member yet is enrolled. Refuses what ``members.enrol`` refuses and InvalidInput (scene).
    """
    told = "" if scene is None else checked_text(scene, "scene", length_max=SCENE_LENGTH_MAX)
    member = await members.enrol(tx, actor)
    brand = await get_brand(tx, actor.brand_id)
    fact = sources.checked_in(member.id, local_date(tx.now, brand.timezone), told, tx.now)
    [result] = await settle_events(tx, brand.id, actor, [fact], cache)
    return _recorded(fact, result), result.status is EventStatus.RECORDED


async def tell_birthday(
    tx: Tx, actor: Actor, month: int, day: int, cache: ConfigurationCache | None = None
) -> str:
    """A member tells its birthday, once: ``MM-DD``; with that its profile is complete. Refuses what
    ``members.set_birthday`` refuses."""
    birthday = await members.set_birthday(tx, actor, month, day)
    member = await members.enrol(tx, actor)
    fact = sources.profile_completed(member.id, tx.now)
    await settle_events(tx, actor.brand_id, actor, [fact], cache)
    return birthday


def _recorded(fact: EventFact, result: EventResult) -> RecordedEvent:
    if result.status is EventStatus.MEMBER_UNKNOWN:
        raise NotFound(noun="member")
    if result.recorded is None:
        raise ReferenceConflict(noun="event", ref=fact.ref)
    return result.recorded


# --- what others tell of -------------------------------------------------------------------------

Posted = EventResult | Refusal


async def post_events(
    tx: Tx,
    actor: Actor,
    reports: Sequence[EventReport],
    cache: ConfigurationCache | None = None,
) -> list[Posted]:
    """Record custom events of registered types: of each what became of it, or why it is refused,
    which keeps none of the others.

    Refuses InvalidInput (none, or more than SET_SIZE_MAX) and, where each of them is refused, what
    the first one is, so that nothing at all is kept of the call."""
    if not 1 <= len(reports) <= SET_SIZE_MAX:
        raise InvalidInput(field="events", problem=f"1 to {SET_SIZE_MAX} events")
    types = {row.code: row for row in await list_types(tx, actor.brand_id)}
    consumers = await _find_consumers(tx, actor.brand_id, reports)
    posted: list[Posted | EventFact] = []
    for report in reports:
        try:
            posted.append(read_report(report, types, consumers, tx.now))
        except Refusal as refusal:
            posted.append(refusal)
    facts = [each for each in posted if isinstance(each, EventFact)]
    results = iter(await settle_events(tx, actor.brand_id, actor, facts, cache))
    answers = [_answer(each, results) for each in posted]
    if isinstance(answers[0], Refusal) and all(isinstance(each, Refusal) for each in answers):
        raise answers[0]
    await audit_log.record(
        tx, actor, "events.post", actor.brand_id, told=len(reports), understood=len(facts)
    )
    return answers


def _answer(each: Posted | EventFact, results: Iterable[EventResult]) -> Posted:
    if not isinstance(each, EventFact):
        return each
    result = next(iter(results))
    if result.recorded is not None:
        return result
    if result.status is EventStatus.CONFLICT:
        return ReferenceConflict(noun="event", ref=each.ref)
    return NotFound(noun="member")


async def _find_consumers(
    tx: Tx, brand_id: UUID, reports: Iterable[EventReport]
) -> dict[str, UUID]:
    refs: set[str] = set()
    for report in reports:
        try:
            refs.add(read_external_ref(report) or "")
        except Refusal:
            continue  # told of when the report is read
    keys = [(brand_id, ref) for ref in sorted(refs - {""})]
    return dict(await tx.fetch(queries.FIND_CONSUMERS, keys=keys)) if keys else {}


async def report_action(
    tx: Tx,
    actor: Actor,
    member_id: UUID,
    action: str,
    cache: ConfigurationCache | None = None,
) -> Reported:
    """What ``unlocking.report_action`` does, and what the report itself earns."""
    reported = await unlocking.report_action(tx, actor, member_id, action)
    facts = sources.action_reported(reported.member_id, reported.report_id, action, tx.now)
    await settle_events(tx, actor.brand_id, actor, facts, cache)
    return reported


# --- what comes about ----------------------------------------------------------------------------


async def settle_where_paid(
    tx: Tx,
    brand_id: UUID,
    facts: Sequence[EventFact],
    cache: ConfigurationCache | None = None,
) -> None:
    """Record what is on record elsewhere, of one kind, where the brand runs a campaign for it."""
    brand = await configuration_of(tx, brand_id, ConfigurationCache() if cache is None else cache)
    paid = [fact for fact in facts if brand.campaigns.pays_for(fact.kind)]
    if paid:
        await settle_events(tx, brand_id, system_actor(brand_id), paid, cache)


async def settle_birthdays(tx: Tx, limit: int, cache: ConfigurationCache | None = None) -> int:
    """Record up to ``limit`` birthdays of this day where each brand is, if it runs a campaign for
    them; how many it were. Of one brand at a time; whoever had theirs is passed over."""
    for brand in sorted(await list_brands(tx), key=lambda brand: brand.id):
        on = local_date(tx.now, brand.timezone)
        live = await campaigns.live_campaigns(tx, brand.id)
        if not live.pays_for(EventKind.BIRTHDAY):
            continue
        found = await tx.fetch(
            queries.FIND_BIRTHDAYS,
            days=[(day,) for day in birthdays_on(on)],
            brand_id=brand.id,
            ref_end=sources.birthday_ref_end(on),
            row_count_max=min(limit, SET_SIZE_MAX),
        )
        if found:
            at = day_start(on, brand.timezone)
            facts = [sources.birthday(row[0], on, at) for row in found]
            await settle_events(tx, brand.id, system_actor(brand.id), facts, cache)
            return limit  # there may be more, of this brand or the next
    return 0
