"""Drain the outbox: lease what is due, group it by topic, hand each group to its handler.

One bad event never holds up its group: a group that fails is halved until the bad one fails alone,
with a later due time, or among the dead letters after its last attempt.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from loyalty import outbox
from loyalty.db import Database, Tx
from loyalty.outbox import Leased, StaleLease
from workers.couriers import Courier

log = structlog.get_logger("relay")

BATCH_SIZE_MAX = 500
SEND_SECONDS_MAX = 5
SENDING_SECONDS_MAX = 15
"""Per round and well inside a lease. What is not begun by then comes back as its lease lapses."""
SENDING_AT_ONCE_MAX = 32

Settle = Callable[[Tx, UUID, Sequence[Leased]], Awaitable[None]]
"""Marks the events delivered and writes what they mean to our own tables, in one transaction."""

_LONG_NUMBER = re.compile(r"\d{7,}")


@dataclass(frozen=True, slots=True)
class _Round:
    token: UUID
    sending_ends_at: float


@dataclass(frozen=True, slots=True)
class _Sent:
    """By event id; in neither is what was not begun."""

    reports: dict[UUID, Any]
    errors: dict[UUID, str]


class Relay:
    """One worker's way through the outbox; any number of them share it. What is done about a topic
    is in ``settled_here`` or ``couriers``."""

    def __init__(
        self, db: Database, settled_here: Mapping[str, Settle], couriers: Mapping[str, Courier]
    ) -> None:
        self._db = db
        self._settled_here = settled_here
        self._couriers = couriers

    async def run_once(self, batch_size_max: int = BATCH_SIZE_MAX) -> int:
        """Lease a batch and deal with it; how many events were leased.

        Whatever a handler raises ends in the outbox with its events. Raises only what kept the
        outbox itself from being written (no database); those leases lapse and come back.
        """
        token, events = await self._db.in_transaction(outbox.lease, batch_size_max=batch_size_max)
        turn = _Round(token, asyncio.get_running_loop().time() + SENDING_SECONDS_MAX)
        faults: list[Exception] = []
        # Our own tables first: no slow provider may use up their lease.
        groups = _by_topic(events)
        for topic, group in sorted(groups.items(), key=lambda g: g[0] in self._couriers):
            try:
                await self._handle(turn, topic, group)
            except StaleLease:
                log.warning("lease_lost", topic=topic, events=len(group))
            except Exception as fault:  # noqa: BLE001 - raised below, after the other groups
                faults.append(fault)
        if faults:
            raise faults[0]
        return len(events)

    async def _handle(self, turn: _Round, topic: str, events: list[Leased]) -> None:
        if topic in self._settled_here:
            verb = self._settled_here[topic]

            async def settle(part: Sequence[Leased]) -> None:
                await self._db.in_transaction(verb, turn.token, part)

            await self._in_halves(turn, events, settle)
        elif topic in self._couriers:
            await self._send_out(turn, self._couriers[topic], events)
        else:
            log.error("topic_unknown", topic=topic, events=len(events))
            error = f"no handler for the topic {topic!r}"
            await self._db.in_transaction(_fail_each, turn.token, {error: events})

    async def _in_halves(
        self,
        turn: _Round,
        events: Sequence[Leased],
        work: Callable[[Sequence[Leased]], Awaitable[None]],
    ) -> None:
        """Work on all at once, or on halves of what fails; an event that fails alone is failed."""
        try:
            await work(events)
        except StaleLease:
            raise
        except Exception as error:  # noqa: BLE001 - kept with the event
            if len(events) == 1:
                log.warning("event_failed", topic=events[0].topic, event_id=str(events[0].id))
                failed = {_describe(error): events}
                await self._db.in_transaction(_fail_each, turn.token, failed)
                return
            middle = len(events) // 2
            await self._in_halves(turn, events[:middle], work)
            await self._in_halves(turn, events[middle:], work)

    async def _send_out(self, turn: _Round, courier: Courier, events: list[Leased]) -> None:
        """Prepare from a snapshot, send outside of any transaction, record with the delivery."""
        parcels: dict[UUID, Any] = {}
        prepared: list[Leased] = []

        async def prepare(part: Sequence[Leased]) -> None:
            async with self._db.snapshot() as snapshot:
                parcels.update(await courier.prepare(snapshot, part))
            prepared.extend(part)

        await self._in_halves(turn, events, prepare)
        sent = await self._send_all(turn, courier, parcels)

        async def record(part: Sequence[Leased]) -> None:
            reports = {event.id: sent.reports[event.id] for event in part if event.id in parcels}
            await self._db.in_transaction(courier.record, turn.token, part, reports)

        done = [event for event in prepared if event.id in sent.reports or event.id not in parcels]
        if done:
            await self._in_halves(turn, done, record)
        if sent.errors:
            log.warning("sending_failed", topic=events[0].topic, errors=len(sent.errors))
            failed: dict[str, list[Leased]] = {}
            for event in prepared:
                if event.id in sent.errors:
                    failed.setdefault(sent.errors[event.id], []).append(event)
            await self._db.in_transaction(_fail_each, turn.token, failed)

    async def _send_all(self, turn: _Round, courier: Courier, parcels: Mapping[UUID, Any]) -> _Sent:
        sent = _Sent({}, {})
        room = asyncio.Semaphore(SENDING_AT_ONCE_MAX)
        loop = asyncio.get_running_loop()

        async def send(event_id: UUID) -> None:
            async with room:
                if loop.time() >= turn.sending_ends_at:
                    return
                try:
                    async with asyncio.timeout(SEND_SECONDS_MAX):
                        sent.reports[event_id] = await courier.send(parcels[event_id])
                except Exception as error:  # noqa: BLE001 - kept with the event
                    sent.errors[event_id] = _describe(error)

        async with asyncio.TaskGroup() as tasks:
            for event_id in parcels:
                tasks.create_task(send(event_id))
        return sent


async def _fail_each(tx: Tx, token: UUID, failed: Mapping[str, Sequence[Leased]]) -> None:
    for error, events in failed.items():
        await outbox.fail(tx, token, events, error)


def _by_topic(events: Sequence[Leased]) -> dict[str, list[Leased]]:
    groups: dict[str, list[Leased]] = {}
    for event in events:
        groups.setdefault(event.topic, []).append(event)
    return groups


def _describe(error: Exception) -> str:
    """An error as an operator may read it: text that any database takes, no phone numbers."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    storable = text.encode("utf-8", "replace").decode().replace("\0", "?")
    return _LONG_NUMBER.sub("***", storable)
