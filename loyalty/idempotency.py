"""One key, one effect, one reply.

The record is written in the transaction of the effect. A refusal rolls back and stores nothing,
so its key may be tried again. Keys are promised for 90 days, because tills sleep for weeks; so far
nothing deletes them at all.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import update
from sqlmodel import Field, SQLModel, col, select

from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import JsonColumn, RetryTransaction, Tx
from loyalty.errors import IdempotencyConflict, InvalidInput
from loyalty.tables import tenant

KEY_LENGTH_MAX = 128


class IdempotencyRecord(SQLModel, table=True):
    """What an effected key did and said."""

    __tablename__ = "idempotency_records"
    brand_id: UUID = tenant()
    actor_id: UUID = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_hash: str
    reply: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime


def check_key(key: str) -> str:
    """Keys are 1 to 128 printable characters."""
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise InvalidInput(field="idempotencyKey", problem="1 to 128 printable characters")
    return key


def body_hash(keyring: Keyring, brand_id: UUID, body: dict[str, Any]) -> str:
    """A keyed hash of the request as the caller meant it: key order does not matter. A plain one
    would give away what there is little of in a body: a phone, a PIN."""
    try:
        canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS, default=str)
    except orjson.JSONEncodeError as error:  # lone surrogates, integers beyond 64 bits
        raise InvalidInput(field="input", problem="not valid text or numbers") from error
    return keyring.lookup_hash(brand_id, "body", canonical.decode())


async def once(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    operation: str,
    key: str,
    body: dict[str, Any],
    effect: Callable[[], Awaitable[dict[str, Any]]],
) -> tuple[dict[str, Any], bool]:
    """Run ``effect`` once per (brand, actor, operation, key): its reply, and whether replayed.

    The key is taken before the effect runs: a concurrent request with the same key waits at the
    primary key until this one has ended, so that it never meets a half-known effect.
    """
    record = IdempotencyRecord(
        brand_id=actor.brand_id,
        actor_id=actor.id,
        operation=operation,
        key=check_key(key),
        body_hash=body_hash(keyring, actor.brand_id, body),
        reply={},
        created_at=tx.now,
    )
    this_key = (
        col(IdempotencyRecord.brand_id) == record.brand_id,
        col(IdempotencyRecord.actor_id) == record.actor_id,
        col(IdempotencyRecord.operation) == record.operation,
        col(IdempotencyRecord.key) == record.key,
    )
    if await tx.insert_if_absent(record):
        reply = await effect()
        await tx.session.exec(
            update(IdempotencyRecord)
            .where(*this_key)
            .values(reply=reply)
            .execution_options(synchronize_session=False)
        )
        return reply, False
    found = (await tx.session.exec(select(IdempotencyRecord).where(*this_key))).first()
    if found is None:  # swept in this very moment
        raise RetryTransaction
    if found.body_hash != record.body_hash:
        raise IdempotencyConflict()
    return found.reply, True
