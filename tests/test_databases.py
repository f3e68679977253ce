"""Tests get what the fixtures promise."""

import pytest
from sqlalchemy import text

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from tests.clocks import SettableClock


async def _ask(db: Database, sql: str) -> str:
    async with db.engine.connect() as connection:
        return str((await connection.execute(text(sql))).scalar_one())


async def _brands(db: Database) -> int:
    return int(await _ask(db, "SELECT count(*) FROM brands"))


@pytest.mark.parametrize("time", ["first", "second"])
async def test_every_test_begins_with_an_empty_database(db: Database, time: str) -> None:
    assert await _brands(db) == 0, time

    async def add(tx: Tx) -> None:
        await tx.add(Brand(slug="mine", name="Mine", created_at=tx.now))

    await db.in_transaction(add)
    assert await _brands(db) == 1


async def test_the_brand_is_in_the_database_of_the_test(db: Database, brand: Brand) -> None:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.get(Brand, brand.id)
    assert found is not None
    assert found.slug == brand.slug


async def test_a_set_clock_is_the_time_of_transactions(
    clocked_db: Database, clock: SettableClock
) -> None:
    async def now(tx: Tx) -> object:
        return tx.now

    assert await clocked_db.in_transaction(now) == clock.at
    later = clock.advance(days=30)
    assert await clocked_db.in_transaction(now) == later


@pytest.mark.only_database("postgresql", reason="asks PostgreSQL for its settings")
async def test_the_server_is_postgresql_18_and_as_durable_as_in_production(db: Database) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await _ask(db, f"SHOW {setting}") == "on"
    assert (await _ask(db, "SHOW server_version_num")).startswith("18")
