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
from sqlmodel import Field, SQLModel, select

from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import JsonColumn, RetryTransaction, Statement, Tx
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


# Every mutation runs both: through the ORM they cost as much as all else that a till's step does.
_TAKE_KEY = Statement(
    """
    INSERT INTO idempotency_records
        (brand_id, actor_id, operation, key, body_hash, reply, created_at)
    VALUES (:brand_id, :actor_id, :operation, :key, :body_hash, :reply, :created_at)
    ON CONFLICT DO NOTHING RETURNING key
    """,
    params="brand_id uuid, actor_id uuid, operation text, key text, body_hash text, reply jsonb,"
    " created_at timestamptz",
    returns="key text",
)

_KEEP_REPLY = Statement(
    """
    UPDATE idempotency_records SET reply = :reply
    WHERE brand_id = :brand_id AND actor_id = :actor_id AND operation = :operation AND key = :key
    """,
    params="reply jsonb, brand_id uuid, actor_id uuid, operation text, key text",
)


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
    this_key = {
        "brand_id": actor.brand_id,
        "actor_id": actor.id,
        "operation": operation,
        "key": check_key(key),
    }
    digest = body_hash(keyring, actor.brand_id, body)
    if await tx.fetch(_TAKE_KEY, **this_key, body_hash=digest, reply="{}", created_at=tx.now):
        reply = await effect()
        await tx.fetch(_KEEP_REPLY, **this_key, reply=orjson.dumps(reply).decode())
        return reply, False
    found = (await tx.session.exec(select(IdempotencyRecord).filter_by(**this_key))).first()
    if found is None:  # swept in this very moment
        raise RetryTransaction
    if found.body_hash != digest:
        raise IdempotencyConflict()
    return found.reply, True
