"""Settle purchases, a batch in a transaction: discover by set, fold one by one, write by set."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, ActorKind, MemberRole, system_actor
from loyalty.brands.service import get_brand, get_brand_by_slug
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import InvalidInput, MemberClosed, ReferenceConflict
from loyalty.members import service as members
from loyalty.members.rules import EXTERNAL_REF_LENGTH_MAX
from loyalty.members.service import ENROLLED_TOPIC
from loyalty.places.service import get_place
from loyalty.text import checked_text
from rewards.conditions.service import log_failures
from rewards.grants import service as grants
from rewards.grants.loading import load_for_events
from rewards.grants.rules import (
    BrandConfiguration,
    GrantWorld,
    MemberState,
    level_of,
)
from rewards.grants.service import ConfigurationCache
from rewards.grants.world import Earned
from rewards.purchases import queries
from rewards.purchases.backing import load_channel
from rewards.purchases.models import PurchaseEvent
from rewards.purchases.queries import (
    find_purchase,
    find_purchase_by_ref,
    list_lines,
    list_shares,
    lock_purchase,
)
from rewards.purchases.reading import PurchaseReport, read_report
from rewards.purchases.rules import (
    ACTIVE,
    PurchaseFact,
    PurchaseResult,
    PurchaseStatus,
    PurchaseWorld,
    RecordedPurchase,
    bonuses,
    candidates,
    decide,
    fresh_facts,
    occurred_at,
)
from rewards.purchases.writing import write
from tiers.ladders.rules import Level

BATCH_SIZE_MAX = 500
CONSUMER = MemberRole.CONSUMER.value


# Other nouns may call this service and never the queries: the last five are the reads they need.
__all__ = [
    "BATCH_SIZE_MAX",
    "BuyerReport",
    "ConfigurationCache",
    "Recorded",
    "begin_import",
    "configuration_of",
    "count_returned",
    "find_owners",
    "load_owners",
    "record_purchase",
    "settle_purchases",
    "find_purchase",
    "find_purchase_by_ref",
    "list_lines",
    "list_shares",
    "lock_purchase",
]


@dataclass(frozen=True, slots=True)
class BuyerReport:
    """Who bought, as it was sent: by one of the three."""

    member_id: UUID | None = None
    external_ref: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A purchase that is there. ``is_new`` is False for a repeat: ``earned`` is what is there of
    what the first campaign gave then, the levels those of now. ``member_id`` has what the buyer
    had."""

    purchase_id: UUID
    member_id: UUID
    is_new: bool
    earned: tuple[Earned, ...]
    level_before: Level | None
    level_after: Level | None


async def begin_import(tx: Tx, slug: str, file_name: str) -> tuple[Actor, date]:
    """Who imports into the brand (the command line, audited), and the brand's today.

    Refuses NotFound (brand).
    """
    brand = await get_brand_by_slug(tx, slug)
    actor = system_actor(brand.id)
    await audit_log.record(tx, actor, "purchases.import", brand.id, file=file_name)
    return actor, local_date(tx.now, brand.timezone)


async def record_purchase(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    report: PurchaseReport,
    buyer: BuyerReport,
    cache: ConfigurationCache | None = None,
) -> Recorded:
    """Record one purchase with what it earns, as ``settle_purchases`` does; a repeat with the same
    content answers what the purchase earned then. A buyer who is no member yet is enrolled.

    Refuses InvalidInput (with the field's path), NotFound (member, product, place) and
    ReferenceConflict when the reference is another purchase's.
    """
    cache = ConfigurationCache() if cache is None else cache
    await _check_currency(tx, actor.brand_id, report.currency)
    brand = await configuration_of(tx, actor.brand_id, cache)
    member_ref, member = await _find_buyer(tx, keyring, actor.brand_id, buyer)
    identity_id = member.identity_id if member else None
    place = await get_place(tx, brand.id, report.place_id) if report.place_id else None
    where = (brand.products, place, brand.timezone)
    fact = read_report(report, member_ref, identity_id, *where, tx.now)
    known = {} if member is None else {fact.buyer: member}
    [result] = await settle_purchases(tx, brand.id, actor, [fact], cache, known)
    purchase_id, member_id = result.purchase_id, result.member_id
    if purchase_id is None or member_id is None:
        raise ReferenceConflict(noun="purchase", ref=fact.purchase_ref)
    if result.status is PurchaseStatus.ALREADY_RECORDED:
        return await _as_recorded(tx, brand, purchase_id, member_id)
    await audit_log.record(tx, actor, "purchase.record", purchase_id, source=fact.source.value)
    levels = (result.level_before, result.level_after)
    return Recorded(purchase_id, member_id, True, result.earned, *levels)


async def _check_currency(tx: Tx, brand_id: UUID, currency: str | None) -> None:
    if currency is not None:
        brand = await get_brand(tx, brand_id)
        if currency != brand.currency:
            raise InvalidInput(field="currency", problem=f"the brand's is {brand.currency}")


async def _find_buyer(
    tx: Tx, keyring: Keyring, brand_id: UUID, buyer: BuyerReport
) -> tuple[str, MemberState | None]:
    """The buyer's outside reference, by which it is found and may be enrolled; the member itself
    where it has none. One person is one buyer, however it is named."""
    named = [
        name for name in (buyer.member_id, buyer.external_ref, buyer.phone) if name is not None
    ]
    if len(named) != 1:
        raise InvalidInput(field="member", problem="a memberId, an externalRef or a phone")
    if buyer.external_ref is not None:
        ref = checked_text(buyer.external_ref, "externalRef", length_max=EXTERNAL_REF_LENGTH_MAX)
        return ref, None
    if buyer.member_id is not None:
        member = await members.get_member(tx, brand_id, buyer.member_id)
        if member.merged_into_id is not None:
            raise MemberClosed()
        identity = await members.get_identity(tx, brand_id, member.identity_id)
    else:
        identity = await members.find_or_create_identity_by_phone(
            tx, keyring, brand_id, buyer.phone or ""
        )
        found = await members.find_member(tx, brand_id, identity.id, CONSUMER)
        as_itself = Actor(ActorKind.MEMBER, brand_id, identity.id, CONSUMER)
        member = found or await members.enrol(tx, as_itself)
    if member.role != CONSUMER:
        raise InvalidInput(field="memberId", problem="not a consumer")
    if identity.external_ref is not None:
        return identity.external_ref, None
    return "", MemberState(
        brand_id,
        member.id,
        identity.id,
        member.role,
        member.status,
        member.invited_by_id,
        person_id=identity.person_id,
        joined_at=member.enrolled_at,
        birthday=member.birthday,
    )


async def find_owners(
    tx: Tx, brand_id: UUID, member_ids: Collection[UUID]
) -> dict[UUID, MemberState]:
    """Who has by now what members got, by these members' ids and by its own: each itself, or whom
    it was merged into."""
    owner_ids = await members.follow_merges(tx, brand_id, member_ids)
    rows = await members.list_members_by_ids(tx, brand_id, sorted(set(owner_ids.values())))
    owners = {
        row.id: MemberState(brand_id, row.id, row.identity_id, row.role, row.status) for row in rows
    }
    return owners | {id: owners[owner_id] for id, owner_id in owner_ids.items()}


async def load_owners(tx: Tx, world: GrantWorld, owners: Iterable[MemberState]) -> None:
    """Lock the accounts of members that were found to be nobody else's."""
    try:
        await grants.load_members_side(tx, world, [(m.brand_id, m.id) for m in owners])
    except MemberClosed as merged:
        raise RetryTransaction from merged  # in this moment: find anew who has them


async def _as_recorded(
    tx: Tx, brand: BrandConfiguration, purchase_id: UUID, buyer_id: UUID
) -> Recorded:
    """What was there before, with what it earned and the level that its buyer has now."""
    owner = (await find_owners(tx, brand.id, [buyer_id]))[buyer_id]
    world = grants.empty_world(tx, {brand.id: brand})
    await load_owners(tx, world, [owner])
    level = level_of(world, owner)
    credited = await grants.list_granted_credits(tx, brand.id, {buyer_id, owner.id}, [purchase_id])
    # Who was behind the place has what was locked for it, and that is not the buyer's.
    has_now = await members.follow_merges(tx, brand.id, {each.member_id for each in credited})
    of_bonuses = {row.campaign_id for row in await grants.list_bonuses(tx, brand.id, [purchase_id])}
    earned = tuple(
        Earned(credit.asset, credit.amount, credit.is_pending)
        for credit in credited
        if credit.campaign_id not in of_bonuses and has_now[credit.member_id] == owner.id
    )
    return Recorded(purchase_id, owner.id, False, earned, level, level)


async def settle_purchases(
    tx: Tx,
    brand_id: UUID,
    actor: Actor,
    purchases: Sequence[PurchaseFact],
    cache: ConfigurationCache | None = None,
    known: Mapping[str, MemberState] | None = None,
) -> list[PurchaseResult]:
    """Record purchases in their order, with what they earn: a result each, one transaction.

    At most BATCH_SIZE_MAX facts, as ``reading.read_fact`` makes them. Buyers that are not members
    yet are enrolled; ``known`` are those that have no outside reference, by ``PurchaseFact.buyer``.
    ``cache`` holds configurations between batches. Raises RetryTransaction when another process
    recorded one of the purchases first; refuses NotFound (brand).
    """
    if len(purchases) > BATCH_SIZE_MAX:
        raise ValueError(f"at most {BATCH_SIZE_MAX} purchases in one transaction")
    cache = ConfigurationCache() if cache is None else cache
    brand = await configuration_of(tx, brand_id, cache)
    world = PurchaseWorld(
        grants.empty_world(tx, {brand_id: brand}), brand, buyers=dict(known or {})
    )
    await _load_recorded(tx, world, purchases)
    fresh = fresh_facts(world, purchases)
    if fresh:
        await _load_buyers(tx, world, fresh)
        bought = [(fact, occurred_at(fact, brand.timezone)) for fact in fresh]
        events = [
            (
                world.buyers[fact.buyer],
                at,
                (*candidates(world, fact, at), *bonuses(world, fact, at)),
            )
            for fact, at in bought
        ]
        backers = await load_channel(tx, world, bought)
        await load_for_events(tx, world.grants, events, backers, keyring=cache.keyring)
    results = [decide(world, actor, fact) for fact in purchases]
    if fresh:
        await write(tx, world)
    log_failures(world.questions)
    return results


async def configuration_of(tx: Tx, brand_id: UUID, cache: ConfigurationCache) -> BrandConfiguration:
    """A brand's configuration from the cache, renewed when its revision has moved; NotFound."""
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
    refs = sorted({fact.member_ref for fact in facts if fact.buyer not in world.buyers})
    identities: dict[str, UUID] = {}
    for ref, identity_id, member_id, status, inviter_id, *known in await tx.fetch(
        queries.FIND_BUYERS, keys=[(brand_id, ref) for ref in refs]
    ):
        identities[ref] = identity_id
        if member_id is not None:
            buyer = MemberState(brand_id, member_id, identity_id, CONSUMER, status, inviter_id)
            buyer.joined_at, buyer.birthday, buyer.person_id = known
            world.buyers[ref] = buyer
    unknown = [ref for ref in refs if ref not in identities]
    for ref in unknown:
        identities[ref] = world.grants.new_id()
    for ref in refs:
        if ref not in world.buyers:
            world.buyers[ref] = MemberState(
                brand_id, world.grants.new_id(), identities[ref], CONSUMER, ACTIVE, is_new=True
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


# --- what returns need of purchases --------------------------------------------------------------


async def count_returned(
    tx: Tx,
    purchase: PurchaseEvent,
    amount_fen: int,
    lines: Iterable[tuple[int, int, int]],
    *,
    is_last: bool,
) -> None:
    """Note what was given back of a purchase: an amount, and (line_no, quantity, amount_fen) of its
    lines; ``is_last``: nothing is left of it. RetryTransaction when another return was first."""
    counted = await tx.fetch(
        queries.COUNT_RETURNED,
        amount_fen=amount_fen,
        returned_at=tx.now if is_last else None,
        brand_id=purchase.brand_id,
        id=purchase.id,
    )
    given = sorted((purchase.brand_id, purchase.id, *line) for line in lines)
    if not counted or (
        given and len(await tx.fetch(queries.COUNT_RETURNED_LINES, given=given)) != len(given)
    ):
        raise RetryTransaction
