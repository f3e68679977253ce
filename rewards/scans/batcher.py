"""The hot path: a writer settles whatever queued while it was busy. Two on PostgreSQL, so that one
folds while the other's statements run; they meet as two servers do, at the guards.

Each caller gets its own answer, after the commit. Nothing waits on a timer. A fault bisects the
batch, so that one poisonous scan fails alone; a database out of reach fails all of it at once.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from loyalty.db import Database, is_unavailable
from loyalty.errors import Refusal
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply, ScanRequest

Answer = ScanReply | Refusal
_Waiting = tuple[ScanRequest, "asyncio.Future[Answer]"]


class QueueFull(Exception):
    """More scans wait than the server is willing to hold; try again shortly."""


class ScanBatcher:
    """Give it scans with ``submit``; run it with ``start`` and end it with ``stop``."""

    def __init__(
        self, db: Database, *, batch_size_max: int, queue_size_max: int, writers: int = 1
    ) -> None:
        self._db = db
        self._writers = writers
        self._batch_size_max = batch_size_max
        self._queue_size_max = queue_size_max
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
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
        while True:
            if not self._queue:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            size = min(len(self._queue), self._batch_size_max)
            await self._settle([self._queue.popleft() for _ in range(size)])

    async def _settle(self, waiting: Sequence[_Waiting]) -> None:
        requests = [request for request, _ in waiting]
        try:
            answers = await self._db.in_transaction(settle_scans, requests, self._cache)
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
