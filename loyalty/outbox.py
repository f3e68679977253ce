"""Facts written inside the transaction that made them true, for workers to act on.

A row ends delivered, pending with a next attempt, or dead-lettered and visible. A worker leases
rows with a token; the token fences it: whoever was paused past its lease finds its writes refused.
Writing facts wakes a worker after the commit (``Database.on_facts``); one that nobody woke looks by
itself every few seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel, col, select

from loyalty.db import JsonColumn, Snapshot, Statement, Tx, insert_statement
from loyalty.ids import new_id
from loyalty.tables import own_id, tenant

LEASE_SECONDS = 30
ATTEMPTS_MAX = 12
BACKOFF_SECONDS_MAX = 3600
LISTED_MAX = 1000
DIED_WITH_ITS_WORKER = "the worker died, or was paused past its lease, during the last attempt"

State = Literal["dead", "pending"]

_WAITING = "delivered_at IS NULL AND dead_at IS NULL"
_DEAD = "dead_at IS NOT NULL"


class OutboxEvent(SQLModel, table=True):
    """One fact. ``lease_token`` is who works on it now, until ``leased_until``. ``attempts`` counts
    its leases, so that what kills its workers ends as well; ``failures`` those of which a worker
    told, and only these make it wait longer."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        Index(
            "ix_outbox_events_due",
            "due_at",
            sqlite_where=text(_WAITING),
            postgresql_where=text(_WAITING),
        ),
        Index(
            "ix_outbox_events_dead",
            "dead_at",
            sqlite_where=text(_DEAD),
            postgresql_where=text(_DEAD),
        ),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    topic: str
    subject_id: UUID
    payload: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime
    due_at: datetime
    attempts: int = Field(default=0, sa_type=BigInteger)
    failures: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )
    lease_token: UUID | None = None
    leased_until: datetime | None = None
    delivered_at: datetime | None = None
    dead_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """An event to be written; due at once unless ``due_at`` says otherwise. A plain value: the hot
    path makes one or two per scan."""

    brand_id: UUID
    topic: str
    subject_id: UUID
    payload: dict[str, Any]
    created_at: datetime
    due_at: datetime | None = None
    id: UUID = field(default_factory=new_id)


class StaleLease(Exception):
    """The lease was lost: another worker has these events now, and this one's work rolls back."""


@dataclass(frozen=True, slots=True)
class Leased:
    """An event as a worker sees it."""

    brand_id: UUID
    id: UUID
    topic: str
    subject_id: UUID
    payload: dict[str, Any]
    attempts: int
    created_at: datetime
    failures: int = 0


_INSERT = insert_statement(
    OutboxEvent,
    "brand_id uuid, id uuid, topic text, subject_id uuid, payload jsonb, created_at timestamptz,"
    " due_at timestamptz, attempts bigint",
)

_LEASE = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT e.brand_id, e.id FROM outbox_events e
        WHERE e.delivered_at IS NULL AND e.dead_at IS NULL AND e.due_at <= :now
        ORDER BY e.due_at LIMIT :batch_size_max {skip:e}
    )
    UPDATE outbox_events SET lease_token = :token, leased_until = :until, attempts = attempts + 1,
        due_at = :until
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM due)
    RETURNING brand_id, id, topic, subject_id, CAST(payload AS text), attempts, created_at,
        failures
    """,
    params="token uuid, until timestamptz, now timestamptz, batch_size_max bigint",
    returns="brand_id uuid, id uuid, topic text, subject_id uuid, payload text, attempts bigint,"
    " created_at timestamptz, failures bigint",
)

_DELIVER = Statement(
    """
    UPDATE outbox_events SET delivered_at = :now, lease_token = NULL, leased_until = NULL
    FROM {done} WHERE outbox_events.brand_id = done.brand_id AND outbox_events.id = done.id
        AND outbox_events.lease_token = :token
    RETURNING outbox_events.id
    """,
    sets={"done": "brand_id uuid, id uuid"},
    params="now timestamptz, token uuid",
    returns="id uuid",
)

_FAIL = Statement(
    """
    UPDATE outbox_events SET lease_token = NULL, leased_until = NULL, due_at = failed.due_at,
        dead_at = failed.dead_at, last_error = failed.last_error, failures = failures + 1
    FROM {failed} WHERE outbox_events.brand_id = failed.brand_id AND outbox_events.id = failed.id
        AND outbox_events.lease_token = :token
    RETURNING outbox_events.id
    """,
    sets={
        "failed": "brand_id uuid, id uuid, due_at timestamptz, dead_at timestamptz, last_error text"
    },
    params="token uuid",
    returns="id uuid",
)

_RELEASE = Statement(
    """
    UPDATE outbox_events SET lease_token = NULL, leased_until = NULL, due_at = :now,
        attempts = attempts - 1
    FROM {untried} WHERE outbox_events.brand_id = untried.brand_id
        AND outbox_events.id = untried.id AND outbox_events.lease_token = :token
    RETURNING outbox_events.id
    """,
    sets={"untried": "brand_id uuid, id uuid"},
    params="now timestamptz, token uuid",
    returns="id uuid",
)

_BURY = Statement(
    """
    UPDATE outbox_events SET lease_token = NULL, leased_until = NULL, due_at = :now,
        dead_at = :now, attempts = attempts - 1, last_error = :error
    FROM {spent} WHERE outbox_events.brand_id = spent.brand_id AND outbox_events.id = spent.id
        AND outbox_events.lease_token = :token
    RETURNING outbox_events.id
    """,
    sets={"spent": "brand_id uuid, id uuid"},
    params="now timestamptz, token uuid, error text",
    returns="id uuid",
)

_RETRY = Statement(
    """
    UPDATE outbox_events SET dead_at = NULL, due_at = :now, attempts = 0, failures = 0
    FROM {dead} WHERE outbox_events.brand_id = dead.brand_id AND outbox_events.id = dead.id
        AND outbox_events.dead_at IS NOT NULL
    RETURNING outbox_events.id
    """,
    sets={"dead": "brand_id uuid, id uuid"},
    params="now timestamptz",
    returns="id uuid",
)


async def emit(tx: Tx, facts: Sequence[Fact]) -> None:
    """Write facts into the running transaction; once it is committed, a worker is woken."""
    if facts:
        tx.has_facts = True
        await tx.write(_INSERT, rows=[_row(fact) for fact in facts])


def _row(fact: Fact) -> tuple[Any, ...]:
    return (
        fact.brand_id,
        fact.id,
        fact.topic,
        fact.subject_id,
        orjson.dumps(fact.payload).decode(),
        fact.created_at,
        fact.due_at or fact.created_at,
        0,
    )


async def lease(
    tx: Tx, *, batch_size_max: int, lease_seconds: float = LEASE_SECONDS
) -> tuple[UUID, list[Leased]]:
    """Take what is due under one new token, with that token. What was leased as often as it may
    be, and neither ended nor given back, goes to the dead letters instead."""
    token = new_id()
    rows = await tx.fetch(
        _LEASE,
        token=token,
        until=tx.now + timedelta(seconds=lease_seconds),
        now=tx.now,
        batch_size_max=batch_size_max,
    )
    spent = [(row[0], row[1]) for row in rows if row[5] > ATTEMPTS_MAX]
    if spent:
        await tx.fetch(_BURY, spent=spent, now=tx.now, token=token, error=DIED_WITH_ITS_WORKER)
    events = [
        Leased(row[0], row[1], row[2], row[3], orjson.loads(row[4]), row[5], row[6], row[7])
        for row in rows
        if row[5] <= ATTEMPTS_MAX
    ]
    return token, sorted(events, key=lambda event: event.id)


async def deliver(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
    """Mark events done; raises StaleLease, undoing the work with it, if the lease was lost."""
    done = await tx.fetch(
        _DELIVER,
        done=[(event.brand_id, event.id) for event in events],
        now=tx.now,
        token=token,
    )
    if len(done) != len(events):
        raise StaleLease


async def release(tx: Tx, token: UUID, events: Sequence[Leased]) -> int:
    """Give back what was leased and not tried: due at once, its attempt not used up. How many were
    still ours to give; others have the rest, or it has ended."""
    untried = [(event.brand_id, event.id) for event in events]
    return len(await tx.fetch(_RELEASE, untried=untried, now=tx.now, token=token))


def next_attempt(event: Leased, now: datetime) -> datetime | None:
    """When to try again what has just failed; None when it is to be dead. From two seconds to an
    hour, doubling with each failure: a lease that ended with its worker says nothing of the fact.
    """
    if event.attempts >= ATTEMPTS_MAX:
        return None
    return now + timedelta(seconds=min(BACKOFF_SECONDS_MAX, 2 ** (event.failures + 1)))


def storable(error: str) -> str:
    """What somebody said may hold anything; databases take neither NUL nor lone surrogates."""
    return error[:500].replace("\x00", "?").encode(errors="replace").decode()


async def fail(tx: Tx, token: UUID, events: Sequence[Leased], error: str) -> None:
    """Put events back with a later due time, or among the dead letters after the last attempt."""
    rows = []
    error = storable(error)
    for event in events:
        due_at = next_attempt(event, tx.now)
        rows.append((event.brand_id, event.id, due_at or tx.now, None if due_at else tx.now, error))
    if len(await tx.fetch(_FAIL, failed=rows, token=token)) != len(events):
        raise StaleLease


async def list_events(
    snapshot: Snapshot,
    state: State | None = None,
    *,
    brand_id: UUID | None = None,
    topic: str | None = None,
    limit: int = LISTED_MAX,
) -> list[OutboxEvent]:
    """Facts that are not delivered, oldest first: dead letters, pending ones, or both."""
    query = select(OutboxEvent).order_by(col(OutboxEvent.id)).limit(limit)
    # The conditions are those of the partial indexes: delivered facts are never read.
    if state == "dead":
        query = query.where(text(_DEAD))
    elif state == "pending":
        query = query.where(text(_WAITING))
    else:
        query = query.where(text(f"(({_WAITING}) OR {_DEAD})"))
    if brand_id is not None:
        query = query.where(col(OutboxEvent.brand_id) == brand_id)
    if topic is not None:
        query = query.where(col(OutboxEvent.topic) == topic)
    return list(await snapshot.session.exec(query))


async def find_dead(
    snapshot: Snapshot, *, ids: Sequence[UUID] | None = None, brand_id: UUID | None = None
) -> list[tuple[UUID, UUID, str]]:
    """(brand_id, id, topic) of the dead letters: those of ``ids``, those of a brand, or all."""
    query = select(OutboxEvent.brand_id, OutboxEvent.id, OutboxEvent.topic).where(text(_DEAD))
    if ids is not None:
        query = query.where(col(OutboxEvent.id).in_(ids))
    if brand_id is not None:
        query = query.where(col(OutboxEvent.brand_id) == brand_id)
    found = await snapshot.session.exec(query.order_by(col(OutboxEvent.id)))
    return [(row[0], row[1], row[2]) for row in found]


async def retry(tx: Tx, dead: Sequence[tuple[UUID, UUID]]) -> int:
    """Make dead letters, by (brand_id, id), due now with all attempts before them; how many were
    dead."""
    tx.has_facts |= bool(dead)
    return len(await tx.fetch(_RETRY, dead=dead, now=tx.now))
