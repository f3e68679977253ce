"""Engines, transactions, snapshots and set statements: the only file that knows a dialect.

Ordinary code reads and writes through ``tx.session`` (SQLModel). Hot code writes SQL over whole
sets: a ``Statement`` is one text for both databases, whose ``{alias}`` placeholders are row sets
(``unnest`` arrays on PostgreSQL, ``json_each`` on SQLite) and whose ``:name`` are scalars.
"""

import asyncio
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import JSON, Table, event, insert, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from loyalty.clock import Clock, utc_now

P = ParamSpec("P")
T = TypeVar("T")
Dialect = Literal["sqlite", "postgresql"]

JsonColumn = JSON().with_variant(JSONB(), "postgresql")
"""A JSON column: JSONB on PostgreSQL, text on SQLite."""

TRANSACTION_TRIES_MAX = 10
SQLITE_BUSY_TIMEOUT_SECONDS = 30
_RETRYABLE_SQLSTATES = {"40001", "40P01"}  # serialization failure, deadlock


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


# --- set statements ----------------------------------------------------------------------------

_PG_TYPES = {
    "uuid": "uuid",
    "text": "text",
    "bigint": "bigint",
    "boolean": "boolean",
    "timestamptz": "timestamptz",
    "date": "date",
    "jsonb": "jsonb",
    "float": "double precision",
}


def _to_sqlite_time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


_TO_SQLITE: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda value: value.hex,
    "timestamptz": _to_sqlite_time,
    "date": lambda value: value.isoformat(),
}
_FROM_SQLITE: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda value: UUID(hex=value),
    "timestamptz": lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
    "date": date.fromisoformat,
    "boolean": bool,
}


def _columns(declared: str) -> list[tuple[str, str]]:
    pairs = [tuple(part.split()) for part in declared.split(",") if part.strip()]
    for pair in pairs:
        if len(pair) != 2 or pair[1] not in _PG_TYPES:
            raise ValueError(f"not a column declaration: {declared!r}")
    return [(pair[0], pair[1]) for pair in pairs]


_LOOKUP = re.compile(r"\{(each|maybe|locked):(\w+) (\w+)\s+ON\s+([^{}]*)\}")


def _postgresql_lookup(match: re.Match[str]) -> str:
    # A plan is cached when the tables may still be empty. OFFSET 0 keeps the planner from
    # turning the lookup round, which would read the whole table for every set later on.
    kind, alias, table, condition = match.groups()
    join = "LEFT JOIN LATERAL" if kind == "maybe" else "CROSS JOIN LATERAL"
    lock = f" FOR UPDATE OF {alias}" if kind == "locked" else ""
    end = " ON true" if kind == "maybe" else ""
    inner = f"SELECT * FROM {table} AS {alias} WHERE {condition} OFFSET 0{lock}"
    return f"{join} ({inner}) AS {alias}{end}"


def _sqlite_lookup(match: re.Match[str]) -> str:
    kind, alias, table, condition = match.groups()
    join = "LEFT JOIN" if kind == "maybe" else "CROSS JOIN"  # SQLite keeps the order of a CROSS
    return f"{join} {table} AS {alias} ON {condition}"


@dataclass(frozen=True)
class Statement:
    """One SQL text for both databases, over row sets and scalars.

    ``sets`` and ``returns`` declare columns as ``"id uuid, delta bigint"``; ``params`` likewise for
    scalars. In the text ``{alias}`` stands for a set used as a table, and after it
    ``{each:a table ON condition}`` looks its rows up one by one through an index, in the set's
    order (``{maybe:...}`` likewise as an outer join, ``{locked:...}`` locking what it finds);
    ``{lock:alias}`` is a row lock that SQLite does not need (its writer is alone), and
    ``{skip:alias}`` one that skips rows locked by others. Types: uuid, text, bigint, boolean,
    timestamptz, date, jsonb, float.
    """

    sql: str
    sets: dict[str, str] = field(default_factory=dict)
    params: str = ""
    returns: str = ""

    def __post_init__(self) -> None:
        sets = {alias: _columns(declared) for alias, declared in self.sets.items()}
        params = dict(_columns(self.params))
        bind = object.__setattr__
        bind(self, "_sets", sets)
        bind(self, "_params", params)
        bind(self, "_returns", [kind for _, kind in _columns(self.returns)])
        bind(self, "_pg", self._render_postgresql(sets, params))
        bind(self, "_sqlite", self._render_sqlite(sets))

    def _render_postgresql(
        self, sets: dict[str, list[tuple[str, str]]], params: dict[str, str]
    ) -> str:
        position = 0
        sql = self.sql
        for alias, columns in sets.items():
            arrays = []
            for _, kind in columns:
                position += 1
                arrays.append(f"${position}::{_PG_TYPES[kind]}[]")
            names = ", ".join(name for name, _ in columns)
            table = f"unnest({', '.join(arrays)}) AS {alias}({names})"
            sql = sql.replace("{" + alias + "}", table)
        for name, kind in params.items():
            position += 1
            placeholder = f"${position}::{_PG_TYPES[kind]}"
            sql = re.sub(rf"(?<!:):{name}\b", placeholder, sql)
        sql = _LOOKUP.sub(_postgresql_lookup, sql)
        sql = re.sub(r"\{lock:(\w+)\}", r"FOR UPDATE OF \1", sql)
        return re.sub(r"\{skip:(\w+)\}", r"FOR UPDATE OF \1 SKIP LOCKED", sql)

    def _render_sqlite(self, sets: dict[str, list[tuple[str, str]]]) -> str:
        sql = self.sql
        for alias, columns in sets.items():
            picks = ", ".join(f"value ->> {i} AS {name}" for i, (name, _) in enumerate(columns))
            table = f"(SELECT {picks} FROM json_each(:{alias})) AS {alias}"
            sql = sql.replace("{" + alias + "}", table)
        sql = _LOOKUP.sub(_sqlite_lookup, sql)
        return re.sub(r"\{(lock|skip):(\w+)\}", "", sql)

    def postgresql_call(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        """The text and positional arguments for asyncpg."""
        arguments: list[Any] = []
        for alias, columns in self._sets.items():  # type: ignore[attr-defined]
            rows = values[alias]
            if rows:
                arguments.extend(list(column) for column in zip(*rows, strict=True))
            else:
                arguments.extend([] for _ in columns)
        arguments.extend(values[name] for name in self._params)  # type: ignore[attr-defined]
        return self._pg, arguments  # type: ignore[attr-defined]

    def sqlite_call(self, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The text and named arguments for sqlite3."""
        arguments: dict[str, Any] = {}
        for alias, columns in self._sets.items():  # type: ignore[attr-defined]
            converters = [_TO_SQLITE.get(kind) for _, kind in columns]
            rows = [
                [
                    value if convert is None or value is None else convert(value)
                    for convert, value in zip(converters, row, strict=True)
                ]
                for row in values[alias]
            ]
            arguments[alias] = orjson.dumps(rows).decode()
        for name, kind in self._params.items():  # type: ignore[attr-defined]
            convert = _TO_SQLITE.get(kind)
            value = values[name]
            arguments[name] = value if convert is None or value is None else convert(value)
        return self._sqlite, arguments  # type: ignore[attr-defined]

    def from_sqlite(self, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """SQLite's rows with the declared types of ``returns``."""
        converters = [_FROM_SQLITE.get(kind) for kind in self._returns]  # type: ignore[attr-defined]
        return [
            tuple(
                value if convert is None or value is None else convert(value)
                for convert, value in zip(converters, row, strict=True)
            )
            for row in rows
        ]


def insert_statement(model: type[SQLModel], columns: str, conflict: str = "") -> Statement:
    """``INSERT`` of a whole set into a model's table; ``conflict`` is an ON CONFLICT clause."""
    names = ", ".join(name for name, _ in _columns(columns))
    table = str(model.__tablename__)
    return Statement(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {{rows}} WHERE true {conflict}",
        sets={"rows": columns},
    )


# --- transactions ------------------------------------------------------------------------------


class Snapshot:
    """A consistent read. Resolvers and loaders each open their own."""

    def __init__(self, connection: AsyncConnection, dialect: Dialect, now: datetime) -> None:
        self._connection = connection
        self._session: AsyncSession | None = None
        self._driver: Any = None
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
        if self._driver is None:
            raw = await self._connection.get_raw_connection()
            self._driver = raw.driver_connection
        if self.dialect == "postgresql":
            sql, arguments = statement.postgresql_call(values)
            rows: list[Any] = await self._driver.fetch(sql, *arguments)
            return rows
        sql, named = statement.sqlite_call(values)
        return statement.from_sqlite(await self._driver.execute_fetchall(sql, named))

    async def close_session(self) -> None:
        if self._session is not None:
            await self._session.close()


class Tx(Snapshot):
    """One writing transaction. Services take it first and never end it."""

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

    def __init__(self, url: str, *, pool_size: int = 10, clock: Clock | None = None) -> None:
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
        else:
            self._writer = self._reader = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=pool_size,
                max_overflow=0,
                pool_pre_ping=False,
            )

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
                return result
        async with self._writer.begin() as connection:
            tx = Tx(connection, self.dialect, await self._postgresql_now(connection))
            result = await verb(tx, *args, **kwargs)
            await tx.close_session()
            return result

    async def _postgresql_now(self, connection: AsyncConnection) -> datetime:
        # Also opens the transaction on the driver, so that set statements run inside it. Plans
        # of set statements must not be chosen for the empty tables of a young database.
        row = (await connection.execute(_POSTGRESQL_OPEN)).one()
        now: datetime = row[0]
        return self._clock() if self._clock else now

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A read-only view at one instant; many may be open at once."""
        async with self._reader.connect() as connection:
            if self.dialect == "postgresql":
                await connection.execute(_POSTGRESQL_READ)
            snapshot = Snapshot(
                connection, self.dialect, self._clock() if self._clock else utc_now()
            )
            try:
                yield snapshot
            finally:
                await snapshot.close_session()

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


_POSTGRESQL_OPEN = text(
    "SELECT now(), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
)
_POSTGRESQL_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_POSTGRESQL_READ = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _sqlite_engine(url: Any, begin: str, **pool: Any) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}, **pool)

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


def is_unique_violation(error: IntegrityError, constraint: str, columns: str) -> bool:
    """Whether a broken constraint is this one (SQLite names columns, PostgreSQL constraints)."""
    message = str(error.orig)
    return constraint in message or columns in message
