"""Statements are compiled once in a process of tests, as a server does that runs on.

SQLAlchemy keeps what it compiled by the engine, and every test has engines of its own: without this
a fifteenth of what short tests cost is the same SQL again.
"""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

STATEMENTS_MAX = 4_000


def _compile_once(dialect: Any) -> None:
    """Of all engines of a dialect, which our one ``Database`` makes all alike."""
    compiled: LRUCache[Any, Any] = LRUCache(STATEMENTS_MAX)

    def share(engine: Engine) -> None:
        engine._compiled_cache = compiled

    # What is compiled is kept under its dialect, too, and every engine has an own one.
    dialect.__hash__ = lambda _: hash(dialect)
    dialect.__eq__ = lambda _, other: type(other) is dialect
    dialect.engine_created = staticmethod(share)


_compile_once(PGDialect_asyncpg)
_compile_once(SQLiteDialect_aiosqlite)
