"""Draining the outbox in a process of its own: as fast as it goes, one round at a time."""

import asyncio

import structlog

from loyalty.ids import new_id
from workers.relay import BATCH_SIZE_MAX, Relay

log = structlog.get_logger("worker")


class Drain:
    """However often it is wanted, one runs; and what was wanted meanwhile is looked for again."""

    def __init__(self, relay: Relay, batch_size_max: int = BATCH_SIZE_MAX) -> None:
        self._relay = relay
        self._batch_size_max = batch_size_max
        self._is_wanted = False
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def want(self) -> None:
        """Drain soon: facts are committed, or may be. Waits for nothing."""
        self._is_wanted = True
        if not self._is_stopping and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="drain")

    async def wait(self, seconds_max: float) -> None:
        """Until nothing is wanted any more, or no longer than so many seconds."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds_max)

    async def stop(self, finish_seconds_max: float, hand_back_seconds_max: float) -> None:
        """Finish the running round, or else hand back what is left of it; no longer than both."""
        self._is_stopping = True
        await self.wait(finish_seconds_max)
        if self._task is not None:
            self._task.cancel()
            await self.wait(hand_back_seconds_max)

    async def _run(self) -> None:
        while self._is_wanted and not self._is_stopping:
            self._is_wanted = False
            try:
                if await self._relay.run_once(self._batch_size_max) >= self._batch_size_max:
                    self._is_wanted = True
            except Exception:  # whoever looks next, and somebody does, finds it still due
                log.exception("round_failed", error_id=str(new_id()))
                return
