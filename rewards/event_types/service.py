"""Verbs of event types."""

from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import NotFound
from rewards.event_types import queries
from rewards.event_types.models import EventType
from rewards.event_types.queries import list_types
from rewards.event_types.rules import (
    TypeDefinition,
    check_type,
    fields_from_json,
    fields_to_json,
    grown,
)

# Other nouns may call this service and never the queries: the last is the read they need.
__all__ = ["register_type", "require_type", "list_types"]


async def register_type(tx: Tx, actor: Actor, wanted: TypeDefinition) -> EventType:
    """The first or the next version of the type with this code; registered again as it is, it
    stays at its version. Refuses InvalidInput (with the field's path)."""
    check_type(wanted)
    found = await list_types(tx, actor.brand_id, [wanted.code])
    held = found[0] if found else None
    version = 1 if held is None else held.version + 1
    before = () if held is None else fields_from_json(held.fields)
    fields = wanted.fields if held is None else grown(before, wanted.fields, version)
    row = EventType(
        brand_id=actor.brand_id,
        code=wanted.code,
        name_zh=wanted.name_zh.strip(),
        name_en=wanted.name_en.strip(),
        version=version,
        fields=fields_to_json(fields),
        created_at=tx.now,
        registered_at=tx.now,
    )
    if held is None:
        if not await tx.insert_if_absent(row):
            raise RetryTransaction
    else:
        row.id, row.created_at = held.id, held.created_at
        same = (held.name_zh, held.name_en, held.fields)
        if same == (row.name_zh, row.name_en, row.fields):
            return held
        if not await queries.set_version(tx, held, row):
            raise RetryTransaction
    await audit_log.record(tx, actor, "event_type.register", row.id, code=row.code, version=version)
    return row


async def require_type(snapshot: Snapshot, brand_id: UUID, code: str) -> EventType:
    """Refuses NotFound (event type)."""
    found = await list_types(snapshot, brand_id, [code])
    if not found:
        raise NotFound(noun="event type")
    return found[0]
