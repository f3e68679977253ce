"""Engines; transactions and snapshots (``transactions.py``) opened and ended. With these and
``statements.py`` and ``readers.py`` all that knows a dialect.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import JSON, TextClause, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from loyalty.clock import Clock, utc_now
from loyalty.readers import PostgresqlReader, Reader, SqliteReader
from loyalty.statements import KeyedStatement, Statement, insert_statement
from loyalty.transactions import Dialect, RetryTransaction, Snapshot, StatementMismatch, Tx

__all__ = [
    "Database",
    "Dialect",
    "JsonColumn",
    "KeyedStatement",
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

JsonColumn = JSON().with_variant(JSONB(), "postgresql")
"""A JSON column: JSONB on PostgreSQL, text on SQLite."""
NullableJsonColumn = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""One in which None is NULL, and not JSON's null."""

TRANSACTION_TRIES_MAX = 10
CONNECT_SECONDS_MAX = 10
SQLITE_BUSY_TIMEOUT_SECONDS = 30
_RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}  # serialization, deadlock, lock time-out
_SHUTDOWN_SQLSTATES = {"57P01", "57P02"}  # terminated by an administrator, or by a crash


_MAYBE_RETRYABLE = (
    DBAPIError,
    asyncpg.PostgresError,
    sqlite3.OperationalError,
    RetryTransaction,
)


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
            # And statements that are sent as one are long: each is kept prepared all the same.
            limits = {
                "timeout": CONNECT_SECONDS_MAX,
                "command_timeout": statement_seconds_max,
                "max_cacheable_statement_size": 0,
            }
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
        return await self._tried(_POSTGRESQL_OPEN, lambda tx: verb(tx, *args, **kwargs))

    async def in_batch(
        self,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The same for a verb that asks the same set statements again and again. PostgreSQL then
        plans each once a connection, not for the sets of each call: that takes longer than asking
        a small one. Not for statements whose plan hangs on a value that they are given."""
        return await self._tried(_POSTGRESQL_OPEN_BATCH, lambda tx: verb(tx, *args, **kwargs))

    async def _tried(self, opening: TextClause, verb: Callable[[Tx], Awaitable[T]]) -> T:
        for attempt in range(1, TRANSACTION_TRIES_MAX + 1):
            try:
                return await self._once(opening, verb)
            except _MAYBE_RETRYABLE as error:
                if attempt == TRANSACTION_TRIES_MAX or not _is_retryable(error):
                    raise
                await asyncio.sleep(random.uniform(0.001, 0.005) * 2**attempt)
        raise AssertionError("unreachable")

    async def _once(self, opening: TextClause, verb: Callable[[Tx], Awaitable[T]]) -> T:
        if self.dialect == "sqlite":
            async with self._writer_lock, self._writer.begin() as connection:
                tx = Tx(connection, self.dialect, self._clock() if self._clock else utc_now())
                result = await verb(tx)
                await tx.close_session()
            self._tell_of(tx)
            return result
        # Opens the transaction on the driver, so that set statements run inside it. Plans of set
        # statements must not be chosen for the empty tables of a young database.
        async with self._opened(self._writer, opening) as (connection, told):
            now = self._clock() if self._clock else told.scalar_one()
            tx = Tx(connection, self.dialect, now)
            result = await verb(tx)
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
        self, statement: KeyedStatement, keys: Sequence[tuple[Any, ...]]
    ) -> list[list[Any]]:
        """A hot read of some keys: the rows of each, in order. On PostgreSQL requests that ask at
        the same time share a run."""
        return await self._point_reader.fetch_each(statement, keys)

    async def close(self) -> None:
        await self._point_reader.close()
        await self._writer.dispose()
        await self._reader.dispose()


_OPEN = (
    "SELECT now(), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    # A peer that was stopped in mid-transaction must not stop everybody.
    " set_config('lock_timeout', '5s', true),"
    " set_config('idle_in_transaction_session_timeout', '15s', true)"
)
_POSTGRESQL_OPEN = text(_OPEN)
_POSTGRESQL_OPEN_BATCH = text(f"{_OPEN}, set_config('plan_cache_mode', 'force_generic_plan', true)")
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
