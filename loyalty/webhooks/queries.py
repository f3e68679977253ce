"""The SQL of webhooks. Endpoints are locked before their deliveries, in the order of their keys."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, delete, func, select, update

from loyalty.db import Snapshot, Statement, Tx, insert_statement
from loyalty.keyed import find_row, list_newest, list_newest_of_few
from loyalty.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSubscription,
)

LOGGED_MAX = 100
"""Requests of one delivery that are shown."""

# --- what is wanted, and noted -----------------------------------------------------------------

FIND_WANTED = Statement(
    """
    SELECT s.brand_id, s.event_type, s.endpoint_id, s.since
    FROM {kinds}
    {each:s webhook_subscriptions ON s.brand_id = kinds.brand_id AND s.event_type = kinds.name}
    {each:e webhook_endpoints ON e.brand_id = s.brand_id AND e.id = s.endpoint_id
        AND e.status = 'ACTIVE'}
    """,
    sets={"kinds": "brand_id uuid, name text"},
    returns="brand_id uuid, event_type text, endpoint_id uuid, since timestamptz",
)

_DELIVERY = (
    "brand_id uuid, id uuid, endpoint_id uuid, event_id uuid, event_type text, subject_id uuid,"
    " status text, attempts bigint, next_at timestamptz, queued_at timestamptz,"
    " created_at timestamptz"
)
INSERT_DELIVERIES = insert_statement(
    WebhookDelivery, _DELIVERY, "ON CONFLICT (brand_id, endpoint_id, event_id) DO NOTHING"
)
REQUEUE_DELIVERIES = insert_statement(
    WebhookDelivery,
    _DELIVERY,
    "ON CONFLICT (brand_id, endpoint_id, event_id) DO UPDATE SET status = 'PENDING', attempts = 0,"
    " next_at = excluded.next_at, queued_at = excluded.queued_at, delivered_at = NULL,"
    " dead_at = NULL",
)

# Always locked, and always written: whoever releases an endpoint just now has not seen what was
# noted here, and would leave it asleep.
WAKE = Statement(
    """
    WITH held AS MATERIALIZED (
        SELECT e.brand_id, e.id FROM {keys}
        {locked:e webhook_endpoints ON e.brand_id = keys.brand_id AND e.id = keys.id}
    )
    UPDATE webhook_endpoints
    SET due_at = CASE WHEN due_at IS NULL OR due_at > :due_at THEN :due_at ELSE due_at END
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM held)
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    params="due_at timestamptz",
)

# --- what is sent ------------------------------------------------------------------------------

IS_DUE = Statement(
    """
    SELECT 1 FROM webhook_endpoints e
    WHERE e.status = 'ACTIVE' AND e.due_at IS NOT NULL AND e.due_at <= :now
        AND (e.blocked_until IS NULL OR e.blocked_until <= :now)
        AND (e.leased_until IS NULL OR e.leased_until <= :now)
    LIMIT 1
    """,
    params="now timestamptz",
    returns="one bigint",
)

LEASE = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT e.brand_id, e.id FROM webhook_endpoints e
        WHERE e.status = 'ACTIVE' AND e.due_at IS NOT NULL AND e.due_at <= :now
            AND (e.blocked_until IS NULL OR e.blocked_until <= :now)
            AND (e.leased_until IS NULL OR e.leased_until <= :now)
            AND (e.failures > 0) = :are_failing
        ORDER BY e.due_at LIMIT :count_max {skip:e}
    )
    UPDATE webhook_endpoints SET lease_token = :token, leased_until = :until
    WHERE (brand_id, id) IN (SELECT brand_id, id FROM due)
    RETURNING brand_id, id, url, secret_cipher, previous_cipher, previous_until, failures
    """,
    params="token uuid, until timestamptz, now timestamptz, are_failing boolean, count_max bigint",
    returns="brand_id uuid, id uuid, url text, secret_cipher text, previous_cipher text,"
    " previous_until timestamptz, failures bigint",
)

# What waits behind an older one of its subject that is not due yet is not due either.
LIST_DUE = Statement(
    """
    SELECT d.id, d.event_id, d.event_type, d.subject_id, d.attempts, d.queued_at, o.subject_id,
        CAST(o.payload AS text), COALESCE(o.created_at, d.created_at)
    FROM webhook_deliveries d
    LEFT JOIN outbox_events o ON o.brand_id = d.brand_id AND o.id = d.event_id
    WHERE d.brand_id = :brand_id AND d.endpoint_id = :endpoint_id AND d.status = 'PENDING'
        AND d.next_at <= :now
        AND NOT EXISTS (SELECT 1 FROM webhook_deliveries b
            WHERE b.brand_id = d.brand_id AND b.endpoint_id = d.endpoint_id
                AND b.subject_id = d.subject_id AND b.event_id < d.event_id
                AND b.status = 'PENDING' AND b.next_at > :now)
    ORDER BY d.event_id LIMIT :count_max
    """,
    params="brand_id uuid, endpoint_id uuid, now timestamptz, count_max bigint",
    returns="id uuid, event_id uuid, event_type text, subject_id uuid, attempts bigint,"
    " queued_at timestamptz, fact_subject_id uuid, payload text, created_at timestamptz",
)

LOCK_LEASED = Statement(
    """
    SELECT e.brand_id, e.id, e.lease_token FROM {keys}
    {locked:e webhook_endpoints ON e.brand_id = keys.brand_id AND e.id = keys.id
        AND e.lease_token = keys.token}
    """,
    sets={"keys": "brand_id uuid, id uuid, token uuid"},
    returns="brand_id uuid, id uuid, token uuid",
)

WRITE_TRIED = Statement(
    """
    UPDATE webhook_deliveries SET status = tried.status, attempts = tried.attempts,
        next_at = tried.next_at, delivered_at = tried.delivered_at, dead_at = tried.dead_at,
        last_status_code = tried.status_code, last_error = tried.error
    FROM {tried} WHERE webhook_deliveries.brand_id = tried.brand_id
        AND webhook_deliveries.id = tried.id AND webhook_deliveries.status = 'PENDING'
    """,
    sets={
        "tried": "brand_id uuid, id uuid, status text, attempts bigint, next_at timestamptz,"
        " delivered_at timestamptz, dead_at timestamptz, status_code bigint, error text"
    },
)

INSERT_ATTEMPTS = insert_statement(
    WebhookAttempt,
    "brand_id uuid, id uuid, delivery_id uuid, started_at timestamptz, duration_ms bigint,"
    " status_code bigint, error text",
)

# The first by the index of what is pending, however much of it there is; which one of those that
# are due is told makes no difference.
DUE_NOW = Statement(
    """
    SELECT keys.brand_id, keys.id, (
        SELECT d.next_at FROM webhook_deliveries d
        WHERE d.brand_id = keys.brand_id AND d.endpoint_id = keys.id AND d.status = 'PENDING'
            AND d.next_at <= :now
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries b
                WHERE b.brand_id = d.brand_id AND b.endpoint_id = d.endpoint_id
                    AND b.subject_id = d.subject_id AND b.event_id < d.event_id
                    AND b.status = 'PENDING' AND b.next_at > :now)
        ORDER BY d.event_id LIMIT 1)
    FROM {keys}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    params="now timestamptz",
    returns="brand_id uuid, id uuid, due_at timestamptz",
)

# Reads all that is pending: for those of which nothing is due now.
NEXT_DUE = Statement(
    """
    SELECT keys.brand_id, keys.id, (
        SELECT MIN(d.next_at) FROM webhook_deliveries d
        WHERE d.brand_id = keys.brand_id AND d.endpoint_id = keys.id AND d.status = 'PENDING'
            AND NOT EXISTS (SELECT 1 FROM webhook_deliveries b
                WHERE b.brand_id = d.brand_id AND b.endpoint_id = d.endpoint_id
                    AND b.subject_id = d.subject_id AND b.event_id < d.event_id
                    AND b.status = 'PENDING'))
    FROM {keys}
    """,
    sets={"keys": "brand_id uuid, id uuid"},
    returns="brand_id uuid, id uuid, due_at timestamptz",
)

RELEASE = Statement(
    """
    UPDATE webhook_endpoints SET lease_token = NULL, leased_until = NULL, due_at = done.due_at,
        failures = done.failures, blocked_until = done.blocked_until
    FROM {done} WHERE webhook_endpoints.brand_id = done.brand_id
        AND webhook_endpoints.id = done.id
    """,
    sets={
        "done": "brand_id uuid, id uuid, due_at timestamptz, failures bigint,"
        " blocked_until timestamptz"
    },
)

# --- replays -----------------------------------------------------------------------------------

LIST_FACTS = Statement(
    """
    SELECT o.id, o.topic, o.subject_id, CAST(o.payload AS text), o.created_at, o.attempts
    FROM outbox_events o
    WHERE o.brand_id = :brand_id AND o.id > :after_id AND o.id <= :until_id
    ORDER BY o.id LIMIT :count_max
    """,
    params="brand_id uuid, after_id uuid, until_id uuid, count_max bigint",
    returns="id uuid, topic text, subject_id uuid, payload text, created_at timestamptz,"
    " attempts bigint",
)


async def lock_next_replay(tx: Tx) -> WebhookEndpoint | None:
    """An endpoint whose replay is under way, and that nobody else goes on with just now."""
    found = await tx.session.exec(
        select(WebhookEndpoint)
        .where(
            col(WebhookEndpoint.replay_after_id).is_not(None),
            col(WebhookEndpoint.status) == EndpointStatus.ACTIVE.value,
        )
        .order_by(col(WebhookEndpoint.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return found.first()


# --- operators ---------------------------------------------------------------------------------


async def set_endpoint(tx: Tx, brand_id: UUID, id: UUID, **values: Any) -> None:
    await tx.session.exec(
        update(WebhookEndpoint)
        .where(col(WebhookEndpoint.brand_id) == brand_id, col(WebhookEndpoint.id) == id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def count_endpoints(snapshot: Snapshot, brand_id: UUID) -> int:
    found = await snapshot.session.exec(
        select(func.count()).where(col(WebhookEndpoint.brand_id) == brand_id)
    )
    return found.one()


async def list_subscriptions(
    snapshot: Snapshot, brand_id: UUID, endpoint_ids: Sequence[UUID]
) -> list[WebhookSubscription]:
    """In the order of their types."""
    found = await snapshot.session.exec(
        select(WebhookSubscription)
        .where(
            col(WebhookSubscription.brand_id) == brand_id,
            col(WebhookSubscription.endpoint_id).in_(endpoint_ids),
        )
        .order_by(col(WebhookSubscription.event_type))
    )
    return list(found)


async def drop_subscriptions(
    tx: Tx, brand_id: UUID, endpoint_id: UUID, names: Collection[str]
) -> None:
    await tx.session.exec(
        delete(WebhookSubscription)
        .where(
            col(WebhookSubscription.brand_id) == brand_id,
            col(WebhookSubscription.endpoint_id) == endpoint_id,
            col(WebhookSubscription.event_type).in_(names),
        )
        .execution_options(synchronize_session=False)
    )


async def restart_subscriptions(
    tx: Tx, brand_id: UUID, endpoint_id: UUID, **times: datetime
) -> None:
    await tx.session.exec(
        update(WebhookSubscription)
        .where(
            col(WebhookSubscription.brand_id) == brand_id,
            col(WebhookSubscription.endpoint_id) == endpoint_id,
        )
        .values(**times)
        .execution_options(synchronize_session=False)
    )


async def bury_pending(tx: Tx, brand_id: UUID, endpoint_id: UUID, at: datetime, error: str) -> None:
    await tx.session.exec(
        update(WebhookDelivery)
        .where(
            col(WebhookDelivery.brand_id) == brand_id,
            col(WebhookDelivery.endpoint_id) == endpoint_id,
            col(WebhookDelivery.status) == DeliveryStatus.PENDING.value,
        )
        .values(status=DeliveryStatus.DEAD.value, dead_at=at, last_error=error)
        .execution_options(synchronize_session=False)
    )


async def requeue_delivery(tx: Tx, brand_id: UUID, id: UUID) -> None:
    await tx.session.exec(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.brand_id) == brand_id, col(WebhookDelivery.id) == id)
        .values(
            status=DeliveryStatus.PENDING.value,
            attempts=0,
            next_at=tx.now,
            queued_at=tx.now,
            delivered_at=None,
            dead_at=None,
        )
        .execution_options(synchronize_session=False)
    )


async def find_endpoint(snapshot: Snapshot, brand_id: UUID, id: UUID) -> WebhookEndpoint | None:
    return await find_row(snapshot, WebhookEndpoint, brand_id, id)


async def find_delivery(snapshot: Snapshot, brand_id: UUID, id: UUID) -> WebhookDelivery | None:
    return await find_row(snapshot, WebhookDelivery, brand_id, id)


async def list_endpoints(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[WebhookEndpoint]:
    """Newest first, older than the id ``before``."""
    return await list_newest(snapshot, WebhookEndpoint, brand_id, before=before, limit=limit)


async def list_deliveries(
    snapshot: Snapshot,
    brand_id: UUID,
    endpoint_id: UUID | None,
    status: DeliveryStatus | None,
    *,
    before: UUID | None,
    limit: int,
) -> list[WebhookDelivery]:
    """Of all endpoints or of one, newest first."""
    conditions = []
    if endpoint_id is not None:
        conditions.append(col(WebhookDelivery.endpoint_id) == endpoint_id)
    if status is not None:
        conditions.append(col(WebhookDelivery.status) == status.value)
    return await list_newest(
        snapshot, WebhookDelivery, brand_id, *conditions, before=before, limit=limit
    )


async def list_attempts(
    snapshot: Snapshot, brand_id: UUID, delivery_ids: Sequence[UUID]
) -> list[WebhookAttempt]:
    """The newest ``LOGGED_MAX`` of each, first to last."""
    newest = await list_newest_of_few(
        *(snapshot, WebhookAttempt, brand_id, "delivery_id", delivery_ids),
        before=None,
        limit=LOGGED_MAX,
    )
    return newest[::-1]


async def count_unsent(
    snapshot: Snapshot, brand_id: UUID, endpoint_ids: Sequence[UUID], status: DeliveryStatus
) -> dict[UUID, int]:
    """How many are PENDING, or DEAD, by endpoint; 0 for those that have none."""
    found = await snapshot.session.exec(
        select(WebhookDelivery.endpoint_id, func.count())
        .where(
            col(WebhookDelivery.brand_id) == brand_id,
            col(WebhookDelivery.endpoint_id).in_(endpoint_ids),
            col(WebhookDelivery.status) == status.value,
        )
        .group_by(col(WebhookDelivery.endpoint_id))
    )
    return dict.fromkeys(endpoint_ids, 0) | {row[0]: row[1] for row in found}
