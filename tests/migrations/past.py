"""Databases of older revisions, with rows as they were written then."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, pool
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from migrations.metadata import metadata
from migrations.runner import SCRIPTS

AT = datetime(2026, 11, 9, 4, tzinfo=UTC)
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

RowThen = tuple[str, Mapping[str, Any]]
"""A table's name, and values by column."""

USUAL: dict[str, Any] = {
    "currency": "CNY",
    "hold_seconds": 300,
    "reversal_window_seconds": 0,
    "revision": 1,
    "created_at": AT,
}
"""Columns that say nothing in particular, of any table."""


def brand_then(id: UUID) -> RowThen:
    return "brands", {"id": id, "slug": "tea", "name": "Tea", "timezone": "Asia/Shanghai"}


async def make_past(
    url: str, revision: str, rows: Iterable[RowThen], defaults: Mapping[str, Any]
) -> None:
    """Migrate an empty database to ``revision`` and insert ``rows`` in their order. Values of
    columns that came later are left out; ``defaults`` are for the columns of any table."""

    def build(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        inspector = sa.inspect(connection)
        for name, given in rows:
            known = {column["name"] for column in inspector.get_columns(name)}
            values = {k: v for k, v in {**defaults, **given}.items() if k in known}
            types = {column.name: column.type for column in metadata.tables[name].columns}
            columns = [sa.column(column, types.get(column)) for column in values]
            connection.execute(sa.table(name, *columns).insert().values(values))

    parsed = make_url(url)
    driver = DRIVERS[parsed.get_backend_name()]
    engine = create_async_engine(parsed.set(drivername=driver), poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(build)
    await engine.dispose()
