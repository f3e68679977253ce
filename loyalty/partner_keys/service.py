"""Keys of partners' systems: made, rotated, revoked; who calls with one; how often."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import PARTNER_ROLE, Actor, ActorKind, Scope
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import Database, Snapshot, Tx
from loyalty.errors import InvalidInput, NotFound, PartnerKeyRevoked
from loyalty.keyed import get_row, lock_row
from loyalty.partner_keys import queries, rules
from loyalty.partner_keys.models import PartnerKey
from loyalty.partner_keys.rules import looks_like_key
from loyalty.text import checked_text

__all__ = ["KeyHolder", "NewKey", "add_uses", "looks_like_key", "read_holder"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's row and the key in clear, to be shown once."""

    row: PartnerKey
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who calls with a key, and how often it may."""

    actor: Actor
    requests_per_minute: int


# --- who calls ---------------------------------------------------------------------------------


async def read_holder(
    database: Database, bearer: str, address: str, now: datetime
) -> KeyHolder | None:
    """Whom a key names; None for one that is unknown, revoked, rotated away or from an address
    that is not on its list. Read each time, so revoking a key ends it at once."""
    if not looks_like_key(bearer):
        return None
    rows = await database.read(queries.FIND_BY_HASH, hash=rules.hash_of(bearer), now=now)
    for brand_id, id, scopes, networks, requests_per_minute in rows:
        if rules.is_from(address, json.loads(networks)):
            scopes_held = frozenset(map(Scope, json.loads(scopes)))
            actor = Actor(ActorKind.PARTNER, brand_id, id, PARTNER_ROLE, scopes=scopes_held)
            return KeyHolder(actor, requests_per_minute)
    return None


async def add_uses(tx: Tx, calls: Mapping[tuple[UUID, UUID, str], int]) -> None:
    """Add to the figures of today, by (brand, key, field)."""
    zones = {id: (await get_brand(tx, id)).timezone for id in sorted({key[0] for key in calls})}
    rows = [
        (brand_id, key_id, local_date(tx.now, zones[brand_id]), field_name, count)
        for (brand_id, key_id, field_name), count in sorted(calls.items())
    ]
    await tx.write(queries.ADD_USES, rows=rows)


# --- operators ---------------------------------------------------------------------------------


async def create_key(
    tx: Tx,
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[Scope],
    networks: Sequence[str],
    requests_per_minute: int,
) -> NewKey:
    """A key for the brand's own systems. InvalidInput."""
    await tx.take_turns(f"partner keys {actor.brand_id.hex}")
    if await queries.count_live(tx, actor.brand_id) >= rules.KEYS_MAX:
        raise InvalidInput(field="name", problem=f"a brand has up to {rules.KEYS_MAX} keys")
    key = rules.key_of(secrets.token_bytes(rules.SECRET_BYTES))
    row = PartnerKey(
        brand_id=actor.brand_id,
        name=checked_text(name, "name", length_max=rules.NAME_LENGTH_MAX),
        start=rules.start_of(key),
        key_hash=rules.hash_of(key),
        scopes=rules.check_scopes(scopes),
        networks=rules.check_networks(networks),
        requests_per_minute=rules.check_rate(requests_per_minute),
        created_at=tx.now,
    )
    await tx.add(row)
    await audit_log.record(
        *(tx, actor, "partner_key.create", row.id),
        scopes=row.scopes,
        networks=row.networks,
        requests_per_minute=row.requests_per_minute,
    )
    return NewKey(row, key)


async def rotate_key(tx: Tx, actor: Actor, id: UUID, overlap_seconds: int) -> NewKey:
    """Another key in its place; the one before is good for ``overlap_seconds`` more. Refuses
    NotFound, InvalidInput and PartnerKeyRevoked."""
    if not 0 <= overlap_seconds <= rules.OVERLAP_SECONDS_MAX:
        raise InvalidInput(field="overlapSeconds", problem=f"0 to {rules.OVERLAP_SECONDS_MAX}")
    row = await _lock(tx, actor, id)
    key = rules.key_of(secrets.token_bytes(rules.SECRET_BYTES))
    until = tx.now + timedelta(seconds=overlap_seconds)
    values = {
        "start": rules.start_of(key),
        "key_hash": rules.hash_of(key),
        "previous_hash": row.key_hash if overlap_seconds else None,
        "previous_until": until if overlap_seconds else None,
    }
    await queries.set_key(tx, actor.brand_id, id, values)
    await audit_log.record(tx, actor, "partner_key.rotate", id, overlap_seconds=overlap_seconds)
    return NewKey(await get_key(tx, actor.brand_id, id), key)


async def configure_key(
    tx: Tx,
    actor: Actor,
    id: UUID,
    *,
    name: str | None = None,
    scopes: Sequence[Scope] | None = None,
    networks: Sequence[str] | None = None,
    requests_per_minute: int | None = None,
) -> PartnerKey:
    """Change what is given. Refuses NotFound, InvalidInput and PartnerKeyRevoked."""
    await _lock(tx, actor, id)
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = checked_text(name, "name", length_max=rules.NAME_LENGTH_MAX)
    if scopes is not None:
        values["scopes"] = rules.check_scopes(scopes)
    if networks is not None:
        values["networks"] = rules.check_networks(networks)
    if requests_per_minute is not None:
        values["requests_per_minute"] = rules.check_rate(requests_per_minute)
    if values:
        await queries.set_key(tx, actor.brand_id, id, values)
    await audit_log.record(tx, actor, "partner_key.configure", id, "", **values)
    return await get_key(tx, actor.brand_id, id)


async def revoke_key(tx: Tx, actor: Actor, id: UUID, reason: str) -> PartnerKey:
    """End a key for good, and the one before it. Refuses NotFound and PartnerKeyRevoked."""
    why = checked_text(reason, "reason", length_max=rules.NAME_LENGTH_MAX)
    await _lock(tx, actor, id)
    values = {"revoked_at": tx.now, "previous_hash": None, "previous_until": None}
    await queries.set_key(tx, actor.brand_id, id, values)
    await audit_log.record(tx, actor, "partner_key.revoke", id, why)
    return await get_key(tx, actor.brand_id, id)


async def get_key(snapshot: Snapshot, brand_id: UUID, id: UUID) -> PartnerKey:
    return await get_row(snapshot, PartnerKey, brand_id, id, "partner key")


async def _lock(tx: Tx, actor: Actor, id: UUID) -> PartnerKey:
    row = await lock_row(tx, PartnerKey, actor.brand_id, id)
    if row is None:
        raise NotFound(noun="partner key")
    if row.revoked_at is not None:
        raise PartnerKeyRevoked
    return row
