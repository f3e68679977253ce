"""Sends webhooks: endpoints side by side, each one's deliveries in the order of their subjects.

An endpoint is leased as a whole, for a bite of what it is due. Of those that work as many are under
way as there is room for; those whose last request failed share a quarter of it, and after a failure
nobody asks them for a while. So endpoints that hang hold up a bounded part of the room, and nobody
else. Reports are recorded together, as many as came while the last ones were.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import structlog

from loyalty.clock import Clock, utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database, Snapshot, Tx
from loyalty.ids import new_id
from loyalty.outbox import LEASE_SECONDS
from loyalty.webhooks import sending
from loyalty.webhooks.catalogue import body_of
from loyalty.webhooks.rules import TRIP_FAILURES, signed_headers
from loyalty.webhooks.sending import Attempt, Blame, DueDelivery, LeasedEndpoint, Report
from loyalty.webhooks.targets import Sender
from workers.handing_back import end
from workers.relay import INTERRUPTED, SEND_LEASE_SHARE, SENDING_LEASE_SHARE, describe

log = structlog.get_logger("webhooks")

ENDPOINTS_AT_ONCE_MAX = 256
FAILING_SHARE = 1 / 4
BITE_MAX = 50
REQUESTS_AT_ONCE_MAX = 4
"""To one endpoint that works; one that failed is asked one thing at a time."""
READS_AT_ONCE_MAX = 3
RECORDED_AT_ONCE_MAX = 128
FINISH_SECONDS_MAX = 3
RETRY_SECONDS = 1.0

Describe = Callable[
    [Snapshot, UUID, Collection[DueDelivery]], Awaitable[Mapping[UUID, dict[str, Any]]]
]


@dataclass
class _Bite:
    """One endpoint's turn; ``is_over``: nothing more is begun in it."""

    report: Report
    signing: Sequence[str]
    more: Mapping[UUID, dict[str, Any]]
    room: asyncio.Semaphore
    ends_at: float
    is_over: bool = False
    failures: int = field(init=False)

    def __post_init__(self) -> None:
        self.failures = self.report.endpoint.failures


class WebhookSender:
    """Run it with ``start`` and end it with ``stop``; any number of them share the work."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        sender: Sender,
        describe_more: Describe,
        *,
        poll_seconds: float = 0.5,
        lease_seconds: float = LEASE_SECONDS,
        at_once_max: int = ENDPOINTS_AT_ONCE_MAX,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._sender = sender
        self._describe_more = describe_more
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._at_once_max = at_once_max
        self._clock = clock
        self._reading = asyncio.Semaphore(READS_AT_ONCE_MAX)
        self._recording = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._bites: dict[asyncio.Task[None], LeasedEndpoint] = {}
        self._reports: list[Report] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is due."""
        self._task = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """Finish what is being sent, or after some seconds break it off; give all back."""
        self._stopping.set()
        self._wake.set()
        if self._bites:
            _, late = await asyncio.wait(set(self._bites), timeout=FINISH_SECONDS_MAX)
            for bite in late:
                bite.cancel()
            if late:
                await asyncio.wait(late)
        if self._task is not None:
            await end(self._task)
        await self._record()
        await self._sender.close()

    async def run_once(self) -> int:
        """Send all that is due now, and what becomes due meanwhile; how many endpoints had a
        turn."""
        count = 0
        while leased := await self._take_and_begin():
            count += leased
            await asyncio.wait(set(self._bites))
            await self._record()
        return count

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if len(self._bites) < self._at_once_max and await self._take_and_begin():
                    continue
            except Exception:
                log.exception("webhooks_failed", error_id=str(new_id()))
                await asyncio.sleep(RETRY_SECONDS)
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _take_and_begin(self) -> int:
        async with self._db.snapshot() as snapshot:
            if not await sending.is_due(snapshot):
                return 0
        leased = await self._db.in_transaction(self._take)
        for endpoint in leased:
            bite = asyncio.create_task(self._bite(endpoint))
            self._bites[bite] = endpoint
            bite.add_done_callback(self._bites.pop)
        return len(leased)

    async def _take(self, tx: Tx) -> list[LeasedEndpoint]:
        room = self._at_once_max - len(self._bites)
        failing = sum(endpoint.failures > 0 for endpoint in self._bites.values())
        failing_max = max(1, int(self._at_once_max * FAILING_SHARE))
        works = await sending.lease(tx, room, are_failing=False, lease_seconds=self._lease_seconds)
        room = min(room - len(works), failing_max - failing)
        if room <= 0:
            return works
        return works + await sending.lease(
            tx, room, are_failing=True, lease_seconds=self._lease_seconds
        )

    async def _bite(self, endpoint: LeasedEndpoint) -> None:
        ends_at = asyncio.get_running_loop().time() + self._lease_seconds * SENDING_LEASE_SHARE
        chains: dict[UUID, list[DueDelivery]] = {}
        try:
            async with self._reading, self._db.snapshot() as snapshot:
                due = await sending.list_due(snapshot, endpoint, BITE_MAX)
                for delivery in due:
                    chains.setdefault(delivery.subject_id, []).append(delivery)
                more = await self._describe_more(snapshot, endpoint.brand_id, due)
            opened = [self._keyring.open_secret(endpoint.brand_id, c) for c in endpoint.ciphers]
        except Exception as fault:
            log.exception("webhook_unprepared", endpoint=str(endpoint.id), error_id=str(new_id()))
            # Of what could not even be read nothing is said: the lease lapses, and it comes back.
            if chains:
                firsts = [chain[0] for chain in chains.values()]
                self._reports.append(Report(endpoint, [self._unprepared(d, fault) for d in firsts]))
                await self._record()
            return
        room = asyncio.Semaphore(1 if endpoint.failures else REQUESTS_AT_ONCE_MAX)
        bite = _Bite(Report(endpoint), opened, more, room, ends_at)
        try:
            async with asyncio.TaskGroup() as group:
                for chain in chains.values():
                    group.create_task(self._send_chain(bite, chain))
        finally:
            self._reports.append(bite.report)
        await self._record()
        self._wake.set()

    async def _send_chain(self, bite: _Bite, chain: Sequence[DueDelivery]) -> None:
        """One subject's deliveries, oldest first; none after one that failed."""
        loop = asyncio.get_running_loop()
        for delivery in chain:
            async with bite.room:
                if bite.is_over or self._stopping.is_set() or loop.time() >= bite.ends_at:
                    return
                attempt = await self._try(bite, delivery)
                if attempt.error is None:
                    bite.failures = 0
                    continue
                if attempt.blame is Blame.FACT:
                    continue  # it is dead, and holds nobody back
                bite.failures += 1
                bite.is_over |= not attempt.was_reached or bite.failures >= TRIP_FAILURES
                return

    async def _try(self, bite: _Bite, delivery: DueDelivery) -> Attempt:
        loop = asyncio.get_running_loop()
        began_at, started_at = loop.time(), self._clock()
        try:
            headers, body = self._request(bite, delivery, int(started_at.timestamp()))
        except Exception as fault:
            log.exception("webhook_untold", delivery=str(delivery.id), error_id=str(new_id()))
            attempt = self._unprepared(delivery, fault, Blame.FACT)
            bite.report.attempts.append(attempt)
            return attempt
        status_code: int | None = None
        was_reached = False
        error: str | None = INTERRUPTED
        try:
            async with asyncio.timeout(self._lease_seconds * SEND_LEASE_SHARE):
                reply = await self._sender.post(bite.report.endpoint.url, headers, body)
            was_reached, status_code = True, reply.status
            error = None if 200 <= reply.status <= 299 else f"HTTP {reply.status}"
        except asyncio.CancelledError:
            was_reached = True  # for all we know
            raise
        except Exception as fault:  # noqa: BLE001 - kept with the delivery
            error = describe(fault)
        finally:
            duration_ms = int((loop.time() - began_at) * 1000)
            said = (started_at, duration_ms, status_code, error, was_reached, random.random())
            attempt = Attempt(delivery, *said)
            bite.report.attempts.append(attempt)
        return attempt

    def _unprepared(
        self, delivery: DueDelivery, fault: Exception, blame: Blame = Blame.PREPARATION
    ) -> Attempt:
        """What failed before anything was sent."""
        said = (self._clock(), 0, None, describe(fault), True, random.random())
        return Attempt(delivery, *said, blame)

    def _request(
        self, bite: _Bite, delivery: DueDelivery, timestamp: int
    ) -> tuple[dict[str, str], bytes]:
        payload = delivery.payload | bite.more.get(delivery.event_id, {})
        told = body_of(
            delivery.event_type,
            delivery.event_id,
            delivery.fact_subject_id,
            delivery.created_at,
            payload,
        )
        body = orjson.dumps(told)
        return signed_headers(str(delivery.event_id), timestamp, body, bite.signing), body

    async def _record(self) -> None:
        """Record what has come together: one writes, and takes those that came meanwhile."""
        async with self._recording:
            while self._reports:
                taken = self._reports[:RECORDED_AT_ONCE_MAX]
                del self._reports[:RECORDED_AT_ONCE_MAX]
                if not await self._record_all(taken) and len(taken) > 1:
                    for report in taken:  # one of them must not keep back the others
                        await self._record_all([report])

    async def _record_all(self, reports: Sequence[Report]) -> bool:
        try:
            await self._db.in_transaction(sending.record, reports)
        except Exception:  # unless it goes better one by one, leases lapse and all is sent again
            endpoints = [str(report.endpoint.id) for report in reports]
            log.exception("webhooks_unrecorded", endpoints=endpoints[:3], error_id=str(new_id()))
            return False
        return True
