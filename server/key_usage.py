"""What partners' keys call, counted in memory and written every few seconds: a call costs a
dictionary's step, not a write. A process that is killed loses the figures of its last seconds."""

import asyncio
from collections import Counter
from contextlib import suppress
from uuid import UUID

import structlog

from loyalty.actor import Actor
from loyalty.db import Database
from loyalty.partner_keys.service import add_uses

log = structlog.get_logger("key_usage")

FLUSH_SECONDS = 2.0


class KeyUsageBook:
    """The figures of one process."""

    def __init__(self, database: Database, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._database = database
        self._flush_seconds = flush_seconds
        self._calls: Counter[tuple[UUID, UUID, str]] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def count(self, actor: Actor, field_name: str) -> None:
        """One more call of a root field by a key."""
        self._calls[actor.brand_id, actor.id, field_name] += 1

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="key-usage")

    async def stop(self) -> None:
        """Finish what is being written, and write what is left."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None
        await self._flush()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._flush_seconds)
            await self._flush()

    async def _flush(self) -> None:
        if not self._calls:
            return
        calls, self._calls = self._calls, Counter()
        try:
            await self._database.in_transaction(add_uses, calls)
        except Exception:
            log.exception("key_usage_not_written")
            self._calls.update(calls)
