"""Transactions and snapshots: what services are given. ``db.py`` opens and ends them.

Ordinary code reads and writes through ``tx.session`` (SQLModel). Hot code writes SQL over whole
sets: a ``Statement`` (``statements.py``) is one text for both databases.
"""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Table, insert, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from loyalty.gathering import Asked, Gathering
from loyalty.statements import Statement, bundle

Dialect = Literal["sqlite", "postgresql"]


class RetryTransaction(Exception):
    """A guard moved under us: roll back and run the whole verb again on fresh rows."""


class StatementMismatch(Exception):
    """A guarded write touched another number of rows than it must: a broken promise, not a race."""


class Snapshot:
    """A consistent read. Resolvers and loaders each open their own."""

    def __init__(self, connection: AsyncConnection, dialect: Dialect, now: datetime) -> None:
        self._connection = connection
        self._session: AsyncSession | None = None
        self._driver: Any = None
        self._gathering: Gathering | None = None
        self.dialect = dialect
        self.now = now

    @property
    def session(self) -> AsyncSession:
        if self._session is None:
            self._session = AsyncSession(
                bind=self._connection, expire_on_commit=False, autoflush=False
            )
        return self._session

    async def fetch(self, statement: Statement, **values: Any) -> list[Any]:
        """Run a set statement on the driver; rows as sequences typed as ``returns`` declares."""
        if self._gathering is not None:
            return await self._gathering.ask(statement, values)
        return await self._run(statement, values)

    async def together(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """What several coroutines return that ``fetch`` here, and nothing else. On PostgreSQL what
        they ask at the same time is one statement, each of whose parts sees the same state: none
        may depend on another's lock or row. In a file there is nothing to be gained by it."""
        if self.dialect == "sqlite":
            try:
                return [await coroutine for coroutine in coroutines]
            finally:
                for coroutine in coroutines:  # those behind one that raised were not begun
                    coroutine.close()
        if self._gathering is not None:
            return await self._gathering.nested(*coroutines)
        self._gathering = Gathering(self._run_all)
        try:
            return await self._gathering.all(*coroutines)
        finally:
            self._gathering = None

    async def _run(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        driver = self._driver or await self._find_driver()
        if self.dialect == "postgresql":
            sql, arguments = statement.postgresql_call(values)
            rows: list[Any] = await driver.fetch(sql, *arguments)
            return rows
        sql, named = statement.sqlite_call(values)
        return statement.from_sqlite(await driver.execute_fetchall(sql, named))

    async def _find_driver(self) -> Any:
        raw = await self._connection.get_raw_connection()
        self._driver = raw.driver_connection
        return self._driver

    async def _run_all(self, asked: list[Asked]) -> list[list[Any]]:
        if len(asked) == 1:
            return [await self._run(*asked[0])]
        sql, arguments = bundle(asked, counted=False)
        found: list[list[Any]] = [[] for _ in asked]
        driver = self._driver or await self._find_driver()
        for number, row in await driver.fetch(sql, *arguments):
            found[number].append(row)
        return found

    async def close_session(self) -> None:
        if self._session is not None:
            await self._session.close()


class Tx(Snapshot):
    """One writing transaction. Services take it first and never end it."""

    has_facts = False
    """Set by the outbox: a worker is to be woken after the commit."""
    _unsent: list[tuple[Asked, int | None, Exception]] | None = None

    async def fetch(self, statement: Statement, **values: Any) -> list[Any]:
        if self._unsent:
            await self._send()  # what is read may be what was written
        return await super().fetch(statement, **values)

    async def write(
        self,
        statement: Statement,
        *,
        expected: int | None = None,
        otherwise: Exception | None = None,
        **values: Any,
    ) -> None:
        """Run a writing set statement. It must tell of ``expected`` rows; if it does not, raises
        ``otherwise``, or RetryTransaction. Inside ``sending_together`` it may be sent later."""
        if self._unsent is not None:
            self._unsent.append(((statement, values), expected, otherwise or RetryTransaction()))
        elif (told := len(await self._run(statement, values))) != expected and expected is not None:
            raise otherwise or RetryTransaction(told)

    @asynccontextmanager
    async def sending_together(self) -> AsyncIterator[None]:
        """What is written inside is sent at the end, on PostgreSQL as one statement, in the order
        in which it was written. None of it may write a row twice, nor read what the rest writes;
        a ``fetch`` sends what was written before it."""
        if self.dialect == "sqlite":
            yield
            return
        self._unsent = []
        try:
            yield
            await self._send()
        finally:
            self._unsent = None

    async def _send(self) -> None:
        unsent, self._unsent = self._unsent or [], []
        if not unsent:
            return
        sql, arguments = bundle([asked for asked, _, _ in unsent], counted=True)
        driver = self._driver or await self._find_driver()
        told = dict(await driver.fetch(sql, *arguments))
        for number, (_, expected, otherwise) in enumerate(unsent):
            if expected is not None and told[number][0] != expected:
                raise otherwise

    async def insert_if_absent(self, row: SQLModel) -> bool:
        """Insert unless a unique key already holds it; True if this call inserted it."""
        table: Table = inspect(type(row)).local_table
        values = {column.name: getattr(row, column.name) for column in table.columns}
        dialect_insert = postgresql.insert if self.dialect == "postgresql" else sqlite.insert
        result = await self._connection.execute(
            dialect_insert(table).values(values).on_conflict_do_nothing()
        )
        return bool(result.rowcount == 1)

    async def add(self, *rows: SQLModel) -> None:
        """Insert rows now, so that a broken constraint shows here and not at commit."""
        for row in rows:
            table: Table = inspect(type(row)).local_table
            values = {column.name: getattr(row, column.name) for column in table.columns}
            await self._connection.execute(insert(table).values(values))

    async def take_turns(self, name: str) -> None:
        """Wait until no other transaction holds this name; SQLite's writer is alone anyway."""
        if self.dialect == "postgresql":
            await self._connection.execute(_TAKE_TURNS, {"name": name})


_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
