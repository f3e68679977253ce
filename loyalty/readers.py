"""One-statement reads for hot queries: each is its own snapshot, so no transaction is needed.

Kernel file beside ``db.py``, which owns the two pools here and picks one.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from loyalty.statements import KeyedStatement, Statement

BROKEN = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
)
"""What a statement on PostgreSQL raises when its connection is no more."""


_Asked = tuple[Sequence[tuple[Any, ...]], "asyncio.Future[list[list[Any]]]"]
"""The keys that one request asks for, and who waits for what they find."""


def _numbered(keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(number, *key) for number, key in enumerate(keys)]


def _by_ask(rows: Sequence[Any], count: int) -> list[list[Any]]:
    found: list[list[Any]] = [[] for _ in range(count)]
    for row in rows:
        found[row[0]].append(row[1:])
    return found


class Reader(Protocol):
    """Runs one set statement outside of any transaction."""

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Any]: ...

    async def fetch_each(
        self, statement: KeyedStatement, keys: Sequence[tuple[Any, ...]]
    ) -> list[list[Any]]: ...

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

    async def fetch_each(
        self, statement: KeyedStatement, keys: Sequence[tuple[Any, ...]]
    ) -> list[list[Any]]:
        names = statement.names
        return [
            await self.fetch(statement.alone, dict(zip(names, key, strict=True))) for key in keys
        ]

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
        self._asked: dict[int, list[_Asked]] = {}
        self._answering: set[asyncio.Task[None]] = set()

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

    async def fetch_each(
        self, statement: KeyedStatement, keys: Sequence[tuple[Any, ...]]
    ) -> list[list[Any]]:
        """What different requests ask at a time is asked at once: a statement has one run under
        way, and the next one takes whatever was asked meanwhile. Nothing waits on a timer."""
        answer: asyncio.Future[list[list[Any]]] = asyncio.get_running_loop().create_future()
        asked = self._asked.get(id(statement))
        if asked is None:
            self._asked[id(statement)] = [(keys, answer)]
            answering = asyncio.create_task(self._answer(statement))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        else:
            asked.append((keys, answer))
        return await answer

    async def _answer(self, statement: KeyedStatement) -> None:
        while asked := self._asked[id(statement)]:
            self._asked[id(statement)] = []
            await self._find(statement, asked)
        del self._asked[id(statement)]

    async def _find(self, statement: KeyedStatement, asked: list[_Asked]) -> None:
        keys = [key for each, _ in asked for key in each]
        try:
            rows = await self.fetch(statement.together, {"asked": _numbered(keys)})
        except Exception as fault:  # noqa: BLE001 - handed on to whoever asked
            if len(asked) > 1 and not isinstance(fault, (OSError, *BROKEN)):
                middle = len(asked) // 2  # what one of them asks for fails alone
                await self._find(statement, asked[:middle])
                await self._find(statement, asked[middle:])
                return
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(fault)
            return
        found = _by_ask(rows, len(keys))
        begin = 0
        for each, answer in asked:
            if not answer.done():  # or nobody wants it any more
                answer.set_result(found[begin : begin + len(each)])
            begin += len(each)

    async def close(self) -> None:
        await asyncio.gather(*self._answering)
        self._closed = True
        while self._idle:
            await self._idle.pop().close()
