"""Engines, transactions and snapshots: with ``statements.py`` all that knows a dialect.

Ordinary code reads and writes through ``tx.session`` (SQLModel). Hot code writes SQL over whole
sets: a ``Statement`` (``statements.py``) is one text for both databases.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import JSON, Table, TextClause, event, insert, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from loyalty.clock import Clock, utc_now
from loyalty.gathering import Asked, Gathering
from loyalty.readers import PostgresqlReader, Reader, SqliteReader
from loyalty.statements import Statement, bundle, insert_statement

__all__ = [
    "Database",
    "Dialect",
    "JsonColumn",
    "NullableJsonColumn",
    "RetryTransaction",
    "Snapshot",
    "Statement",
    "StatementMismatch",
    "Tx",
    "insert_statement",
    "is_unavailable",
]

P = ParamSpec("P")
T = TypeVar("T")
Dialect = Literal["sqlite", "postgresql"]

JsonColumn = JSON().with_variant(JSONB(), "postgresql")
"""A JSON column: JSONB on PostgreSQL, text on SQLite."""
NullableJsonColumn = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""One in which None is NULL, and not JSON's null."""

TRANSACTION_TRIES_MAX = 10
CONNECT_SECONDS_MAX = 10
SQLITE_BUSY_TIMEOUT_SECONDS = 30
_RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}  # serialization, deadlock, lock time-out
_SHUTDOWN_SQLSTATES = {"57P01", "57P02"}  # terminated by an administrator, or by a crash


class RetryTransaction(Exception):
    """A guard moved under us: roll back and run the whole verb again on fresh rows."""


_MAYBE_RETRYABLE = (
    DBAPIError,
    asyncpg.PostgresError,
    sqlite3.OperationalError,
    RetryTransaction,
)


class StatementMismatch(Exception):
    """A guarded write touched another number of rows than it must: a broken promise, not a race."""


# --- transactions ------------------------------------------------------------------------------


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
            await self._connection.execute(_POSTGRESQL_TAKE_TURNS, {"name": name})


class Database:
    """One database, its pools and its clock. PostgreSQL's clock is the database's own."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        clock: Clock | None = None,
        statement_seconds_max: float | None = None,
    ) -> None:
        """``statement_seconds_max`` bounds one statement on PostgreSQL (a server's; the audit and
        imports may take longer)."""
        self.url = url
        self._clock = clock
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise ValueError(f"unsupported database: {backend}")
        self.dialect: Dialect = "sqlite" if backend == "sqlite" else "postgresql"
        self._writer_lock = asyncio.Lock()
        if self.dialect == "sqlite":
            async_url = parsed.set(drivername="sqlite+aiosqlite")
            self._writer = _sqlite_engine(async_url, "BEGIN IMMEDIATE", poolclass=StaticPool)
            self._reader = _sqlite_engine(async_url, "BEGIN", pool_size=pool_size, max_overflow=0)
            self._point_reader: Reader = SqliteReader(str(parsed.database))
        else:
            # Two pools: reports that take long never keep the scans from a connection.
            limits = {"timeout": CONNECT_SECONDS_MAX, "command_timeout": statement_seconds_max}
            self._writer, self._reader = (
                _postgresql_engine(parsed, pool_size, limits) for _ in range(2)
            )
            plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
            self._point_reader = PostgresqlReader(plain, pool_size, limits)
        self._pool_size = pool_size
        self.on_facts: Callable[[], None] | None = None
        """Called after each commit that left something for a worker to do. Must not wait."""

    @property
    def engine(self) -> AsyncEngine:
        """For migrations and tests only."""
        return self._writer

    async def in_transaction(
        self,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run one verb in one transaction: begin, commit, retry what may be retried.

        A Refusal (or anything else raised) rolls back. Deadlocks, serialization failures and
        RetryTransaction run the verb again, on fresh rows, a bounded number of times.
        """
        for attempt in range(1, TRANSACTION_TRIES_MAX + 1):
            try:
                return await self._once(verb, *args, **kwargs)
            except _MAYBE_RETRYABLE as error:
                if attempt == TRANSACTION_TRIES_MAX or not _is_retryable(error):
                    raise
                await asyncio.sleep(random.uniform(0.001, 0.005) * 2**attempt)
        raise AssertionError("unreachable")

    async def _once(
        self,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self.dialect == "sqlite":
            async with self._writer_lock, self._writer.begin() as connection:
                tx = Tx(connection, self.dialect, self._clock() if self._clock else utc_now())
                result = await verb(tx, *args, **kwargs)
                await tx.close_session()
            self._tell_of(tx)
            return result
        # Opens the transaction on the driver, so that set statements run inside it. Plans of set
        # statements must not be chosen for the empty tables of a young database.
        async with self._opened(self._writer, _POSTGRESQL_OPEN) as (connection, told):
            now = self._clock() if self._clock else told.scalar_one()
            tx = Tx(connection, self.dialect, now)
            result = await verb(tx, *args, **kwargs)
            await tx.close_session()
            await connection.commit()
        self._tell_of(tx)
        return result

    def _tell_of(self, committed: Tx) -> None:
        if committed.has_facts and self.on_facts is not None:
            self.on_facts()

    @asynccontextmanager
    async def _opened(
        self, engine: AsyncEngine, opening: TextClause
    ) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        """A connection in a transaction, on PostgreSQL begun by ``opening``, and what that told;
        rolled back unless committed. Connections that broke while they lay in the pool are thrown
        away, one after the other: nothing was asked of them yet."""
        if self.dialect == "sqlite":
            async with engine.connect() as connection, connection.begin():
                yield connection, None
            return
        for stale in range(self._pool_size + 1):
            async with engine.connect() as connection:
                try:
                    told = await connection.execute(opening)
                except DBAPIError as error:
                    if stale == self._pool_size or not _is_broken(error):
                        raise
                    await connection.invalidate()
                    continue
                yield connection, told
                return

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A read-only view at one instant; many may be open at once."""
        async with self._opened(self._reader, _POSTGRESQL_READ) as (connection, _):
            snapshot = Snapshot(
                connection, self.dialect, self._clock() if self._clock else utc_now()
            )
            try:
                yield snapshot
            finally:
                await snapshot.close_session()

    async def read(self, statement: Statement, **values: Any) -> list[Any]:
        """One hot read: one statement, its own snapshot, no session."""
        return await self._point_reader.fetch(statement, values)

    async def read_each(
        self, statement: Statement, keys: Sequence[tuple[Any, ...]]
    ) -> list[list[Any]]:
        """A hot read of some keys: the rows of each, in order. The statement has a set ``asked``
        that begins with ``ask bigint``, the key's number, as do the rows that it returns (not those
        that this returns). On PostgreSQL requests that ask at the same time share a run."""
        return await self._point_reader.fetch_each(statement, keys)

    async def close(self) -> None:
        await self._point_reader.close()
        await self._writer.dispose()
        await self._reader.dispose()


_POSTGRESQL_OPEN = text(
    "SELECT now(), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    # A peer that was stopped in mid-transaction must not stop everybody.
    " set_config('lock_timeout', '5s', true),"
    " set_config('idle_in_transaction_session_timeout', '15s', true)"
)
_POSTGRESQL_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_POSTGRESQL_READ = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _postgresql_engine(url: URL, pool_size: int, limits: dict[str, Any]) -> AsyncEngine:
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,  # the connection used last has its statements prepared
        hide_parameters=True,  # they hold what people said; errors end up in logs
        connect_args=limits,
    )


def _sqlite_engine(url: Any, begin: str, **pool: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        hide_parameters=True,
        **pool,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _: Any) -> None:
        dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _is_retryable(error: Exception) -> bool:
    if isinstance(error, RetryTransaction):
        return True
    original = getattr(error, "orig", None) or error
    if getattr(original, "sqlstate", None) in _RETRYABLE_SQLSTATES:
        return True
    return "database is locked" in str(original)


def _is_broken(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or sqlstate in _SHUTDOWN_SQLSTATES


def is_unavailable(error: Exception) -> bool:
    """Whether the database itself is out of reach: trying smaller pieces would not help."""
    original = getattr(error, "orig", None) or error
    return getattr(error, "connection_invalidated", False) or isinstance(
        original,
        OSError  # and time-outs
        | PoolTimeout
        | asyncpg.InterfaceError
        | asyncpg.PostgresConnectionError
        | asyncpg.exceptions.OperatorInterventionError
        | asyncpg.exceptions.InsufficientResourcesError,
    )
