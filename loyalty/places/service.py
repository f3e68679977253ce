"""The verbs of places (网点), their tills and clerks.

A clerk signs in as operators do: ``find_clerk_sign_in`` (snapshot), ``match_pin`` (a thread),
``settle_clerk_sign_in`` (transaction). Failures must be committed although the answer is no, so
the last gives a value and whoever called it raises the refusal after the commit.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from uuid import UUID

from loyalty import audit_log
from loyalty.access.rules import decide_attempt
from loyalty.access.service import hash_secret, verify_secret
from loyalty.access.sessions import end_sessions_of
from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.crypto import Keyring, mask_phone
from loyalty.db import Snapshot, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound, PlaceClosed
from loyalty.ledger import service as ledger
from loyalty.members import service as members
from loyalty.places import queries
from loyalty.places.models import Clerk, Place, Till
from loyalty.places.queries import find_places_by_ids, get_place, places_of_store_phone
from loyalty.places.rules import (
    ACTIVE,
    ADDRESS_LENGTH_MAX,
    CLOSED,
    CODE_LENGTH_MAX,
    LEFT,
    NAME_LENGTH_MAX,
    OPEN,
    PAYEE_LENGTH_MAX,
    PIN_CHANGED,
    REASON_LENGTH_MAX,
    REVOKED,
    Desk,
    check_coordinates,
    check_payout_threshold,
    check_pin,
    check_store_phone,
    count_failure,
    has_patience,
    is_in_service,
    is_possible_pin,
    is_possible_till_key,
    normalise_clerk_number,
)
from loyalty.text import checked_text

# Other nouns may call this service and never the queries: the last three are reads they need.
__all__ = [
    "ClerkAttempt",
    "Desk",
    "NewPin",
    "NewTill",
    "at_desk",
    "clerk_in_service",
    "close_place",
    "create_clerk",
    "create_place",
    "create_till",
    "find_clerk_sign_in",
    "masked_store_phone",
    "match_pin",
    "prepare_pin",
    "reopen_place",
    "require_desk",
    "revoke_till",
    "set_clerk_pin",
    "set_clerk_status",
    "settle_clerk_sign_in",
    "find_places_by_ids",
    "get_place",
    "places_of_store_phone",
]


@dataclass(frozen=True, slots=True)
class NewTill:
    """A till just made, and its key in clear, to be shown once."""

    till: Till
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewPin:
    """A PIN in clear, to be shown once if it was made here, and what is kept of it."""

    clear: str = field(repr=False)
    hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClerkAttempt:
    """Which till a key opens and whom a number names there (None: none in service), and the hash
    to try the PIN against."""

    brand_id: UUID
    till_id: UUID | None = None
    clerk_id: UUID | None = None
    pin_hash: str | None = field(default=None, repr=False)


# --- at the till -------------------------------------------------------------------------------


async def require_desk(snapshot: Snapshot, actor: Actor) -> Desk:
    """Where a clerk stands, as it is now (one statement; a ``Tx`` is a ``Snapshot`` too), or the
    one whom a key reports for (``at_desk``).

    PlaceClosed when the place is closed, the till revoked, the clerk gone, or the three are no
    longer of one place; NotFound for an actor that is at no till.
    """
    clerk_id = actor.id if actor.kind is ActorKind.CLERK else actor.clerk_id
    if clerk_id is None or actor.place_id is None or actor.till_id is None:
        raise NotFound(noun="till")
    desk = await queries.find_desk(snapshot, actor.brand_id, actor.till_id, clerk_id)
    if desk is None or desk.place.id != actor.place_id or not is_in_service(desk):
        raise PlaceClosed()
    return desk


async def at_desk(snapshot: Snapshot, actor: Actor, till_id: UUID, clerk_id: UUID) -> Actor:
    """A key of the brand's own systems as it reports what a clerk does at a till. NotFound where
    the brand has no such till or clerk, or the clerk is not of its place."""
    till = await queries.get_till(snapshot, actor.brand_id, till_id)
    clerk = await queries.get_clerk(snapshot, actor.brand_id, clerk_id)
    if clerk.place_id != till.place_id:
        raise NotFound(noun="clerk")
    return replace(actor, place_id=till.place_id, till_id=till_id, clerk_id=clerk_id)


async def clerk_in_service(
    snapshot: Snapshot, brand_id: UUID, clerk_id: UUID, till_id: UUID
) -> bool:
    """Whether a clerk may (still) work at a till: both active, of one place, which is open."""
    desk = await queries.find_desk(snapshot, brand_id, till_id, clerk_id)
    return desk is not None and is_in_service(desk)


async def find_clerk_sign_in(
    snapshot: Snapshot, keyring: Keyring, brand_id: UUID, till_key: str, number: str
) -> ClerkAttempt:
    """Step one. An unknown or revoked till, a closed place, an unknown clerk and one who left give
    an attempt that will fail as slowly; without a till in service nobody's failures are counted."""
    key = till_key if is_possible_till_key(till_key) else ""
    try:
        wanted = normalise_clerk_number(number)
    except InvalidInput:
        wanted = ""
    key_hash = keyring.lookup_hash(brand_id, "till", key)
    found = await queries.find_till_and_clerk(snapshot, brand_id, key_hash, wanted)
    if found is None:
        return ClerkAttempt(brand_id)
    till, clerk = found
    if clerk is None:
        return ClerkAttempt(brand_id, till.id)
    return ClerkAttempt(brand_id, till.id, clerk.id, clerk.pin_hash)


async def match_pin(keyring: Keyring, attempt: ClerkAttempt, pin: str) -> bool:
    """Step two, on a thread: whether the PIN is this one. Always one argon2 run."""
    possible = is_possible_pin(pin)
    sealed = _sealed_pin(keyring, attempt.brand_id, pin if possible else "")
    return await verify_secret(attempt.pin_hash, sealed) and possible


async def settle_clerk_sign_in(tx: Tx, attempt: ClerkAttempt, matched: bool) -> Desk | None:
    """Step three: count it, and the desk if the clerk is let in. On None raise CredentialsWrong
    after the commit, or the failure would not count.

    Five failures lock the clerk for 15 minutes; 20, over all its clerks, stop the till for a
    while. While locked or stopped nothing is accepted and nothing counts.
    """
    if attempt.till_id is None:
        return None
    till = await queries.lock_till(tx, attempt.brand_id, attempt.till_id)
    if till is None or till.status != ACTIVE or not has_patience(till.failures_until, tx.now):
        return None
    failures_until = count_failure(till.failures_until, tx.now)
    clerk = None
    if attempt.clerk_id is not None:
        clerk = await queries.lock_clerk(tx, attempt.brand_id, attempt.clerk_id)
    if clerk is None:
        await queries.set_till_failures(tx, till, failures_until)
        return None
    desk = Desk(await queries.get_place(tx, till.brand_id, till.place_id), till, clerk)
    if not is_in_service(desk):
        return None
    same_pin = hmac.compare_digest(clerk.pin_hash, attempt.pin_hash or "")
    decision = decide_attempt(
        clerk.failed_attempts, clerk.locked_until, matched and same_pin, tx.now
    )
    before = (clerk.failed_attempts, clerk.locked_until)
    if before != (decision.failed_attempts, decision.locked_until):
        await queries.set_clerk_failures(tx, clerk, decision.failed_attempts, decision.locked_until)
        if not decision.accepted:
            await queries.set_till_failures(tx, till, failures_until)
    return desk if decision.accepted else None


# --- by operators ------------------------------------------------------------------------------


async def create_place(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    *,
    code: str,
    name: str,
    address: str,
    payout_threshold_fen: int,
    latitude: float | None = None,
    longitude: float | None = None,
    store_phone: str | None = None,
    payee: str | None = None,
) -> Place:
    """A new place of the actor's brand, open, with its rebate account; AlreadyExists when the
    brand has this code. The store's phone is put on the roster of STORE if it is not there."""
    degrees = check_coordinates(latitude, longitude)
    phone = None if store_phone is None else check_store_phone(store_phone)
    place = Place(
        brand_id=actor.brand_id,
        code=checked_text(code, "code", length_max=CODE_LENGTH_MAX),
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        address=checked_text(address, "address", length_max=ADDRESS_LENGTH_MAX),
        latitude=degrees[0],
        longitude=degrees[1],
        payee=None if payee is None else checked_text(payee, "payee", length_max=PAYEE_LENGTH_MAX),
        payout_threshold_fen=check_payout_threshold(payout_threshold_fen),
        created_at=tx.now,
    )
    if phone is not None:
        place.store_phone_hash = keyring.lookup_hash(actor.brand_id, "phone", phone)
        place.store_phone_cipher = keyring.encrypt_phone(actor.brand_id, phone)
    if not await tx.insert_if_absent(place):
        raise AlreadyExists(noun="place", field="code")
    await ledger.open_place_account(tx, place.brand_id, place.id)
    if phone is not None:
        await members.import_roster(
            tx, actor, keyring, MemberRole.STORE.value, [(phone, place.name)]
        )
    await audit_log.record(tx, actor, "place.create", place.id, code=place.code)
    return place


def masked_store_phone(keyring: Keyring, place: Place) -> str | None:
    """``+86138****5678``; None for a place that no STORE member acts for."""
    if place.store_phone_cipher is None:
        return None
    return mask_phone(keyring.decrypt_phone(place.brand_id, place.store_phone_cipher))


async def close_place(tx: Tx, actor: Actor, place_id: UUID, reason: str) -> Place:
    """No clerk redeems or signs in there any more (停业); what it earned is still paid out."""
    return await _set_place_status(tx, actor, place_id, CLOSED, reason)


async def reopen_place(tx: Tx, actor: Actor, place_id: UUID, reason: str) -> Place:
    """Let a closed place redeem again (恢复营业), at the tills it had."""
    return await _set_place_status(tx, actor, place_id, OPEN, reason)


async def _set_place_status(
    tx: Tx, actor: Actor, place_id: UUID, status: str, reason: str
) -> Place:
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    changed = await queries.set_place_status(tx, actor.brand_id, place_id, status)
    place = await queries.get_place(tx, actor.brand_id, place_id)
    if changed:
        action = "place.close" if status == CLOSED else "place.reopen"
        await audit_log.record(tx, actor, action, place_id, reason)
    return place


async def create_till(
    tx: Tx, actor: Actor, keyring: Keyring, *, place_id: UUID, name: str
) -> NewTill:
    """A new till and its key, of which only a keyed hash and the last four characters are kept;
    AlreadyExists when the place has an active till of this name, NotFound for the place."""
    place = await queries.get_place(tx, actor.brand_id, place_id)
    key = f"till_{secrets.token_urlsafe(32)}"
    till = Till(
        brand_id=actor.brand_id,
        place_id=place.id,
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        key_hash=keyring.lookup_hash(actor.brand_id, "till", key),
        key_hint=key[-4:],
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(till):
        raise AlreadyExists(noun="till", field="name")
    await audit_log.record(tx, actor, "till.create", till.id, place=place.code, name=till.name)
    return NewTill(till, key)


async def revoke_till(tx: Tx, actor: Actor, till_id: UUID, reason: str) -> Till:
    """Its key opens nothing any more (吊销), for good."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    changed = await queries.set_till_status(tx, actor.brand_id, till_id, REVOKED)
    till = await queries.get_till(tx, actor.brand_id, till_id)
    if changed:
        await audit_log.record(tx, actor, "till.revoke", till_id, reason)
    return till


async def prepare_pin(keyring: Keyring, brand_id: UUID, pin: str | None = None) -> NewPin:
    """Check and hash a PIN (4 to 8 digits), or make one of six where none is given; before the
    transaction."""
    clear = f"{secrets.randbelow(10**6):06d}" if pin is None else check_pin(pin)
    return NewPin(clear, await hash_secret(_sealed_pin(keyring, brand_id, clear)))


def _sealed_pin(keyring: Keyring, brand_id: UUID, pin: str) -> str:
    # All PINs there are can be tried against a stolen table; not so without the master key.
    return keyring.lookup_hash(brand_id, "pin", pin)


async def create_clerk(
    tx: Tx, actor: Actor, *, place_id: UUID, number: str, name: str, pin: NewPin
) -> Clerk:
    """A new clerk of a place; AlreadyExists when the place has this staff number."""
    place = await queries.get_place(tx, actor.brand_id, place_id)
    clerk = Clerk(
        brand_id=actor.brand_id,
        place_id=place.id,
        number=normalise_clerk_number(number),
        name=checked_text(name, "name", length_max=NAME_LENGTH_MAX),
        pin_hash=pin.hash,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(clerk):
        raise AlreadyExists(noun="clerk", field="number")
    await audit_log.record(
        tx, actor, "clerk.create", clerk.id, place=place.code, number=clerk.number
    )
    return clerk


async def set_clerk_pin(tx: Tx, actor: Actor, clerk_id: UUID, pin: NewPin) -> Clerk:
    """Another PIN, by which a locked clerk may sign in at once; what was signed in by the old one
    ends."""
    await queries.set_pin_hash(tx, actor.brand_id, clerk_id, pin.hash)
    clerk = await queries.get_clerk(tx, actor.brand_id, clerk_id)
    await end_sessions_of(tx, actor.brand_id, clerk_id, PIN_CHANGED)
    await audit_log.record(tx, actor, "clerk.set_pin", clerk_id)
    return clerk


async def set_clerk_status(
    tx: Tx, actor: Actor, clerk_id: UUID, *, active: bool, reason: str
) -> Clerk:
    """A clerk leaves (离职), or is back."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    status = ACTIVE if active else LEFT
    changed = await queries.set_clerk_status(tx, actor.brand_id, clerk_id, status)
    clerk = await queries.get_clerk(tx, actor.brand_id, clerk_id)
    if changed:
        await end_sessions_of(tx, actor.brand_id, clerk_id, LEFT)
        action = "clerk.return" if active else "clerk.leave"
        await audit_log.record(tx, actor, action, clerk_id, reason)
    return clerk
