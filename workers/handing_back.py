"""A worker that is asked to end does not drop what it holds: it hands it back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from loyalty.ids import new_id

log = structlog.get_logger("worker")

T = TypeVar("T")

AGAIN_SECONDS = 0.5


async def in_order(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run ``work(stopping)``; when we are cancelled, set ``stopping`` and wait until it has ended
    in order: transactions under way are finished, not torn. Cancelled again, leave it at once."""
    stopping = asyncio.Event()
    task = asyncio.ensure_future(work(stopping))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopping.set()
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is not None:
            log.error("hand_back_failed", error_id=str(new_id()), exc_info=task.exception())
        raise


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel a task that holds nothing, until it has ended: one cancellation may get lost, as
    ``asyncio.wait_for`` of Python 3.11, which redis-py and arq use, drops one that comes just as
    its work is done."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
