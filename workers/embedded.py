"""The worker inside the server: the same jobs, from the server's own loop, without Redis.

It shares the loop, and on a file database the writer, with the hot path. Hence it takes small
bounded bites, rests after each, and does not lease again at once for a handful of events.
"""

import asyncio

import structlog

from loyalty.ids import new_id
from workers.periodic import PeriodicRunner
from workers.relay import Relay

log = structlog.get_logger("worker")

BATCH_SIZE_MAX = 250
"""Half a relay's own: reading so many rows holds the loop for a few milliseconds."""
REST_SECONDS = 0.05
BUSY_REST_SECONDS = 0.25
"""After a round that had something to do: while facts keep coming, they are taken in batches, and
not one by one as their writers wake us."""
PERIODIC_SECONDS = 5
BACKOFF_SECONDS_MAX = 30
FINISH_SECONDS_MAX = 3


class EmbeddedWorker:
    """Run it with ``start`` and end it with ``stop``, inside the server's event loop.

    It drains until a round comes back short, then waits for ``poll_seconds`` or for ``wake``,
    which whoever has written to the outbox may set; the worker clears it. Every few seconds it
    also runs the periodic work that is due.
    """

    def __init__(
        self,
        relay: Relay,
        poll_seconds: float,
        wake: asyncio.Event | None = None,
        *,
        batch_size_max: int = BATCH_SIZE_MAX,
        periodic: PeriodicRunner | None = None,
    ) -> None:
        self._relay = relay
        self._poll_seconds = poll_seconds
        self._wake = wake or asyncio.Event()
        self._batch_size_max = batch_size_max
        self._periodic = periodic
        self._periodic_at = 0.0
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to drain."""
        self._task = asyncio.create_task(self._run(), name="embedded-worker")

    async def stop(self) -> None:
        """Finish the running round, or after some seconds hand back the rest of it; then end."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=FINISH_SECONDS_MAX)
            for task in late:
                task.cancel()
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.result()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        crashes = 0
        while not self._stopping.is_set():
            self._wake.clear()
            began_at = loop.time()
            try:
                await self._run_periodic()
                leased = await self._relay.run_once(self._batch_size_max)
            except Exception:
                crashes += 1
                wait_seconds = min(BACKOFF_SECONDS_MAX, 2 ** min(crashes, 10) / 2)
                log.exception("round_failed", error_id=str(new_id()), retry_seconds=wait_seconds)
                await _wait(self._stopping, wait_seconds)
                continue
            crashes = 0
            if leased >= self._batch_size_max:
                # More is due. Rest half as long as the round took: a third of the time is others'.
                await asyncio.sleep(min(REST_SECONDS, (loop.time() - began_at) / 2))
            else:
                await _wait(self._stopping, BUSY_REST_SECONDS if leased else REST_SECONDS)
                await _wait(self._wake, self._seconds_to_wait())

    async def _run_periodic(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._periodic is not None and now >= self._periodic_at:
            self._periodic_at = now + PERIODIC_SECONDS
            await self._periodic.run_due()

    def _seconds_to_wait(self) -> float:
        if self._periodic is None:
            return self._poll_seconds
        return min(self._poll_seconds, PERIODIC_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
