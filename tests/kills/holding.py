"""Holding a process up in the middle of its transaction, to kill it there."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlmodel import SQLModel

from loyalty.db import Database, Tx

WAIT_SECONDS_MAX = 60


class Abandoned(Exception):
    """The test gives up what it holds."""


@asynccontextmanager
async def held(db: Database, row: SQLModel) -> AsyncIterator[None]:
    """An uncommitted row: on PostgreSQL whoever inserts one of its key waits in the middle of its
    transaction, on SQLite whoever writes at all. Rolled back in the end."""
    holds, release = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await tx.add(row)
        holds.set()
        await release.wait()
        raise Abandoned

    holding = asyncio.create_task(db.in_transaction(hold))
    await holds.wait()
    try:
        yield
    finally:
        release.set()
        with pytest.raises(Abandoned):
            await holding


async def _backends(url: str, condition: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            f" AND pid <> pg_backend_pid() AND {condition}"
        )
        return count
    finally:
        await connection.close()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not await condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def _has_open(pid: int, path: str) -> bool:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(os.path.realpath(link) == os.path.realpath(path) for link in links)


async def process_waits(url: str, pid: int) -> None:
    """Until a process is held up by what the test holds."""
    if url.startswith("sqlite"):
        # It waits for the file's lock, which nobody can see, soon after it has opened the file.
        async def has_opened() -> bool:
            return _has_open(pid, url.removeprefix("sqlite:///"))

        await _until(has_opened)
        await asyncio.sleep(0.5)
        return

    async def is_waiting() -> bool:
        return await _backends(url, "wait_event_type = 'Lock'") > 0

    await _until(is_waiting)


async def process_is_gone(url: str) -> None:
    """Until PostgreSQL has noticed that the client of a running statement is dead."""
    if url.startswith("sqlite"):
        return

    async def is_quiet() -> bool:
        return await _backends(url, "state <> 'idle'") == 0

    await _until(is_quiet)
