"""The verbs of referrals: a code opened, a code used, and what comes of it."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import AlreadyReferred, NotFound
from loyalty.ids import new_id
from loyalty.members import service as members
from loyalty.text import checked_text
from rewards.events import sources
from rewards.events.rules import EventFact
from rewards.referrals import queries
from rewards.referrals.models import (
    Referral,
    ReferralCode,
    ReferralRefusedReason,
    ReferralStatus,
)
from rewards.referrals.queries import list_referrals
from rewards.referrals.rules import CODE_LENGTH, LETTERS, is_new, read_code

# The last one is a read that others need.
__all__ = [
    "CodeStanding",
    "DueReferral",
    "end_referrals",
    "find_code_standing",
    "find_due",
    "open_code",
    "use_code",
    "list_referrals",
]

DEVICE_ID_LENGTH_MAX = 128
CODE_TEXT_LENGTH_MAX = 32

Pair = tuple[UUID, UUID, UUID]
"""(referral, referrer, referred)."""


@dataclass(frozen=True, slots=True)
class CodeStanding:
    """A consumer's code, and how many used it, by status."""

    code: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DueReferral:
    """A referral that waited, and has what it waited for: ``event`` of the referrer, or why it is
    refused."""

    id: UUID
    event: EventFact | None
    refused: ReferralRefusedReason | None


def _device_hash(keyring: Keyring, brand_id: UUID, device_id: str | None) -> str | None:
    if device_id is None:
        return None
    checked = checked_text(device_id, "deviceId", length_max=DEVICE_ID_LENGTH_MAX)
    return keyring.lookup_hash(brand_id, "device", checked)


async def open_code(tx: Tx, actor: Actor, keyring: Keyring, device_id: str | None) -> ReferralCode:
    """A consumer's own code, the same for good. Who is no member yet is enrolled. Refuses what
    ``members.enrol`` refuses and InvalidInput (deviceId)."""
    device = _device_hash(keyring, actor.brand_id, device_id)
    member = await members.enrol(tx, actor)
    own = (await members.aliases_of(tx, member.brand_id, [member.id]))[member.id]
    held = await queries.list_codes_of(tx, member.brand_id, own)
    if held:
        return held[0]
    code = ReferralCode(
        brand_id=member.brand_id,
        member_id=member.id,
        code="".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)),
        device_hash=device,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(code):
        raise RetryTransaction  # opened meanwhile, or one in a trillion is another's
    return code


async def find_code_standing(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID
) -> CodeStanding | None:
    """A member's code, if it has opened one."""
    own = (await members.aliases_of(snapshot, brand_id, [member_id]))[member_id]
    held = await queries.list_codes_of(snapshot, brand_id, own)
    if not held:
        return None
    return CodeStanding(held[0].code, await queries.count_by_status(snapshot, brand_id, own))


async def use_code(
    tx: Tx, actor: Actor, keyring: Keyring, text: str, device_id: str | None
) -> Referral:
    """A newcomer names who brought it. What is wrong with that is on record: the referral is there
    and REFUSED; used again, a code tells what became of it the first time.

    Refuses NotFound (referral code), AlreadyReferred (by another), InvalidInput (code, deviceId)
    and what ``members.enrol`` refuses.
    """
    device = _device_hash(keyring, actor.brand_id, device_id)
    wanted = read_code(checked_text(text, "code", length_max=CODE_TEXT_LENGTH_MAX))
    code = await queries.find_code(tx, actor.brand_id, wanted)
    if code is None:
        raise NotFound(noun="referral code")
    member = await members.enrol(tx, actor)
    own = (await members.aliases_of(tx, member.brand_id, [member.id]))[member.id]
    held = await queries.list_referrals_of(tx, member.brand_id, own)
    for referral in held:
        if referral.referrer_id == code.member_id:
            return referral
    if any(referral.status != ReferralStatus.REFUSED.value for referral in held):
        raise AlreadyReferred()
    id = new_id()
    refused = await _find_refused(
        tx, member.brand_id, [(id, code.member_id, member.id)], {id: device}
    )
    reason = refused.get(id)
    if reason is None and not await _is_new(tx, actor):
        reason = ReferralRefusedReason.NOT_NEW
    status = ReferralStatus.WAITING if reason is None else ReferralStatus.REFUSED
    referral = Referral(
        brand_id=member.brand_id,
        id=id,
        referrer_id=code.member_id,
        referred_id=member.id,
        status=status.value,
        refused_reason=None if reason is None else reason.value,
        device_hash=device,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(referral):
        raise RetryTransaction  # another code was used at the same moment, or this one
    return referral


async def _is_new(tx: Tx, actor: Actor) -> bool:
    known = [await members.get_identity(tx, actor.brand_id, actor.id)]
    person_id = known[0].person_id
    if person_id is not None:
        known += await queries.list_identities_of_person(tx, actor.brand_id, person_id)
    return is_new(min(identity.created_at for identity in known), tx.now)


async def _find_refused(
    snapshot: Snapshot,
    brand_id: UUID,
    pairs: Sequence[Pair],
    devices: Mapping[UUID, str | None],
) -> dict[UUID, ReferralRefusedReason]:
    """Why of these referrals some never earn, as of now. ``devices``: where their codes were used,
    by referral. Both sides count by everybody that they are by merges."""
    if not pairs:
        return {}
    named = {id for _, referrer_id, referred_id in pairs for id in (referrer_id, referred_id)}
    by_now = await members.follow_merges(snapshot, brand_id, named)
    aliases = await members.aliases_of(snapshot, brand_id, set(by_now.values()))
    both = [
        (brand_id, id, referrer_id, referred_id)
        for id, named_referrer_id, named_referred_id in pairs
        for referrer_id in aliases[by_now[named_referrer_id]]
        for referred_id in aliases[by_now[named_referred_id]]
    ]
    told = [
        (brand_id, id, referrer_id, devices[id])
        for id, named_referrer_id, _ in pairs
        for referrer_id in aliases[by_now[named_referrer_id]]
    ]
    same_devices = await snapshot.fetch(queries.FIND_SAME_DEVICES, pairs=both, told=told)
    own = [(brand_id, *pair) for pair in pairs]
    same_persons = await snapshot.fetch(queries.FIND_SAME_PERSONS, pairs=own)
    refused = {row[0]: ReferralRefusedReason.SAME_DEVICE for row in same_devices}
    return refused | {row[0]: ReferralRefusedReason.SAME_PERSON for row in same_persons}


# --- what comes of it ----------------------------------------------------------------------------


async def find_due(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> list[DueReferral]:
    """By which of these members came and waited, and what they have waited for. A few statements
    for any number of members; two where none of them is waited for."""
    aliases = await members.aliases_of(snapshot, brand_id, member_ids)
    keys = [(brand_id, id, alias_id) for id, also in aliases.items() for alias_id in also]
    waiting, too_late = _of_a_life(await snapshot.fetch(queries.FIND_UNREFUSED, aliases=keys))
    due = [DueReferral(id, None, ReferralRefusedReason.NOT_NEW) for id in too_late]
    if not waiting:
        return due
    asked = [
        (brand_id, id, alias_id)
        for id, _, _, member_id, _, _ in waiting
        for alias_id in aliases[member_id]
    ]
    first: dict[UUID, tuple[datetime, str]] = {}
    for what, statement in (
        ("SCAN", queries.FIND_FIRST_SCANS),
        ("PURCHASE", queries.FIND_FIRST_PURCHASES),
    ):
        for id, at in await snapshot.fetch(statement, asked=asked):
            first[id] = min(first.get(id, (at, what)), (at, what))
    pairs = [
        (id, referrer_id, referred_id)
        for id, referrer_id, referred_id, _, _, _ in waiting
        if id in first
    ]
    devices = {id: device for id, _, _, _, device, _ in waiting}
    refused = await _find_refused(snapshot, brand_id, pairs, devices)
    used_at = {id: created_at for id, _, _, _, _, created_at in waiting}
    for id, referrer_id, referred_id in pairs:
        at, what = first[id]
        event = sources.referral(referrer_id, referred_id, what, max(at, used_at[id]))
        reason = refused.get(id)
        due.append(DueReferral(id, event if reason is None else None, reason))
    return due


def _of_a_life(
    rows: Sequence[Any],
) -> tuple[list[tuple[UUID, UUID, UUID, UUID, str | None, datetime]], list[UUID]]:
    """Of each member, whoever it was before, the one referral that may earn and still waits; and
    the ids of those that were later in its life: a merge brought them together."""
    by_member: dict[UUID, list[Any]] = {}
    for row in rows:
        by_member.setdefault(row[4], []).append(row)
    first, later = [], []
    for group in by_member.values():
        waits = [row for row in group if row[1] == ReferralStatus.WAITING]
        waits.sort(key=lambda row: (row[6], row[0]))  # by the time at which the code was used
        is_done = len(waits) < len(group)
        first += [(row[0], *row[2:]) for row in waits[: 0 if is_done else 1]]
        later += [row[0] for row in waits[0 if is_done else 1 :]]
    return first, later


async def end_referrals(tx: Tx, brand_id: UUID, due: Sequence[DueReferral]) -> None:
    """Say of referrals that they are settled or refused; their events are recorded in the same
    transaction. Raises RetryTransaction when one of them does not wait any more."""
    rows = [
        (
            brand_id,
            each.id,
            (ReferralStatus.REFUSED if each.event is None else ReferralStatus.SETTLED).value,
            None if each.refused is None else each.refused.value,
            None if each.event is None else each.event.at,
        )
        for each in sorted(due, key=lambda each: each.id)
    ]
    if rows and len(await tx.fetch(queries.END, ended=rows)) != len(rows):
        raise RetryTransaction
