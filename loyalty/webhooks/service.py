"""Webhooks: what operators do to endpoints, how facts become deliveries, and how workers send them.

A worker leases whole endpoints. What it has sent is recorded with the end of the lease; whoever
was paused past it finds its reports passed over, and all is sent again. Never a network call here.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.clock import first_id_at
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput, NotFound, WebhookDisabled
from loyalty.ids import new_id
from loyalty.keyed import get_row, lock_row
from loyalty.text import checked_text
from loyalty.webhooks import queries, rules
from loyalty.webhooks.catalogue import TEST_TYPE
from loyalty.webhooks.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSubscription,
)
from loyalty.webhooks.rules import ENDPOINTS_MAX, OVERLAP_SECONDS_MAX

SETTLE_SECONDS = 0.3
"""Between noting a delivery and sending it: another worker that leased an older fact of the same
subject in this very moment has noted it by then."""
CLOCKS_APART_MAX = timedelta(minutes=10)
CERTAIN_AFTER = timedelta(minutes=1)
"""No transaction takes so long."""
WAS_DISABLED = "the endpoint was disabled"
NOT_LEASED: dict[str, Any] = {"lease_token": None, "leased_until": None}
"""The worker that has it finds its report passed over: that is of how the endpoint was before."""

Key = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class NewSecret:
    """An endpoint and its secret in clear, to be shown once."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PublicFact:
    """A fact as it is told: of which type, in whose order, and when it was written."""

    brand_id: UUID
    id: UUID
    event_type: str
    subject_id: UUID
    created_at: datetime


# --- operators ---------------------------------------------------------------------------------


async def create_endpoint(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    *,
    url: str,
    event_types: Collection[str],
    description: str,
    is_private_allowed: bool = False,
) -> NewSecret:
    """An endpoint that is told of what happens from now on, and its secret. InvalidInput."""
    await tx.take_turns(f"webhooks {actor.brand_id.hex}")
    if await queries.count_endpoints(tx, actor.brand_id) >= ENDPOINTS_MAX:
        raise InvalidInput(field="url", problem=f"a brand has up to {ENDPOINTS_MAX} endpoints")
    names = rules.check_event_types(event_types)
    secret = _new_secret()
    endpoint = WebhookEndpoint(
        brand_id=actor.brand_id,
        url=rules.check_url(url, is_private_allowed=is_private_allowed),
        description=_description(description),
        secret_cipher=keyring.seal_secret(actor.brand_id, secret),
        created_at=tx.now,
    )
    await tx.add(endpoint)
    await _subscribe(tx, endpoint, names)
    # An address may hold a secret of its receiver's: the log names its endpoint only.
    await audit_log.record(tx, actor, "webhook.create", endpoint.id, event_types=names)
    return NewSecret(endpoint, secret)


def _new_secret() -> str:
    return rules.secret_of(secrets.token_bytes(rules.SECRET_BYTES))


def _description(text: str) -> str:
    return text and checked_text(text, "description", length_max=rules.DESCRIPTION_LENGTH_MAX)


async def _subscribe(tx: Tx, endpoint: WebhookEndpoint, names: Collection[str]) -> None:
    rows = [
        WebhookSubscription(
            brand_id=endpoint.brand_id,
            endpoint_id=endpoint.id,
            event_type=name,
            since=tx.now,
            certain_at=tx.now + CERTAIN_AFTER,
        )
        for name in sorted(names)
    ]
    await tx.add(*rows)


async def configure_endpoint(
    tx: Tx,
    actor: Actor,
    id: UUID,
    *,
    url: str | None = None,
    event_types: Collection[str] | None = None,
    description: str | None = None,
    active: bool | None = None,
    is_private_allowed: bool = False,
) -> WebhookEndpoint:
    """Change what is given. What is newly wanted counts from now on; so does all after a time
    without: what was not sent is dead then, and a replay brings it. Refuses NotFound, InvalidInput.
    """
    endpoint = await _lock(tx, actor, id)
    values: dict[str, Any] = {}
    if url is not None:
        # Somewhere else: what the old address did says nothing of the new one.
        values |= {"url": rules.check_url(url, is_private_allowed=is_private_allowed)}
        values |= {"failures": 0, "blocked_until": None, **NOT_LEASED}
    if description is not None:
        values["description"] = _description(description)
    if event_types is not None:
        wanted = set(rules.check_event_types(event_types))
        has = await queries.list_subscriptions(tx, actor.brand_id, [id])
        had = {each.event_type for each in has}
        await queries.drop_subscriptions(tx, actor.brand_id, id, had - wanted)
        await _subscribe(tx, endpoint, wanted - had)
    if active is False and endpoint.status == EndpointStatus.ACTIVE.value:
        values |= {"status": EndpointStatus.DISABLED.value, "due_at": None}
        values |= {"replay_after_id": None, "replay_until_id": None, "replay_since": None}
        values |= NOT_LEASED
        await queries.bury_pending(tx, actor.brand_id, id, tx.now, WAS_DISABLED)
    if active is True and endpoint.status == EndpointStatus.DISABLED.value:
        values |= {"status": EndpointStatus.ACTIVE.value, "failures": 0, "blocked_until": None}
        values |= NOT_LEASED
        times = {"since": tx.now, "certain_at": tx.now + CERTAIN_AFTER}
        await queries.restart_subscriptions(tx, actor.brand_id, id, **times)
    if values:
        await queries.set_endpoint(tx, actor.brand_id, id, **values)
    names = None if event_types is None else sorted(event_types)
    await audit_log.record(
        *(tx, actor, "webhook.configure", id, ""),
        new_url=url is not None,
        event_types=names,
        active=active,
    )
    return await get_endpoint(tx, actor.brand_id, id)


async def rotate_secret(
    tx: Tx, actor: Actor, keyring: Keyring, id: UUID, overlap_seconds: int
) -> NewSecret:
    """Another secret; the one before signs beside it for ``overlap_seconds``. Refuses NotFound and
    InvalidInput."""
    if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
        raise InvalidInput(field="overlapSeconds", problem=f"0 to {OVERLAP_SECONDS_MAX}")
    endpoint = await _lock(tx, actor, id)
    secret = _new_secret()
    await queries.set_endpoint(
        tx,
        actor.brand_id,
        id,
        secret_cipher=keyring.seal_secret(actor.brand_id, secret),
        previous_cipher=endpoint.secret_cipher if overlap_seconds else None,
        previous_until=tx.now + timedelta(seconds=overlap_seconds) if overlap_seconds else None,
    )
    await audit_log.record(tx, actor, "webhook.rotate", id, overlap_seconds=overlap_seconds)
    return NewSecret(await get_endpoint(tx, actor.brand_id, id), secret)


async def send_test(tx: Tx, actor: Actor, id: UUID) -> WebhookDelivery:
    """A ``webhook.test``, sent like all others. Refuses NotFound and WebhookDisabled."""
    endpoint = await _lock_active(tx, actor, id)
    delivery = WebhookDelivery(
        brand_id=endpoint.brand_id,
        endpoint_id=endpoint.id,
        event_id=new_id(),
        event_type=TEST_TYPE,
        subject_id=endpoint.id,
        next_at=tx.now,
        queued_at=tx.now,
        created_at=tx.now,
    )
    await tx.add(delivery)
    await wake(tx, [(endpoint.brand_id, endpoint.id)], tx.now)
    await audit_log.record(tx, actor, "webhook.test", id)
    return delivery


async def resend(tx: Tx, actor: Actor, delivery_id: UUID) -> WebhookDelivery:
    """Send a delivery again, whatever became of it, with all attempts before it. Refuses NotFound
    and WebhookDisabled."""
    found = await get_delivery(tx, actor.brand_id, delivery_id)
    endpoint = await _lock_active(tx, actor, found.endpoint_id)
    await queries.requeue_delivery(tx, actor.brand_id, delivery_id)
    await wake(tx, [(endpoint.brand_id, endpoint.id)], tx.now)
    await audit_log.record(tx, actor, "webhook.resend", delivery_id)
    return await get_delivery(tx, actor.brand_id, delivery_id)


async def replay(tx: Tx, actor: Actor, id: UUID, since: datetime) -> WebhookEndpoint:
    """Send everything again that the endpoint wants and that happened since a time. A replay that
    is under way is given up for this one. Refuses NotFound, InvalidInput and WebhookDisabled."""
    if since >= tx.now:
        raise InvalidInput(field="since", problem="must be in the past")
    endpoint = await _lock_active(tx, actor, id)
    await queries.set_endpoint(
        tx,
        actor.brand_id,
        endpoint.id,
        # Ids go by the clocks of those who made them.
        replay_after_id=first_id_at(since - CLOCKS_APART_MAX),
        replay_until_id=new_id(),
        replay_since=since,
    )
    await audit_log.record(tx, actor, "webhook.replay", id, since=since.isoformat())
    return await get_endpoint(tx, actor.brand_id, id)


async def _lock(tx: Tx, actor: Actor, id: UUID) -> WebhookEndpoint:
    endpoint = await lock_row(tx, WebhookEndpoint, actor.brand_id, id)
    if endpoint is None:
        raise NotFound(noun="webhook endpoint")
    return endpoint


async def _lock_active(tx: Tx, actor: Actor, id: UUID) -> WebhookEndpoint:
    endpoint = await _lock(tx, actor, id)
    if endpoint.status != EndpointStatus.ACTIVE.value:
        raise WebhookDisabled()
    return endpoint


async def get_endpoint(snapshot: Snapshot, brand_id: UUID, id: UUID) -> WebhookEndpoint:
    """Refuses NotFound."""
    return await get_row(snapshot, WebhookEndpoint, brand_id, id, "webhook endpoint")


async def get_delivery(snapshot: Snapshot, brand_id: UUID, id: UUID) -> WebhookDelivery:
    """Refuses NotFound."""
    return await get_row(snapshot, WebhookDelivery, brand_id, id, "webhook delivery")


# --- facts become deliveries -------------------------------------------------------------------


async def find_wanted(
    tx: Tx, kinds: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], list[tuple[UUID, datetime]]]:
    """Of (brand_id, event type): the endpoints that want it, and since when. One statement."""
    wanted: dict[tuple[UUID, str], list[tuple[UUID, datetime]]] = {}
    for brand_id, name, endpoint_id, since in await tx.fetch(
        queries.FIND_WANTED, kinds=sorted(kinds)
    ):
        wanted.setdefault((brand_id, name), []).append((endpoint_id, since))
    return wanted


async def note(
    tx: Tx,
    facts: Sequence[PublicFact],
    wanted: dict[tuple[UUID, str], list[tuple[UUID, datetime]]],
) -> int:
    """A delivery of each fact for each endpoint that wants it, once however often it is noted; how
    many there may be."""
    rows = [
        row_of(tx, fact, endpoint_id, tx.now + timedelta(seconds=SETTLE_SECONDS))
        for fact in facts
        for endpoint_id, since in wanted.get((fact.brand_id, fact.event_type), ())
        if fact.created_at >= since
    ]
    if rows:
        # First, and in the order of their keys: each delivery shares the lock of its endpoint, and
        # two who share it cannot both have it for themselves.
        due_at = tx.now + timedelta(seconds=SETTLE_SECONDS)
        await wake(tx, {(row[0], row[2]) for row in rows}, due_at)
        await tx.fetch(queries.INSERT_DELIVERIES, rows=rows)
    return len(rows)


def row_of(tx: Tx, fact: PublicFact, endpoint_id: UUID, next_at: datetime) -> tuple[Any, ...]:
    """A new delivery, as both inserts take it."""
    pending = DeliveryStatus.PENDING.value
    return (
        *(fact.brand_id, new_id(), endpoint_id, fact.id, fact.event_type, fact.subject_id),
        *(pending, 0, next_at, next_at, tx.now),
    )


async def wake(tx: Tx, endpoints: Collection[Key], due_at: datetime) -> None:
    """Have endpoints looked at by then, whatever they wait for."""
    await tx.fetch(queries.WAKE, keys=sorted(endpoints), due_at=due_at)
