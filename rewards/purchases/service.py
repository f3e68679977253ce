"""Settle purchases, a batch in a transaction: discover by set, fold one by one, write by set."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole, system_actor
from loyalty.brands.service import get_brand, get_brand_by_slug
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.members.service import ENROLLED_TOPIC
from rewards.grants import service as grants
from rewards.grants.rules import BrandConfiguration, CounterKey, MemberState
from rewards.purchases import queries
from rewards.purchases.rules import (
    ACTIVE,
    PurchaseFact,
    PurchaseResult,
    PurchaseWorld,
    RecordedPurchase,
    campaign_of,
    caps_of,
    decide,
    fresh_facts,
    occurred_at,
)

BATCH_SIZE_MAX = 500
CONSUMER = MemberRole.CONSUMER.value

ConfigurationCache = dict[UUID, BrandConfiguration]


async def begin_import(tx: Tx, slug: str, file_name: str) -> tuple[Actor, date]:
    """Who imports into the brand (the command line, audited), and the brand's today.

    Refuses NotFound (brand).
    """
    brand = await get_brand_by_slug(tx, slug)
    actor = system_actor(brand.id)
    await audit_log.record(tx, actor, "purchases.import", brand.id, file=file_name)
    return actor, local_date(tx.now, brand.timezone)


async def settle_purchases(
    tx: Tx,
    brand_id: UUID,
    actor: Actor,
    purchases: Sequence[PurchaseFact],
    cache: ConfigurationCache | None = None,
) -> list[PurchaseResult]:
    """Record purchases in their order, with what they earn: a result each, one transaction.

    At most BATCH_SIZE_MAX facts, as ``rules.read_fact`` makes them. Buyers that are not members
    yet are enrolled. ``cache`` holds configurations between batches. Raises RetryTransaction when
    another process recorded one of the purchases first; refuses NotFound (brand).
    """
    if len(purchases) > BATCH_SIZE_MAX:
        raise ValueError(f"at most {BATCH_SIZE_MAX} purchases in one transaction")
    brand = await _configuration(tx, brand_id, {} if cache is None else cache)
    world = PurchaseWorld(grants.empty_world(tx, {brand_id: brand}), brand)
    await _load_recorded(tx, world, purchases)
    fresh = fresh_facts(world, purchases)
    if fresh:
        await _load_buyers(tx, world, fresh)
        await _load_grants(tx, world, fresh)
    results = [decide(world, actor, fact) for fact in purchases]
    if fresh:
        await _write(tx, world)
    return results


async def _configuration(tx: Tx, brand_id: UUID, cache: ConfigurationCache) -> BrandConfiguration:
    brand = await get_brand(tx, brand_id)
    held = cache.get(brand_id)
    if held is None or held.revision != brand.revision:
        held = cache[brand_id] = await grants.load_configuration(tx, brand_id)
    return held


async def _load_recorded(tx: Tx, world: PurchaseWorld, facts: Iterable[PurchaseFact]) -> None:
    keys = sorted({(world.brand.id, fact.purchase_ref) for fact in facts})
    for row in await tx.fetch(queries.FIND_PURCHASES, keys=keys):
        world.recorded[row[0]] = RecordedPurchase(*row[1:])


async def _load_buyers(tx: Tx, world: PurchaseWorld, facts: Iterable[PurchaseFact]) -> None:
    """Members who bought; those who are not members yet are enrolled in this moment."""
    brand_id = world.brand.id
    refs = sorted({fact.member_ref for fact in facts})
    identities: dict[str, UUID] = {}
    for ref, identity_id, member_id, status in await tx.fetch(
        queries.FIND_BUYERS, keys=[(brand_id, ref) for ref in refs]
    ):
        identities[ref] = identity_id
        if member_id is not None:
            world.buyers[ref] = MemberState(brand_id, member_id, identity_id, CONSUMER, status)
    unknown = [ref for ref in refs if ref not in identities]
    for ref in unknown:
        identities[ref] = world.grants.new_id()
    for ref in refs:
        if ref not in world.buyers:
            world.buyers[ref] = MemberState(
                brand_id, world.grants.new_id(), identities[ref], CONSUMER, ACTIVE, None, True
            )
    await _enrol(tx, world, [(brand_id, identities[ref], ref, tx.now) for ref in unknown])


async def _enrol(
    tx: Tx, world: PurchaseWorld, identities: list[tuple[UUID, UUID, str, object]]
) -> None:
    # In the order of the references, so that two importers of one file wait for, and do not
    # deadlock with, each other.
    if identities and len(await tx.fetch(queries.INSERT_IDENTITIES, rows=identities)) != len(
        identities
    ):
        raise RetryTransaction  # another process met one of them first
    new = [member for _, member in sorted(world.buyers.items()) if member.is_new]
    rows = [(m.brand_id, m.id, m.identity_id, m.role, m.status, tx.now) for m in new]
    if rows and len(await tx.fetch(queries.INSERT_MEMBERS, rows=rows)) != len(rows):
        raise RetryTransaction
    for member in new:
        world.grants.emit(member.brand_id, ENROLLED_TOPIC, member.id, {"role": member.role})


async def _load_grants(tx: Tx, world: PurchaseWorld, facts: Iterable[PurchaseFact]) -> None:
    """Accounts and ranks, locked; budgets and counters that the purchases may need."""
    await grants.load_members_side(
        tx, world.grants, [(m.brand_id, m.id) for m in world.buyers.values()]
    )
    campaigns: set[tuple[UUID, UUID]] = set()
    counters: set[CounterKey] = set()
    for fact in facts:
        at = occurred_at(fact, world.brand.timezone)
        campaign = campaign_of(world, at)
        if campaign is None:
            continue
        campaigns.add((world.brand.id, campaign.id))
        caps = caps_of(world, campaign, world.buyers[fact.member_ref], at)
        counters.update(key for key, _ in caps)
    await grants.load_brands_side(tx, world.grants, campaigns, counters)


async def _write(tx: Tx, world: PurchaseWorld) -> None:
    """Members first, then the events, then the brand's hottest rows: the global order of locks."""
    await grants.write_members_side(tx, world.grants)
    rows = [
        (
            world.brand.id,
            new.recorded.id,
            new.fact.purchase_ref,
            new.recorded.content_hash,
            new.recorded.member_id,
            new.fact.purchased_on,
            new.fact.quantity,
            new.fact.amount_fen,
            new.recorded.points_granted,
            new.occurred_at,
            tx.now,
        )
        for new in sorted(world.new, key=lambda new: new.fact.purchase_ref)
    ]
    if len(await tx.fetch(queries.INSERT_PURCHASES, rows=rows)) != len(rows):
        raise RetryTransaction  # another process recorded one of them first
    await grants.write_brands_side(tx, world.grants)
