"""What the brand's members did in the last days, and who they were before, read by set."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.clock import day_start, local_date
from loyalty.codes.models import BatchStatus
from loyalty.codes.rules import serial_of
from loyalty.db import Snapshot
from loyalty.errors import InvalidInput
from loyalty.places.channel import CHANNEL_ROLES, Holder, find_holders, find_holders_at
from loyalty.segments.service import find_codes
from rewards.campaigns.models import MEMBER_EVENTS, EventKind
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import ITEM_SCANS
from rewards.grants.channel import backer_of
from rewards.grants.models import ChannelUnpaidReason
from rewards.grants.world import BrandConfiguration, MemberState
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import LineFact, PurchaseFact, PurchasePlace
from rewards.scans.models import (
    ClaimOutcome,
    GuideUnpaidReason,
    UnpaidReason,
    Verdict,
)
from rewards.scans.world import (
    GUIDE,
    BatchView,
    ClaimKey,
    ClaimState,
    CodeKeyOfItem,
    ItemCodeState,
)
from rewards.simulations import queries
from rewards.simulations.beginning import Start, with_campaign
from rewards.simulations.rules import (
    EVENTS_MAX,
    EventHappens,
    Happening,
    PurchaseHappens,
    ScanHappens,
)
from rewards.simulations.told import Told, Window, list_told
from tiers.standings.rewinding import tiers_before

_STATUS_THEN = {
    Verdict.INACTIVE: BatchStatus.PRINTED.value,
    Verdict.RETIRED: BatchStatus.RETIRED.value,
}


LINES_OF_MAX = 5_000
"""Purchases whose lines are read by one statement."""


def window_of(brand: BrandConfiguration, days: int, now: datetime) -> Window:
    """The last so many local days, today included."""
    today: date = local_date(now, brand.timezone)
    return Window(brand.id, day_start(today - timedelta(days=days - 1), brand.timezone), now)


async def read_past(
    snapshot: Snapshot, start: Start, tried: LiveCampaign, window: Window
) -> tuple[Start, list[Happening]]:
    """The events that a campaign is for in the order of time, and the world before the first of
    them. Refuses InvalidInput (more than EVENTS_MAX)."""
    if tried.event in MEMBER_EVENTS:
        told = await list_told(snapshot, start.brand.timezone, tried, window)
        _check_count(told)
        people = await _read_people(snapshot, window, {each.fact.member_id for each in told})
        return await _begin(snapshot, start, window, people), [_came_about(e, people) for e in told]
    if tried.event is EventKind.PURCHASE:
        rows = await snapshot.fetch(
            queries.LIST_PURCHASES,
            brand_id=window.brand_id,
            begin=window.begin,
            until=window.until,
            row_count_max=EVENTS_MAX + 1,
        )
        _check_count(rows)
        people = await _read_people(snapshot, window, {row[2] for row in rows})
        channel = await _read_backers(snapshot, window, people, {row[8] for row in rows} - {None})
        begun = replace(await _begin(snapshot, start, window, people), channel=channel)
        lines = await _read_lines(snapshot, window, [row[0] for row in rows])
        return begun, [_bought(row, people, lines.get(row[0], ())) for row in rows]
    rows = await snapshot.fetch(queries.LIST_SCANS, **window.ids, row_count_max=EVENTS_MAX + 1)
    _check_count(rows)
    batches = {
        row[1]: BatchView(*row)
        for row in await snapshot.fetch(queries.LIST_BATCHES, brand_id=window.brand_id)
    }
    claims = await _read_claims(snapshot, window)
    named = {row[3] for row in rows} | {row[4] for row in rows}
    named |= {claim.member_id for claim in claims.values()}
    people = await _read_people(snapshot, window, named - {None})
    channel = await _read_channel(snapshot, window, people)
    begun = await _begin(snapshot, start, window, people)
    devices = await snapshot.fetch(queries.LIST_DEVICES_BEFORE, **window.ids, begin=window.begin)
    known = frozenset((window.brand_id, row[0], row[1]) for row in devices)
    # Whoever was merged since scanned as somebody else: each identity leads to the one there is.
    seen = {(row[2], row[5]): people[row[3]] for row in rows if row[3] is not None}
    begun = replace(begun, people={**begun.people, **seen}, claims=claims, devices=known)
    asks = with_campaign(start, tried).brand.campaigns.reads(ITEM_SCANS)
    codes = await _read_codes(snapshot, window) if asks else {}
    begun = replace(begun, channel=channel, codes=codes)
    return begun, [_scanned(row, batches[row[7]]) for row in rows]


def _came_about(told: Told, people: dict[UUID, MemberState]) -> EventHappens:
    member = people[told.fact.member_id]
    return EventHappens(
        told.fact.at, member.identity_id, member.role, told.fact, is_frozen=told.is_frozen
    )


def _check_count(rows: Sequence[Any]) -> None:
    if len(rows) > EVENTS_MAX:
        raise InvalidInput(field="past.days", problem=f"more than {EVENTS_MAX} events: fewer days")


async def _begin(
    snapshot: Snapshot, start: Start, window: Window, people: dict[UUID, MemberState]
) -> Start:
    old = [member.id for member in people.values() if _was_there(member, window)]
    tiers = await tiers_before(snapshot, window.brand_id, start.brand, old, window.begin)
    by_key = {(member.identity_id, member.role): member for member in people.values()}
    segments = await find_codes(snapshot, [(window.brand_id, id) for id in people])
    return replace(start, people=by_key, tiers=tiers, segments=segments)


def _was_there(member: MemberState, window: Window) -> bool:
    return member.joined_at is not None and member.joined_at < window.begin


async def _read_people(
    snapshot: Snapshot, window: Window, ids: Iterable[UUID]
) -> dict[UUID, MemberState]:
    """Members by id, and whoever invited them."""
    found: dict[UUID, MemberState] = {}
    wanted = set(ids)
    while wanted:
        keys = [(window.brand_id, id) for id in sorted(wanted)]
        for row in await snapshot.fetch(queries.FIND_PEOPLE, keys=keys):
            id, identity_id, role, invited_by_id, person_id, joined_at, birthday = row
            member = MemberState(window.brand_id, id, identity_id, role, "ACTIVE", invited_by_id)
            member.person_id, member.joined_at, member.birthday = person_id, joined_at, birthday
            found[id] = member
        invited_by = {member.invited_by_id for member in found.values()}
        wanted = {id for id in invited_by if id is not None} - found.keys() - wanted
    return found


Channel = dict[tuple[UUID, str], UUID | ChannelUnpaidReason]


async def _read_backers(
    snapshot: Snapshot, window: Window, people: dict[UUID, MemberState], place_ids: set[UUID]
) -> Channel:
    """Who is behind places now, who joins the people: of then nothing is known."""
    keys = [(window.brand_id, id, role.value) for id in place_ids for role in CHANNEL_ROLES]
    found: Channel = {(id, role): ChannelUnpaidReason.NO_PLACE for _, id, role in keys}
    found.update(_known(await find_holders_at(snapshot, keys), people))
    return found


def _known(holders: Iterable[Holder], people: dict[UUID, MemberState]) -> Channel:
    """Holders as a run knows them; those that are members join the people."""
    found: Channel = {}
    for holder in holders:
        backer = backer_of(holder)
        if isinstance(backer, MemberState):
            people.setdefault(backer.id, backer)
            found[holder.asked_id, holder.role] = backer.id
        else:
            found[holder.asked_id, holder.role] = backer
    return found


async def _read_channel(
    snapshot: Snapshot, window: Window, people: dict[UUID, MemberState]
) -> Channel:
    """Who stands behind the guides among people now, who joins them: of then nothing is known."""
    keys = [
        (window.brand_id, member.id, role.value)
        for member in people.values()
        if member.role == GUIDE
        for role in CHANNEL_ROLES
    ]
    return _known(await find_holders(snapshot, keys), people)


async def _read_claims(snapshot: Snapshot, window: Window) -> dict[ClaimKey, ClaimState]:
    claims: dict[ClaimKey, ClaimState] = {}
    for row in await snapshot.fetch(queries.LIST_CLAIMS_BEFORE, **window.ids):
        item, role, scan_id, member_id, outcome, campaign_id, settled_id, was_open = row
        # What a pre-scan locked before is no part of this: its guide earns by the campaign tried.
        is_open = was_open or outcome == ClaimOutcome.LOCKED
        claims[window.brand_id, item, role] = ClaimState(
            scan_id,
            member_id,
            ClaimOutcome.ATTRIBUTED.value if is_open and member_id is not None else outcome,
            campaign_id,
            None if is_open else settled_id,
        )
    return claims


async def _read_codes(snapshot: Snapshot, window: Window) -> dict[CodeKeyOfItem, ItemCodeState]:
    rows = await snapshot.fetch(queries.LIST_SCANNED_BEFORE, **window.ids)
    return {(window.brand_id, row[0], row[1]): ItemCodeState(*row[2:]) for row in rows}


def _scanned(row: Any, batch: BatchView) -> ScanHappens:
    _, at, identity_id, member_id, _, role, item, _, verdict, unpaid, guide_unpaid, *told = row
    device, latitude, longitude, scene = told
    status = _STATUS_THEN.get(Verdict(verdict), BatchStatus.ACTIVE.value)
    return ScanHappens(
        at,
        identity_id,
        role,
        batch if batch.status == status else replace(batch, status=status),
        serial_of(item),
        device,
        latitude,
        longitude,
        scene,
        is_on_roster=member_id is not None,
        is_frozen=unpaid == UnpaidReason.FROZEN,
        is_under_age=unpaid == UnpaidReason.AGE,
        is_guide_frozen=guide_unpaid == GuideUnpaidReason.GUIDE_FROZEN,
    )


async def _read_lines(
    snapshot: Snapshot, window: Window, ids: Sequence[UUID]
) -> dict[UUID, list[LineFact]]:
    """What was bought, by purchase."""
    lines: dict[UUID, list[LineFact]] = {}
    for first in range(0, len(ids), LINES_OF_MAX):
        keys = [(window.brand_id, id) for id in ids[first : first + LINES_OF_MAX]]
        for purchase_id, *line in await snapshot.fetch(queries.LIST_LINES, keys=keys):
            lines.setdefault(purchase_id, []).append(LineFact(*line))
    return lines


def _bought(
    row: Any, people: dict[UUID, MemberState], lines: Iterable[LineFact]
) -> PurchaseHappens:
    id, at, member_id, _, purchased_on, quantity, amount_fen, source, *place = row
    buyer = people[member_id].identity_id
    fact = PurchaseFact(
        purchase_ref=id.hex,
        member_ref="",
        purchased_on=purchased_on,
        quantity=quantity,
        amount_fen=amount_fen,
        at=at,
        lines=tuple(lines),
        source=PurchaseSource(source),
        identity_id=buyer,
        place=PurchasePlace(*place) if place[0] is not None else None,
    )
    return PurchaseHappens(at, buyer, fact)
