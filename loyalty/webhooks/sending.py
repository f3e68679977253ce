"""What workers do to endpoints and deliveries: leases, reports and replays, each in ``tx``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import structlog

from loyalty.db import Snapshot, Tx
from loyalty.ids import new_id
from loyalty.outbox import storable
from loyalty.webhooks import queries, rules
from loyalty.webhooks.models import DeliveryStatus, WebhookEndpoint
from loyalty.webhooks.service import Key, PublicFact, row_of, wake

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class LeasedEndpoint:
    """An endpoint as the worker sees it that has it now; ``ciphers`` are of the secrets that sign,
    ``leased_at`` is by the database's clock."""

    brand_id: UUID
    id: UUID
    token: UUID
    url: str
    ciphers: tuple[str, ...]
    failures: int
    leased_at: datetime


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery to be sent, and the fact behind it; none behind a test."""

    id: UUID
    event_id: UUID
    event_type: str
    subject_id: UUID
    attempts: int
    queued_at: datetime
    fact_subject_id: UUID
    payload: dict[str, Any]
    created_at: datetime


class Blame(StrEnum):
    """Whose failure it is, if it is one: the endpoint's; or ours, before anything was sent: what a
    request needs is not to be had just now, or the fact cannot be told, ever."""

    ENDPOINT = "ENDPOINT"
    PREPARATION = "PREPARATION"
    FACT = "FACT"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and what came of it. ``error`` is None for one that was taken; ``was_reached`` is
    False where nobody answered; ``chance`` (0 to 1) spreads the next one."""

    delivery: DueDelivery
    started_at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None
    was_reached: bool
    chance: float
    blame: Blame = Blame.ENDPOINT


@dataclass(frozen=True, slots=True)
class Report:
    """All that was tried in one lease, in order."""

    endpoint: LeasedEndpoint
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.endpoint.brand_id, self.endpoint.id

    def requests(self) -> list[Attempt]:
        """Those that say something of the endpoint."""
        return [attempt for attempt in self.attempts if attempt.blame is Blame.ENDPOINT]

    def failures(self) -> int:
        """In a row, up to now."""
        count = self.endpoint.failures
        for attempt in self.requests():
            count = 0 if attempt.error is None else count + 1
        return count


async def is_due(snapshot: Snapshot) -> bool:
    """Whether any endpoint has something to send now."""
    return bool(await snapshot.fetch(queries.IS_DUE, now=snapshot.now))


async def lease(
    tx: Tx, count_max: int, *, are_failing: bool, lease_seconds: float
) -> list[LeasedEndpoint]:
    """Take endpoints that are due, the longest overdue first: those that work, or those whose last
    request failed."""
    token = new_id()
    rows = await tx.fetch(
        queries.LEASE,
        token=token,
        until=tx.now + timedelta(seconds=lease_seconds),
        now=tx.now,
        are_failing=are_failing,
        count_max=count_max,
    )
    return [
        LeasedEndpoint(
            *(brand_id, id, token, url),
            (cipher, previous)
            if previous is not None and until is not None and until > tx.now
            else (cipher,),
            failures,
            tx.now,
        )
        for brand_id, id, url, cipher, previous, until, failures in rows
    ]


async def list_due(
    snapshot: Snapshot, endpoint: LeasedEndpoint, count_max: int
) -> list[DueDelivery]:
    """What an endpoint may be sent now, oldest first."""
    rows = await snapshot.fetch(
        queries.LIST_DUE,
        brand_id=endpoint.brand_id,
        endpoint_id=endpoint.id,
        now=endpoint.leased_at,
        count_max=count_max,
    )
    due = []
    for id, event_id, event_type, subject_id, attempts, queued_at, told_of, told, at in rows:
        payload = {} if told is None else orjson.loads(told)
        fact = (told_of or subject_id, payload, at)
        due.append(DueDelivery(id, event_id, event_type, subject_id, attempts, queued_at, *fact))
    return due


async def record(tx: Tx, reports: Iterable[Report]) -> int:
    """Write what was tried and give the endpoints back; how many of them were still ours."""
    by_lease = {(*report.key, report.endpoint.token): report for report in reports}
    found = await tx.fetch(queries.LOCK_LEASED, keys=sorted(by_lease))
    ours = [by_lease[brand_id, id, token] for brand_id, id, token in found]
    if len(ours) != len(by_lease):
        log.warning("lease_lost", endpoints=len(by_lease) - len(ours))
    if not ours:
        return 0
    tried = [(report, attempt) for report in ours for attempt in report.attempts]
    if tried:
        rows = [_tried(tx, report, attempt) for report, attempt in tried]
        await tx.fetch(queries.WRITE_TRIED, tried=rows)
        attempts = [_logged(report, attempt) for report, attempt in tried]
        await tx.fetch(queries.INSERT_ATTEMPTS, rows=attempts)
        dead = sum(row[2] == DeliveryStatus.DEAD.value for row in rows)
        if dead:
            log.error("webhooks_dead", deliveries=dead)
    # By a statement of its own: what was noted while we waited for the lock is seen by it.
    due = await _next_due(tx, [report.key for report in ours])
    await tx.fetch(queries.RELEASE, done=[_released(tx, each, due[each.key]) for each in ours])
    return len(ours)


async def _next_due(tx: Tx, keys: Sequence[Key]) -> dict[Key, datetime | None]:
    """When endpoints have something to send next; some time gone by for those that have now."""
    found = await tx.fetch(queries.DUE_NOW, keys=keys, now=tx.now)
    due = {(brand_id, id): due_at for brand_id, id, due_at in found}
    later = [key for key in keys if due[key] is None]
    if later:
        found = await tx.fetch(queries.NEXT_DUE, keys=later)
        due |= {(brand_id, id): due_at for brand_id, id, due_at in found}
    return due


def _tried(tx: Tx, report: Report, attempt: Attempt) -> tuple[Any, ...]:
    delivery = attempt.delivery
    count = delivery.attempts + 1
    head = (report.endpoint.brand_id, delivery.id)
    if attempt.error is None:
        status = DeliveryStatus.DELIVERED.value
        return (*head, status, count, tx.now, tx.now, None, attempt.status_code, None)
    next_at = None
    if attempt.blame is not Blame.FACT:
        next_at = rules.next_attempt(count, delivery.queued_at, tx.now, attempt.chance)
    error = storable(attempt.error)
    if next_at is None:
        status = DeliveryStatus.DEAD.value
        return (*head, status, count, tx.now, None, tx.now, attempt.status_code, error)
    status = DeliveryStatus.PENDING.value
    return (*head, status, count, next_at, None, None, attempt.status_code, error)


def _logged(report: Report, attempt: Attempt) -> tuple[Any, ...]:
    return (
        *(report.endpoint.brand_id, new_id(), attempt.delivery.id),
        *(attempt.started_at, attempt.duration_ms, attempt.status_code),
        None if attempt.error is None else storable(attempt.error),
    )


def _released(tx: Tx, report: Report, due_at: datetime | None) -> tuple[Any, ...]:
    failures = report.failures()
    blocked_until = None
    if failures and (requests := report.requests()):
        last = requests[-1]
        blocked_until = rules.blocked_until(
            failures, was_reached=last.was_reached, now=tx.now, chance=last.chance
        )
    return (*report.key, due_at, failures, blocked_until)


# --- replays -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OldFact:
    """A fact as a replay reads it."""

    brand_id: UUID
    id: UUID
    topic: str
    subject_id: UUID
    payload: dict[str, Any]
    created_at: datetime
    attempts: int


async def begin_replay_chunk(
    tx: Tx, limit: int
) -> tuple[WebhookEndpoint, Sequence[OldFact], bool] | None:
    """The next facts of a replay, locked with its endpoint, and whether these are the last; None
    when none is under way."""
    endpoint = await queries.lock_next_replay(tx)
    if endpoint is None:
        return None
    rows = await tx.fetch(
        queries.LIST_FACTS,
        brand_id=endpoint.brand_id,
        after_id=endpoint.replay_after_id,
        until_id=endpoint.replay_until_id,
        count_max=limit,
    )
    facts = [
        OldFact(endpoint.brand_id, row[0], row[1], row[2], orjson.loads(row[3]), row[4], row[5])
        for row in rows
    ]
    return endpoint, facts, len(rows) < limit


async def wanted_by(tx: Tx, endpoint: WebhookEndpoint) -> frozenset[str]:
    """The types that an endpoint wants now."""
    rows = await queries.list_subscriptions(tx, endpoint.brand_id, [endpoint.id])
    return frozenset(row.event_type for row in rows)


async def requeue(
    tx: Tx,
    endpoint: WebhookEndpoint,
    facts: Sequence[PublicFact],
    *,
    after_id: UUID | None,
) -> None:
    """Queue facts of a replay, those that were queued before once more, and go on after
    ``after_id``; None: that was all."""
    rows = [row_of(tx, fact, endpoint.id, tx.now) for fact in facts]
    if rows:
        await tx.fetch(queries.REQUEUE_DELIVERIES, rows=rows)
        await wake(tx, [(endpoint.brand_id, endpoint.id)], tx.now)
    values: dict[str, Any] = {"replay_after_id": after_id}
    if after_id is None:
        values |= {"replay_until_id": None, "replay_since": None}
    await queries.set_endpoint(tx, endpoint.brand_id, endpoint.id, **values)
