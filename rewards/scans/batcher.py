"""The hot path: a writer settles whatever queued while it was busy. Two on PostgreSQL, so that one
folds while the other's statements run; they meet as two servers do, at the guards. What a batch
costs whatever its size is paid seldom: where many scan, batches are large (``waits_for_more``).

Each caller gets its own answer, after the commit. Where few scan, nothing waits on a timer. A fault
bisects the batch, so that one poisonous scan fails alone; a database out of reach fails all of it
at once.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from loyalty.crypto import Keyring
from loyalty.db import Database, is_unavailable
from loyalty.errors import Refusal
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply, ScanRequest

LARGE_MIN = 24
"""So many scans make a large batch: what it costs whatever its size is then a small part of it."""
FEW_MAX = 12
"""Up to so many callers under way take turns with as many others, two batches at once: what little
there is to share costs less than waiting for it."""
COMING_BACK_SECONDS = 0.005
"""So long a batch waits for who was answered just now."""
LATE_SECONDS = 0.1
"""A batch that takes longer waits for somebody's lock: then nobody waits for it."""

Answer = ScanReply | Refusal
_Waiting = tuple[ScanRequest, "asyncio.Future[Answer]"]


class QueueFull(Exception):
    """More scans wait than the server is willing to hold; try again shortly."""


def waits_for_more(waiting: int, under_way: int, answered: int) -> bool:
    """Whether those who are waiting are no batch yet. Beside a batch that is under way: until they
    are many, or, of few, as many. With none under way: if those who were answered just now would
    make it large by coming back."""
    if waiting >= LARGE_MIN:
        return False
    if under_way:
        return under_way > FEW_MAX or waiting < under_way
    return waiting + answered >= LARGE_MIN


class ScanBatcher:
    """Give it scans with ``submit``; run it with ``start`` and end it with ``stop``. The
    ``keyring`` opens the seeds of draws."""

    def __init__(
        self,
        db: Database,
        *,
        batch_size_max: int,
        queue_size_max: int,
        writers: int = 1,
        keyring: Keyring | None = None,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._writers = writers
        self._batch_size_max = batch_size_max
        self._queue_size_max = queue_size_max
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._under_way = 0
        self._answered = 0
        self._waits_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._cache: ConfigurationCache = {}

    def start(self) -> None:
        """Begin to settle; call it inside the server's event loop."""
        self._tasks = [
            asyncio.create_task(self._run(), name=f"scan-batcher-{number}")
            for number in range(self._writers)
        ]

    async def stop(self) -> None:
        """Settle what is queued, then end."""
        self._stopping = True
        self._wake.set()
        await asyncio.gather(*self._tasks)

    async def submit(self, request: ScanRequest) -> ScanReply:
        """Settle one scan: its reply after the commit, or the Refusal raised."""
        if self._stopping or len(self._queue) >= self._queue_size_max:
            raise QueueFull
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((request, future))
        self._wake.set()
        answer = await future
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._stopping and not self._queue):
            waiting = len(self._queue)
            is_late = loop.time() >= self._waits_until
            if not waiting or (
                not is_late and waits_for_more(waiting, self._under_way, self._answered)
            ):
                await self._woken()
                continue
            size = min(waiting, self._batch_size_max)
            self._under_way += size
            self._waits_until = loop.time() + LATE_SECONDS
            try:
                await self._settle([self._queue.popleft() for _ in range(size)])
            finally:
                self._under_way -= size
                if not self._under_way:
                    self._answered = size
                    self._waits_until = loop.time() + COMING_BACK_SECONDS
                self._wake.set()

    async def _woken(self) -> None:
        self._wake.clear()
        if not self._queue:
            await self._wake.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._waits_until):
                await self._wake.wait()

    async def _settle(self, waiting: Sequence[_Waiting]) -> None:
        requests = [request for request, _ in waiting]
        try:
            answers = await self._db.in_batch(settle_scans, requests, self._cache, self._keyring)
        except Exception as fault:  # noqa: BLE001 - handed on to whoever waits for the answer
            # The cache may have been filled from a transaction that then rolled back.
            self._cache.clear()
            if len(waiting) == 1 or is_unavailable(fault):
                for _, future in waiting:
                    _answer(future, fault)
                return
            middle = len(waiting) // 2
            await self._settle(waiting[:middle])
            await self._settle(waiting[middle:])
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            _answer(future, answer)


def _answer(future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if future.done():
        return  # the caller has gone; what was settled stays settled, its key will tell
    if isinstance(answer, Exception) and not isinstance(answer, Refusal):
        future.set_exception(answer)
    else:
        future.set_result(answer)
