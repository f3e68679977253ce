"""The auditor sees each kind of wrong row by its name, and nothing else.

All on one stage: the rows are broken and audited inside a transaction that is rolled back, the
constraints that a table loses for it included. Every question of the audit is answered for each
corruption: from memory where it names no table that was touched and asks what was asked of the
right books, else by the database.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Executable, Table, UpdateBase
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from loyalty.clock import utc_now
from loyalty.db import Database, Snapshot, Statement, Tx
from loyalty.ledger.audit import PROBES, Check, audit
from tests.databases import made_database
from tests.loyalty.ledger.audited_books import write
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, broken, execute
from tests.loyalty.ledger.corruptions_of_alliances import OF_ALLIANCES
from tests.loyalty.ledger.corruptions_of_bonuses import OF_BONUSES
from tests.loyalty.ledger.corruptions_of_books import OF_BOOKS
from tests.loyalty.ledger.corruptions_of_boxes import OF_BOXES
from tests.loyalty.ledger.corruptions_of_channel import OF_CHANNEL
from tests.loyalty.ledger.corruptions_of_clearing import OF_CLEARING
from tests.loyalty.ledger.corruptions_of_coupons import OF_COUPONS
from tests.loyalty.ledger.corruptions_of_draws import OF_DRAWS
from tests.loyalty.ledger.corruptions_of_events import OF_EVENTS
from tests.loyalty.ledger.corruptions_of_holds import OF_HOLDS
from tests.loyalty.ledger.corruptions_of_issuing import OF_ISSUING
from tests.loyalty.ledger.corruptions_of_lawful import OF_LAWFUL
from tests.loyalty.ledger.corruptions_of_limits import OF_LIMITS
from tests.loyalty.ledger.corruptions_of_locks import OF_LOCKS
from tests.loyalty.ledger.corruptions_of_merges import OF_MERGES
from tests.loyalty.ledger.corruptions_of_netting import OF_NETTING
from tests.loyalty.ledger.corruptions_of_offers import OF_OFFERS
from tests.loyalty.ledger.corruptions_of_payouts import OF_PAYOUTS
from tests.loyalty.ledger.corruptions_of_programs import OF_PROGRAMS
from tests.loyalty.ledger.corruptions_of_raffles import OF_RAFFLES
from tests.loyalty.ledger.corruptions_of_redemptions import OF_REDEMPTIONS
from tests.loyalty.ledger.corruptions_of_references import OF_REFERENCES
from tests.loyalty.ledger.corruptions_of_returns import OF_RETURNS
from tests.loyalty.ledger.corruptions_of_scans import OF_SCANS
from tests.loyalty.ledger.corruptions_of_shares import OF_SHARES
from tests.loyalty.ledger.corruptions_of_value import OF_VALUE
from tests.loyalty.ledger.corruptions_of_webhooks import OF_WEBHOOKS

CORRUPTIONS = (
    *(*OF_BOOKS, *OF_VALUE, *OF_SCANS, *OF_COUPONS, *OF_REDEMPTIONS),
    *(*OF_PAYOUTS, *OF_HOLDS, *OF_LIMITS, *OF_OFFERS, *OF_RETURNS, *OF_MERGES),
    *(*OF_LOCKS, *OF_DRAWS, *OF_EVENTS, *OF_BONUSES, *OF_RAFFLES, *OF_PROGRAMS, *OF_REFERENCES),
    *(*OF_LAWFUL, *OF_CHANNEL, *OF_SHARES, *OF_WEBHOOKS, *OF_CLEARING, *OF_ALLIANCES, *OF_ISSUING),
    *(*OF_NETTING, *OF_BOXES),
)

_CONSTRAINTS = """
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT "' || conname || '" CASCADE'
    FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u', 'c')
"""
_INDEXES = """
    SELECT 'DROP INDEX "' || indexname || '"' FROM pg_indexes
    WHERE tablename = '{table}' AND schemaname = current_schema()
"""


@pytest.fixture(scope="module")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of one database for all tests of this file."""
    with made_database(request, tmp_path_factory.mktemp("corruptions")) as url:
        yield url


Answers = dict[str, list[Any]]
"""Of the right books, by what was asked: text and parameters."""


@dataclass(frozen=True)
class Stage:
    """Two right brands, at one instant. On PostgreSQL each test would plan all queries of the audit
    anew, if it were not for an engine that remembers more of them."""

    db: Database
    engine: AsyncEngine
    brand: AuditedBrand
    other: AuditedBrand
    now: datetime
    answers: Answers


def _engine(db: Database) -> AsyncEngine:
    if db.dialect == "sqlite":
        return db.engine
    return create_async_engine(
        make_url(db.url).set(drivername="postgresql+asyncpg"),
        connect_args={"statement_cache_size": 2 * len(PROBES)},
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(database_url: str) -> AsyncIterator[Stage]:
    db = Database(database_url)
    # Foreign keys would keep most of it from happening.
    if db.dialect == "sqlite":  # PRAGMA does nothing once a transaction has begun
        async with db.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute("PRAGMA foreign_keys=OFF")
    brands = AuditedBrand("tea"), AuditedBrand("milk")
    for brand in brands:
        await db.in_transaction(write, brand)
    engine = _engine(db)
    stage = Stage(db, engine, *brands, utc_now(), {})
    assert broken(await _break_and_audit(stage, UNTOUCHED)) == {}
    yield stage
    await engine.dispose()
    await db.close()


async def _unguard(connection: AsyncConnection, table: str) -> None:
    """Take a table's keys, checks and indexes away."""
    if connection.dialect.name == "postgresql":
        for query in (_CONSTRAINTS, _INDEXES):
            drops = await connection.exec_driver_sql(query.format(table=table))
            for drop in drops.scalars().all():
                await connection.exec_driver_sql(drop)
    else:
        for statement in (
            f"CREATE TABLE bare AS SELECT * FROM {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE bare RENAME TO {table}",
        ):
            await connection.exec_driver_sql(statement)


class _Remembering(Snapshot):
    """Asks the database only what may have another answer than of the right books: whatever names
    a table that was touched, or was never asked with these parameters."""

    def __init__(self, tx: Tx, answers: Answers, touched: Iterable[str]) -> None:
        super().__init__(tx._connection, tx.dialect, tx.now)
        self._tx = tx
        self._answers = answers
        self._touched = re.compile("|".join(rf"\b{table}\b" for table in touched) or "(?!)")

    async def fetch(self, statement: Statement, **values: Any) -> list[Any]:
        if self._touched.search(statement.sql):
            return await self._tx.fetch(statement, **values)
        asked = f"{statement.sql} {sorted(values.items())}"
        if asked not in self._answers:
            self._answers[asked] = await self._tx.fetch(statement, **values)
        return self._answers[asked]


class _Uncommitted(Database):
    """What one transaction sees of a database."""

    def __init__(self, seen: Snapshot) -> None:
        self._seen = seen

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        yield self._seen


def _touched(statements: Iterable[Executable], corruption: Corruption) -> set[str]:
    """The tables that are no longer as they were: no trigger and no foreign key reaches others."""
    changed = set(corruption.tables)
    for statement in statements:
        assert isinstance(statement, UpdateBase) and isinstance(statement.table, Table)
        changed.add(statement.table.name)
    return changed


UNTOUCHED = Corruption("nothing", 0, lambda *_: [], ())


async def _break_and_audit(stage: Stage, corruption: Corruption) -> list[Check]:
    async with stage.engine.connect() as connection:  # which rolls back
        if stage.db.dialect == "postgresql":
            await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in corruption.tables:
            await _unguard(connection, table)
        tx = Tx(connection, stage.db.dialect, stage.now)
        acts = corruption.acts(stage.brand, stage.other)
        await execute(tx, acts)
        seen = _Remembering(tx, stage.answers, _touched(acts, corruption))
        checks = await audit(_Uncommitted(seen))
        await tx.close_session()
        return checks


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
async def test_it_sees(stage: Stage, corruption: Corruption) -> None:
    checks = await _break_and_audit(stage, corruption)
    assert set(broken(checks)) == set(corruption.caught)
    assert corruption.invariant in {check.invariant for check in checks if check.broken}


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_of_it_stays(stage: Stage) -> None:
    assert broken(await audit(stage.db)) == {}


def test_each_check_has_a_corruption_that_it_sees() -> None:
    seen = {name for corruption in CORRUPTIONS for name in corruption.caught}
    unseen = {probe.name for probe in PROBES} - seen
    assert all(name.endswith("refers only to its own brand") for name in unseen), unseen
