"""Who stands behind a guide: the place that it belongs to, who acts for that as STORE, and its
dealer and salesperson. What is set here counts for scans and purchases to come; what these paid is
on record with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, MemberRole
from loyalty.crypto import Keyring, mask_phone
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput, NotFound, NotOnRoster
from loyalty.members import service as members
from loyalty.members.models import RosterEntry
from loyalty.members.rules import normalise_phone
from loyalty.members.service import RosterImport
from loyalty.places import queries
from loyalty.places.models import Place

CHANNEL_ROLES = (MemberRole.STORE, MemberRole.DEALER, MemberRole.SALESPERSON)
"""Who may stand behind a guide, in the order in which they are told."""
GuideKey = tuple[UUID, UUID, str]
"""(brand_id, guide's member id, role)"""
PlaceKey = tuple[UUID, UUID, str]
"""(brand_id, place_id, role)"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has one role at a place. ``asked_id`` is that place, or the guide who belongs to it, as
    it was asked for. ``is_named``: somebody is; without ``member_id`` it has not enrolled yet.
    ``person_id`` as an identity has it."""

    brand_id: UUID
    asked_id: UUID
    role: str
    is_named: bool
    member_id: UUID | None
    identity_id: UUID | None
    status: str | None
    person_id: UUID | None
    enrolled_at: datetime | None


async def find_holders(snapshot: Snapshot, keys: Iterable[GuideKey]) -> list[Holder]:
    """Who stands behind guides, in one statement. A guide of no place, or of one that is closed,
    has nobody: no row."""
    return _read(await snapshot.fetch(queries.FIND_HOLDERS, keys=sorted(keys)))


async def find_holders_at(snapshot: Snapshot, keys: Iterable[PlaceKey]) -> list[Holder]:
    """Who has roles at places, in one statement. A place that is closed has nobody: no row."""
    return _read(await snapshot.fetch(queries.FIND_HOLDERS_AT, keys=sorted(keys)))


def _read(rows: Iterable[Sequence[Any]]) -> list[Holder]:
    return [
        Holder(brand_id, asked_id, role, entry_id is not None, *who)
        for brand_id, asked_id, role, entry_id, *who in rows
    ]


async def import_roster(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    role: str,
    entries: Sequence[tuple[str, str, UUID | None]],
) -> RosterImport:
    """``members.import_roster`` of (phone, name, place): a guide with a place belongs to it from
    now on, whether it was on the roster before or not. Refuses InvalidInput (a place, and no guide)
    and NotFound (place) besides."""
    for i, (_, _, place_id) in enumerate(entries):
        if place_id is not None and role != MemberRole.GUIDE:
            field = f"entries[{i}].placeId"
            raise InvalidInput(field=field, problem="only guides belong to a place")
    wanted = sorted({place_id for *_, place_id in entries if place_id is not None})
    if len(await queries.find_places_by_ids(tx, actor.brand_id, wanted)) < len(wanted):
        raise NotFound(noun="place")
    told = [(phone, name) for phone, name, _ in entries]
    done = await members.import_roster(tx, actor, keyring, role, told)
    refused = {index for index, _ in done.rejected}
    placed = {
        _phone_hash(keyring, actor.brand_id, phone): place_id
        for index, (phone, _, place_id) in enumerate(entries)
        if place_id is not None and index not in refused
    }
    await _place_guides(tx, actor, placed)
    return done


async def set_guide_place(
    tx: Tx, actor: Actor, keyring: Keyring, phone: str, place_id: UUID | None
) -> UUID | None:
    """Let a guide on the roster belong to a place, or (None) to none; the place's id. Refuses
    InvalidInput (phone), NotOnRoster, NotFound (place)."""
    place = None if place_id is None else await queries.get_place(tx, actor.brand_id, place_id)
    entry = await _entry(tx, actor, keyring, MemberRole.GUIDE, phone)
    if place is None:
        await queries.remove_guide_place(tx, actor.brand_id, entry.id)
        await audit_log.record(tx, actor, "guide.leave_place", entry.id)
        return None
    await _place_guides(tx, actor, {entry.phone_hash: place.id})
    return place.id


async def set_place_channel(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    place_id: UUID,
    *,
    dealer_phone: str | None,
    salesperson_phone: str | None,
) -> Place:
    """Say which dealer and which salesperson on the roster a place has; None: none. Refuses
    NotFound (place), InvalidInput (phone), NotOnRoster."""
    place = await queries.get_place(tx, actor.brand_id, place_id)
    phones = {MemberRole.DEALER: dealer_phone, MemberRole.SALESPERSON: salesperson_phone}
    entries = [
        await _entry(tx, actor, keyring, role, phone)
        for role, phone in phones.items()
        if phone is not None
    ]
    await tx.take_turns(f"channel of {place.id.hex}")
    await queries.replace_channel(tx, place, entries)
    roles = [entry.role for entry in entries]
    await audit_log.record(tx, actor, "place.channel", place.id, code=place.code, roles=roles)
    return place


def masked_entry_phone(keyring: Keyring, entry: RosterEntry) -> str:
    """``+86138****5678``"""
    return mask_phone(keyring.decrypt_phone(entry.brand_id, entry.phone_cipher))


async def _place_guides(tx: Tx, actor: Actor, placed: dict[str, UUID]) -> None:
    """By phone hash; all of them are on the roster."""
    if not placed:
        return
    guides = [(actor.brand_id, phone, place_id) for phone, place_id in sorted(placed.items())]
    await tx.fetch(queries.SET_GUIDE_PLACES, guides=guides, now=tx.now)
    for place_id in sorted(set(placed.values())):
        count = sum(each == place_id for each in placed.values())
        await audit_log.record(tx, actor, "place.guides", place_id, set=count)


async def _entry(
    tx: Tx, actor: Actor, keyring: Keyring, role: MemberRole, phone: str
) -> RosterEntry:
    phone_hash = _phone_hash(keyring, actor.brand_id, phone)
    entry = await members.find_roster_entry(tx, actor.brand_id, role.value, phone_hash)
    if entry is None:
        raise NotOnRoster(role=role.value)
    return entry


def _phone_hash(keyring: Keyring, brand_id: UUID, phone: str) -> str:
    return keyring.lookup_hash(brand_id, "phone", normalise_phone(phone))
