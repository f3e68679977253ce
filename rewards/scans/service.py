"""Settle a batch of scans in one transaction: discover by set, fold one by one, write by set."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson
import structlog

from loyalty.codes.rules import item_no
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import MemberClosed, Refusal
from loyalty.members.service import ENROLLED_TOPIC
from rewards.campaigns.models import CapSubject, UnlockKind
from rewards.campaigns.rules import TOGETHER
from rewards.conditions.service import log_failures
from rewards.draws.folding import member_keys, prize_keys, stock_keys
from rewards.grants import service as grants
from rewards.grants.loading import load_seeds
from rewards.grants.rules import (
    BrandConfiguration,
    CounterKey,
    MemberState,
    StockKey,
    counter_keys,
)
from rewards.scans import queries
from rewards.scans.awaiting import load_awaited, meet_guides
from rewards.scans.backing import load_channel, with_channel
from rewards.scans.boxes import load_boxes, meet_owners
from rewards.scans.inner_codes import inner_keys
from rewards.scans.rules import decide
from rewards.scans.world import (
    CONSUMER,
    GUIDE,
    BatchView,
    ClaimState,
    ItemCodeState,
    ScanReply,
    ScanRequest,
    ScanWorld,
    bonuses,
    candidates,
    find_batch,
    reply_key,
    unlock_key,
)
from rewards.scans.writing import write

log = structlog.get_logger("scans")

ConfigurationCache = dict[UUID, BrandConfiguration]
Enrolment = tuple[MemberState, UUID | None, str | None]
"""A new member, the invitation it accepts, and its name on the roster."""


async def settle_scans(
    tx: Tx,
    requests: Sequence[ScanRequest],
    cache: ConfigurationCache,
    keyring: Keyring | None = None,
) -> list[ScanReply | Refusal]:
    """Answer scans in their order: a reply each, or a refusal each. All are one transaction.

    ``cache`` holds brands' configurations between batches; it is renewed when a brand's revision
    has moved. Without ``keyring`` no seed can be opened, and no campaign with a draw runs. Raises
    RetryTransaction when another process won a race for something scarce.
    """
    brand_ids = sorted({request.actor.brand_id for request in requests})
    codes = sorted({(r.actor.brand_id, r.batch_number) for r in requests if r.batch_number})
    actors = sorted({(r.actor.brand_id, r.actor.id, r.actor.role) for r in requests})
    brands, replies, batches, scanners = await tx.together(
        tx.fetch(queries.FIND_BRANDS, keys=[(brand_id,) for brand_id in brand_ids]),
        tx.fetch(queries.FIND_REPLIES, keys=sorted({reply_key(r) for r in requests})),
        tx.fetch(queries.FIND_BATCHES, keys=codes),
        tx.fetch(queries.FIND_SCANNERS, keys=actors),
    )
    world = ScanWorld(grants.empty_world(tx, await _configurations(tx, brands, cache)))
    for brand_id, actor_id, key, body_hash, reply in replies:
        world.replies[(brand_id, actor_id, key)] = (body_hash, orjson.loads(reply))
    for row in batches:
        batch = BatchView(*row)
        world.batches[(batch.brand_id, batch.number)] = batch
    fresh = _first_of_each_key(world, requests)
    await tx.together(
        _enrol(tx, world, _note_scanners(world, fresh, scanners)),
        _load_item_codes(tx, world, fresh),
        _load_claims_and_guides(tx, world, fresh),
        load_boxes(tx, world, fresh),
    )
    await load_channel(tx, world, fresh)
    meet_owners(world)
    await meet_guides(tx, world)
    await _lock_people(tx, world)
    await load_awaited(tx, world)
    await tx.together(
        grants.load_ranks(tx, world.grants, _people(world)),
        _load_devices(tx, world, fresh),
        _load_scarce(tx, world, fresh),
    )
    await grants.know_templates(tx, world.grants)
    drawing = {
        (key[0], campaign.id): campaign
        for key, found in world.campaigns.items()
        for campaign in found
        if campaign.draw is not None
    }
    await load_seeds(tx, world.grants, drawing, keyring)
    answers = [decide(world, request) for request in requests]
    await write(tx, world)
    log_failures(world.questions)
    return answers


async def _configurations(
    tx: Tx, rows: Iterable[Sequence[Any]], cache: ConfigurationCache
) -> ConfigurationCache:
    known: ConfigurationCache = {}  # our own: another batch may renew the cache meanwhile
    for brand_id, revision in rows:
        held = cache.get(brand_id)
        if held is None or held.revision != revision:
            held = cache[brand_id] = await grants.load_configuration(tx, brand_id)
        known[brand_id] = held
    return known


def _first_of_each_key(world: ScanWorld, requests: Sequence[ScanRequest]) -> list[ScanRequest]:
    """The scans that will be decided. One whose key was used before, maybe by an earlier scan of
    the batch, is answered from that one: it touches nothing, and enrols nobody in the other role
    it may have come in."""
    first: dict[tuple[UUID, UUID, str], ScanRequest] = {}
    for request in requests:
        key = reply_key(request)
        if key not in world.replies and find_batch(world, request) is not None:
            first.setdefault(key, request)
    return list(first.values())


def _note_scanners(
    world: ScanWorld, requests: Sequence[ScanRequest], rows: Iterable[Sequence[Any]]
) -> list[Enrolment]:
    """Members who scan; those who are not yet, and may be, are to be enrolled in this moment."""
    scanning = {(r.actor.brand_id, r.actor.id, r.actor.role) for r in requests}
    enrolled: list[Enrolment] = []
    for row in rows:
        brand_id, identity_id, role, member_id, status, invited_by_id, person_id = row[:7]
        roster_id, roster_name, invitation_id, inviter_id, joined_at, birthday, born_by = row[7:]
        if (brand_id, identity_id, role) not in scanning:
            continue
        member: MemberState | None = None
        if role != CONSUMER and roster_id is None:
            pass  # off the roster: nobody in this role, also if it was on it before
        elif member_id is not None:
            member = MemberState(brand_id, member_id, identity_id, role, status, invited_by_id)
        elif role == CONSUMER:
            member = MemberState(
                brand_id, world.grants.new_id(), identity_id, role, "ACTIVE", inviter_id, True
            )
            enrolled.append((member, invitation_id, None))
        else:
            member = MemberState(
                brand_id, world.grants.new_id(), identity_id, role, "ACTIVE", None, True
            )
            enrolled.append((member, None, roster_name))
        world.members[(brand_id, identity_id, role)] = member
        if member is not None:
            member.person_id = person_id
            member.joined_at, member.birthday, member.born_by = joined_at, birthday, born_by
            world.members_by_id[(brand_id, member.id)] = member
    return enrolled


async def _enrol(tx: Tx, world: ScanWorld, enrolled: list[Enrolment]) -> None:
    if not enrolled:
        return
    # In the order of the key that two processes may both want, not of our new ids.
    enrolled = sorted(enrolled, key=lambda e: (e[0].brand_id, e[0].identity_id, e[0].role))
    rows = [
        (m.brand_id, m.id, m.identity_id, m.role, m.status, name, m.invited_by_id, tx.now)
        for m, _, name in enrolled
    ]
    if len(await tx.fetch(queries.INSERT_MEMBERS, rows=rows)) != len(rows):
        raise RetryTransaction  # another process enrolled one of them first
    accepted = sorted(
        (m.brand_id, invitation_id, m.id, m.invited_by_id)
        for m, invitation_id, _ in enrolled
        if invitation_id
    )
    if accepted and len(
        await tx.fetch(queries.ACCEPT_INVITATIONS, accepted=accepted, now=tx.now)
    ) != len(accepted):
        raise RetryTransaction
    for member, _, _ in enrolled:
        world.grants.emit(member.brand_id, ENROLLED_TOPIC, member.id, {"role": member.role})


async def _load_item_codes(tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]) -> None:
    codes = {
        (batch.brand_id, item_no(batch.series_no, request.serial), batch.kind)
        for request in requests
        if (batch := find_batch(world, request)) is not None
    }
    for row in await tx.fetch(queries.FIND_ITEM_CODES, keys=sorted(codes)):
        world.item_codes[(row[0], row[1], row[2])] = ItemCodeState(*row[3:])


async def _load_claims_and_guides(
    tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]
) -> None:
    """What was claimed of the items; then the guides behind the scans."""
    items = {
        (batch.brand_id, item_no(batch.series_no, request.serial))
        for request in requests
        if (batch := find_batch(world, request)) is not None
    }
    for row in await tx.fetch(queries.FIND_CLAIMS, keys=sorted(items)):
        world.claims[(row[0], row[1], row[2])] = ClaimState(*row[3:])
    wanted = {
        (brand_id, claim.member_id)
        for (brand_id, _, role), claim in world.claims.items()
        if claim.member_id is not None and role == GUIDE
    }
    for member in world.members.values():
        if member is not None and member.invited_by_id is not None:
            wanted.add((member.brand_id, member.invited_by_id))
    wanted -= world.members_by_id.keys()
    if wanted:
        await _load_others(tx, world, wanted)


async def _load_devices(tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]) -> None:
    """Whether those whom a scan concerns were seen with its device before."""
    devices = set()
    for request, related in _related(world, requests):
        if request.device_hash is not None:
            devices |= {
                (brand_id, request.device_hash, member_id) for brand_id, member_id in related
            }
    if devices:
        rows = await tx.fetch(queries.FIND_DEVICES, keys=sorted(devices))
        world.devices = {(row[0], row[1], row[2]) for row in rows}


async def _load_others(tx: Tx, world: ScanWorld, wanted: set[tuple[UUID, UUID]]) -> None:
    """Members who do not scan themselves, each by the id that names it: of a merged one that into
    which it was merged. Only where there was a merge, more than one statement."""
    merged: dict[tuple[UUID, UUID], tuple[UUID, UUID]] = {}
    for row in await tx.fetch(queries.FIND_MEMBERS, keys=sorted(wanted)):
        world.members_by_id[(row[0], row[1])] = MemberState(*row[:-1])
        if row[-1] is not None:
            merged[(row[0], row[1])] = (row[0], row[-1])
    unknown = set(merged.values()) - world.members_by_id.keys()
    if unknown:
        for row in await tx.fetch(queries.FIND_MEMBERS, keys=sorted(unknown)):
            world.members_by_id[(row[0], row[1])] = MemberState(*row[:-1])
    for key, leads_to in merged.items():
        world.members_by_id[key] = world.members_by_id[leads_to]
    if any(member is not None and member.person_id for member in world.members.values()):
        # Whoever is of no other identity can only be one person with those of its own.
        others = world.members_by_id.values()
        keys = {(other.brand_id, other.identity_id) for other in others}
        persons = {
            (row[0], row[1]): row[2]
            for row in await tx.fetch(queries.FIND_PERSONS, keys=sorted(keys))
        }
        for other in others:
            other.person_id = persons[other.brand_id, other.identity_id]


def _people(world: ScanWorld) -> list[tuple[UUID, UUID]]:
    return sorted({(member.brand_id, member.id) for member in world.members_by_id.values()})


async def _lock_people(tx: Tx, world: ScanWorld) -> None:
    """Everybody's accounts, locked in one order."""
    new = {(m.brand_id, m.id) for m in world.members_by_id.values() if m.is_new}
    try:
        await grants.lock_members(tx, world.grants, _people(world), new)
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up


def _related(
    world: ScanWorld, requests: Sequence[ScanRequest]
) -> list[tuple[ScanRequest, set[tuple[UUID, UUID]]]]:
    """Each scan with the members it may turn out to concern: the scanner, who invited the
    scanner, who pre-scanned the item, who pre-scans it in this very batch, and who stands behind
    any of these."""
    guides: dict[tuple[UUID, int], set[tuple[UUID, UUID]]] = {}
    found = []
    for request in requests:
        batch = find_batch(world, request)
        member = world.members.get((request.actor.brand_id, request.actor.id, request.actor.role))
        if batch is None or member is None:
            continue
        related = {(member.brand_id, member.id)}
        if member.invited_by_id is not None:
            related.add((member.brand_id, member.invited_by_id))
        item = item_no(batch.series_no, request.serial)
        claim = world.claims.get((batch.brand_id, item, GUIDE))
        if claim is not None and claim.member_id is not None:
            related.add((batch.brand_id, claim.member_id))
        if member.role == GUIDE:
            guides.setdefault((batch.brand_id, item), set()).add((member.brand_id, member.id))
        found.append((request, related, (batch.brand_id, item)))
    return [
        (request, with_channel(world, related | guides.get(item, set())))
        for request, related, item in found
    ]


async def _load_scarce(tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]) -> None:
    """Locked rewards, budgets, counters and coupons in stock that the scans may need."""
    locked_keys = [
        (brand_id, unlock_key(item))
        for (brand_id, item, role), claim in world.claims.items()
        if role == GUIDE and claim.outcome == "LOCKED"
    ]
    campaigns: set[tuple[UUID, UUID]] = set()
    counters: set[CounterKey] = set()
    stock: set[StockKey] = set()
    for request, related in _related(world, requests):
        batch = find_batch(world, request)
        brand = world.grants.brands[request.actor.brand_id]
        if batch is None:
            continue
        for campaign in (
            *candidates(world, request, batch),
            *bonuses(world, request, batch),
        ):
            campaigns.add((brand.id, campaign.id))
            if campaign.draw is not None:
                counters.update(prize_keys(world.grants, campaign, brand.id))
                stock.update(stock_keys(campaign, brand.id))
            stock.update((brand.id, template_id) for template_id in campaign.coupon_template_ids())
            for _, member_id in related:
                subjects: dict[CapSubject, str | None] = {
                    CapSubject.ALL: TOGETHER,
                    CapSubject.MEMBER: member_id.hex,
                    CapSubject.GUIDE: member_id.hex,
                    CapSubject.STORE: member_id.hex,
                    CapSubject.DEVICE: request.device_hash,
                }
                counters.update(key for key, _ in counter_keys(brand, campaign, subjects, tx.now))
                if campaign.draw is not None:
                    counters.update(member_keys(campaign, brand.id, member_id))
    await tx.together(
        grants.load_locked_by_item(tx, world.grants, locked_keys),
        grants.load_waiting(tx, world.grants, _waiting_keys(world, requests)),
        grants.load_brands_side(tx, world.grants, campaigns, counters, stock),
    )
    earlier = {(state.brand_id, state.campaign_id) for state in world.grants.states()} - campaigns
    if earlier:
        await grants.load_budgets(tx, world.grants, earlier)


def _waiting_keys(
    world: ScanWorld, requests: Sequence[ScanRequest]
) -> list[tuple[UUID, UUID, str]]:
    """Of consumers whose scans may unlock something; none where nothing was ever locked so."""
    return inner_keys(world, requests) + [
        (member.brand_id, member.id, UnlockKind.NEXT_SCAN.value)
        for member in world.members.values()
        if member is not None
        and member.role == CONSUMER
        and not member.is_new
        and world.grants.brands[member.brand_id].has_scan_locks
    ]
