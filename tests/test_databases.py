"""Tests get what the fixtures promise."""

import asyncio

import pytest
from sqlalchemy import text

from loyalty.brands.models import Brand
from loyalty.db import Database, Snapshot, Statement, Tx
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


@pytest.mark.only_database("postgresql", reason="a file's connections do not break")
async def test_connections_that_broke_in_the_pool_are_replaced_unnoticed(db: Database) -> None:
    one = Statement("SELECT 1 AS one", returns="one bigint")

    async def ask(tx: Snapshot) -> int:
        async with asyncio.timeout(10):
            await asyncio.sleep(0.05)  # so that all are under way at once
            return int((await tx.fetch(one))[0][0])

    async def look() -> int:
        async with db.snapshot() as snapshot:
            return await ask(snapshot)

    async def ask_thrice() -> set[int]:
        return {
            *await asyncio.gather(*(db.in_transaction(ask) for _ in range(3))),
            *await asyncio.gather(*(look() for _ in range(3))),
            *[int(row[0][0]) for row in await asyncio.gather(*(db.read(one) for _ in range(3)))],
        }

    async def terminate(tx: Tx) -> int:
        return len(
            await tx.fetch(
                Statement(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                    returns="done boolean",
                )
            )
        )

    assert await ask_thrice() == {1}
    killer = Database(db.url)
    assert await killer.in_transaction(terminate) >= 7
    await killer.close()
    assert await ask_thrice() == {1}
