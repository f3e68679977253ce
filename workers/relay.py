"""Drain the outbox: lease what is due, group it by topic, hand each group to its handler.

One bad event never holds up its group: a group that fails is halved until the bad one fails alone,
with a later due time, or among the dead letters after its last attempt. What a round did not come
to is given back.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from loyalty import outbox
from loyalty.db import Database, Tx
from loyalty.outbox import LEASE_SECONDS, Leased, StaleLease
from workers.couriers import Courier
from workers.handing_back import in_order

log = structlog.get_logger("relay")

BATCH_SIZE_MAX = 500
SEND_LEASE_SHARE = 1 / 6
SENDING_LEASE_SHARE = 1 / 2
"""Of a lease, one send may take so much, and a round begin no more of them after so much: whatever
was sent is recorded well inside the lease."""
SENDING_AT_ONCE_MAX = 32
INTERRUPTED = "the worker was stopped while sending; whether it arrived is not known"

Settle = Callable[[Tx, UUID, Sequence[Leased]], Awaitable[None]]
"""Marks the events delivered and writes what they mean to our own tables, in one transaction."""

Earn = Callable[[Tx, UUID, Sequence[Leased]], Awaitable[None]]
"""Writes what facts of one brand earn; again, nothing more. Nothing is marked delivered."""

Note = Callable[[Tx, Sequence[Leased]], Awaitable[None]]
"""Keeps what others want to know of these facts; never fails for what a fact says."""

_LONG_NUMBER = re.compile(r"\d{7,}")


@dataclass(frozen=True, slots=True)
class _Round:
    """One lease and what is left of it: events ``untried`` go back at its end."""

    token: UUID
    sending_ends_at: float
    stopping: asyncio.Event
    untried: list[Leased] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sent:
    """By event id; in neither is what was not begun."""

    reports: dict[UUID, Any]
    errors: dict[UUID, str]


class Relay:
    """One worker's way through the outbox; any number of them share it. What is done about a topic
    is in ``settled_here`` or ``couriers``; what its facts earn before that, in ``earning``."""

    def __init__(
        self,
        db: Database,
        settled_here: Mapping[str, Settle],
        couriers: Mapping[str, Courier],
        earning: Mapping[str, Earn] | None = None,
        *,
        note: Note | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._db = db
        self._settled_here = settled_here
        self._couriers = couriers
        self._earning = earning or {}
        self._note = note
        self._lease_seconds = lease_seconds

    def knows(self, topic: str) -> bool:
        """Whether facts of a topic are dealt with; those of any other fail until they are dead."""
        return topic in self._settled_here or topic in self._couriers

    async def run_once(self, batch_size_max: int = BATCH_SIZE_MAX) -> int:
        """Lease a batch and deal with it; how many events were leased.

        Whatever a handler raises ends in the outbox with its events. Raises only what kept the
        outbox itself from being written (no database); those leases lapse and come back. Cancelled,
        it ends within seconds: sends are broken off, the rest is given back.
        """
        return await in_order(lambda stopping: self._round(stopping, batch_size_max))

    async def _round(self, stopping: asyncio.Event, batch_size_max: int) -> int:
        began_at = asyncio.get_running_loop().time()
        token, events = await self._db.in_transaction(self._lease, batch_size_max)
        turn = _Round(token, began_at + self._lease_seconds * SENDING_LEASE_SHARE, stopping)
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
        if turn.untried:
            released = await self._db.in_transaction(outbox.release, token, turn.untried)
            log.info("given_back", events=released)
        if faults:
            raise faults[0]
        return len(events)

    async def _lease(self, tx: Tx, batch_size_max: int) -> tuple[UUID, list[Leased]]:
        """What is leased is noted for webhooks by the same transaction: whatever becomes of it
        here, who wants to be told of it will be."""
        token, events = await outbox.lease(
            tx, batch_size_max=batch_size_max, lease_seconds=self._lease_seconds
        )
        if self._note is not None and events:
            await self._note(tx, events)
        return token, events

    async def _handle(self, turn: _Round, topic: str, events: list[Leased]) -> None:
        if not self.knows(topic):
            log.error("topic_unknown", topic=topic, events=len(events))
            error = f"no handler for the topic {topic!r}"
            await self._db.in_transaction(_fail_each, turn.token, {error: events})
        elif topic in self._settled_here:
            verb = self._settled_here[topic]

            async def settle(part: Sequence[Leased]) -> None:
                await self._db.in_transaction(verb, turn.token, part)

            await self._in_halves(turn, events, settle)
        else:
            if topic in self._earning:
                events = await self._earn(turn, self._earning[topic], events)
            await self._send_out(turn, self._couriers[topic], events)

    async def _earn(self, turn: _Round, verb: Earn, events: list[Leased]) -> list[Leased]:
        """Settle what facts earn before they are told of, a brand at a time; those that were. Told
        of and settled again, they earn nothing more."""
        settled: list[Leased] = []

        async def earn(part: Sequence[Leased]) -> None:
            await self._db.in_transaction(verb, part[0].brand_id, part)
            settled.extend(part)

        by_brand: dict[UUID, list[Leased]] = {}
        for event in events:
            by_brand.setdefault(event.brand_id, []).append(event)
        for _, group in sorted(by_brand.items()):
            await self._in_halves(turn, group, earn)
        return settled

    async def _in_halves(
        self,
        turn: _Round,
        events: Sequence[Leased],
        work: Callable[[Sequence[Leased]], Awaitable[None]],
        *,
        even_stopping: bool = False,
    ) -> None:
        """Work on all at once, or on halves of what fails; an event that fails alone is failed."""
        if turn.stopping.is_set() and not even_stopping:
            turn.untried.extend(events)
            return
        try:
            await work(events)
        except StaleLease:
            raise
        except Exception as error:  # noqa: BLE001 - kept with the event
            if len(events) == 1:
                log.warning("event_failed", topic=events[0].topic, event_id=str(events[0].id))
                failed = {describe(error): events}
                await self._db.in_transaction(_fail_each, turn.token, failed)
                return
            middle = len(events) // 2
            for half in (events[:middle], events[middle:]):
                await self._in_halves(turn, half, work, even_stopping=even_stopping)

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
        done: list[Leased] = []
        failed: dict[str, list[Leased]] = {}
        for event in prepared:
            if event.id not in parcels or event.id in sent.reports:
                done.append(event)
            elif event.id in sent.errors:
                failed.setdefault(sent.errors[event.id], []).append(event)
            else:
                turn.untried.append(event)

        async def record(part: Sequence[Leased]) -> None:
            reports = {event.id: sent.reports[event.id] for event in part if event.id in parcels}
            await self._db.in_transaction(courier.record, turn.token, part, reports)

        if done:  # also when we are to stop: what was sent is to be known
            await self._in_halves(turn, done, record, even_stopping=True)
        if failed:
            log.warning("sending_failed", topic=events[0].topic, errors=len(sent.errors))
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
                    async with asyncio.timeout(self._lease_seconds * SEND_LEASE_SHARE):
                        sent.reports[event_id] = await courier.send(parcels[event_id])
                except asyncio.CancelledError:
                    sent.errors[event_id] = INTERRUPTED
                    raise
                except Exception as error:  # noqa: BLE001 - kept with the event
                    sent.errors[event_id] = describe(error)

        sends = [asyncio.ensure_future(send(event_id)) for event_id in parcels]
        everything: asyncio.Future[Any] = asyncio.gather(*sends, return_exceptions=True)
        stopped: asyncio.Future[Any] = asyncio.ensure_future(turn.stopping.wait())
        await asyncio.wait({everything, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        everything.cancel()  # nothing, unless we are to stop
        await asyncio.gather(everything, stopped, return_exceptions=True)
        return sent


async def _fail_each(tx: Tx, token: UUID, failed: Mapping[str, Sequence[Leased]]) -> None:
    for error, events in failed.items():
        await outbox.fail(tx, token, events, error)


def _by_topic(events: Sequence[Leased]) -> dict[str, list[Leased]]:
    groups: dict[str, list[Leased]] = {}
    for event in events:
        groups.setdefault(event.topic, []).append(event)
    return groups


def describe(error: Exception) -> str:
    """An error as an operator may read it: text that any database takes, no phone numbers."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    storable = text.encode("utf-8", "replace").decode().replace("\0", "?")
    return _LONG_NUMBER.sub("***", storable)
