"""A database that does not wait for its disk: for tests of thousands of commits that ask what is
written, not whether it survives a power cut."""

from typing import Any

from sqlalchemy import event

from loyalty.db import Database

_WITHOUT_WAITING = {
    "sqlite": "PRAGMA synchronous=OFF",
    "postgresql": "SET synchronous_commit = off",
}


def hurry(db: Database) -> Database:
    """The same database, from its next connection on. Call it before the first transaction."""

    @event.listens_for(db.engine.sync_engine, "connect")
    def on_connect(dbapi_connection: Any, _: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute(_WITHOUT_WAITING[db.dialect])
        cursor.close()

    return db
