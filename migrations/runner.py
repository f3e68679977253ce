"""Bring a database to the newest schema, or tell how far behind it is.

No alembic.ini: the scripts lie beside this file, in the wheel too. All pending revisions run in
one transaction on both databases, so a migration killed half-way leaves nothing, and of two that
start together the second waits and finds nothing to do.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, pool
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")

SCRIPTS = Path(__file__).parent
_BUSY_TIMEOUT_SECONDS = 30
_LOCK_KEY = 0x6C6F79616C7479  # "loyalty", for PostgreSQL's advisory lock


class BrokenReferences(Exception):
    """A migration left rows that point to nothing; it was rolled back."""


async def upgrade(database_url: str) -> list[str]:
    """Run what is pending, to the newest revision; the revisions applied, oldest first."""
    return await _run(database_url, "BEGIN IMMEDIATE", _upgrade)


async def pending(database_url: str) -> list[str]:
    """Revisions not applied yet, oldest first. Writes nothing.

    Empty too on a schema newer than this program, so that old servers live on while new ones
    are rolled out.
    """
    url = make_url(database_url)
    if _is_missing_file(url):
        return _revisions(ScriptDirectory(str(SCRIPTS)))
    return await _run(database_url, "BEGIN", _pending)


def _revisions(scripts: ScriptDirectory) -> list[str]:
    return [script.revision for script in scripts.walk_revisions()][::-1]


def _pending(connection: Connection) -> list[str]:
    revisions = _revisions(ScriptDirectory(str(SCRIPTS)))
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        return revisions
    if current not in revisions:
        return []
    return revisions[revisions.index(current) + 1 :]


def _upgrade(connection: Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
    applied = _pending(connection)
    if not applied:
        return []
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise BrokenReferences(", ".join(sorted({row[0] for row in broken})))
    return applied


async def _run(database_url: str, sqlite_begin: str, work: Callable[[Connection], T]) -> T:
    engine = _engine(make_url(database_url), sqlite_begin)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _is_missing_file(url: URL) -> bool:
    return _is_sqlite(url) and not Path(url.database or "").exists()


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: URL, sqlite_begin: str) -> AsyncEngine:
    if not _is_sqlite(url):
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool
        )
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        poolclass=pool.NullPool,
        connect_args={"timeout": _BUSY_TIMEOUT_SECONDS},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _: object) -> None:
        # A table rewrite drops the old table: with foreign keys on, its children would go too.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(sqlite_begin)

    return engine
