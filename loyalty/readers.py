"""One-statement reads for hot queries: each is its own snapshot, so no transaction is needed.

Kernel file beside ``db.py``, which owns the two pools here and picks one.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from loyalty.statements import Statement

BROKEN = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
)
"""What a statement on PostgreSQL raises when its connection is no more."""


class Reader(Protocol):
    """Runs one set statement outside of any transaction."""

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Any]: ...

    async def close(self) -> None: ...


class SqliteReader:
    """One read-only connection, used on the event loop itself: a keyed read of a local file takes
    some 20 microseconds, less than handing it to a thread. Not for reads over many rows."""

    def __init__(self, path: str) -> None:
        self._address = Path(path).absolute().as_uri() + "?mode=ro"
        self._connection: sqlite3.Connection | None = None

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        if self._connection is None:
            self._connection = sqlite3.connect(self._address, uri=True, isolation_level=None)
        sql, named = statement.sqlite_call(values)
        return statement.from_sqlite(self._connection.execute(sql, named).fetchall())

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresqlReader:
    """Up to ``size_max`` connections in autocommit; the one used last is used next."""

    def __init__(self, url: str, size_max: int, limits: dict[str, Any]) -> None:
        self._url = url
        self._limits = limits
        self._idle: list[asyncpg.Connection[Any]] = []
        self._places = asyncio.Semaphore(size_max)
        self._closed = False

    async def _connect(self) -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(self._url, **self._limits)

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        async with self._places:
            sql, arguments = statement.postgresql_call(values)
            while self._idle:
                connection = self._idle.pop()
                if connection.is_closed():
                    continue
                try:
                    return await self._fetch(connection, sql, arguments)
                except BROKEN:
                    continue  # while it lay idle, most likely; a read may be asked again
            return await self._fetch(await self._connect(), sql, arguments)

    async def _fetch(
        self, connection: "asyncpg.Connection[Any]", sql: str, arguments: list[Any]
    ) -> list[Any]:
        try:
            rows: list[Any] = await connection.fetch(sql, *arguments)
        except BaseException:
            # Also on cancellation: what state it was left in, nobody knows.
            connection.terminate()
            raise
        if self._closed:
            await connection.close()
        else:
            self._idle.append(connection)
        return rows

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().close()
