"""Whoever gets a database that others had before finds it as the migration left it."""

from collections.abc import Iterator

import asyncpg
import pytest

from tests.databases import TEMPLATE
from tests.postgresql_server import PostgresqlServer
from tests.spare_databases import USES_MAX, SpareDatabases

BRAND = "INSERT INTO brands (id, slug, name, timezone, currency, hold_seconds,"
BRAND += " reversal_window_seconds, revision, created_at)"
BRAND += " VALUES (gen_random_uuid(), 'b', 'B', 'UTC', 'CNY', 1, 1, 1, now())"
OPERATOR = "INSERT INTO operators (brand_id, id, email, name, role, password_hash,"
OPERATOR += " failed_attempts, created_at) SELECT id, id, 'a@b.cn', 'A', 'ADMIN', 'x', 0, now()"
OPERATOR += " FROM brands"


@pytest.fixture
def spares(postgresql_server: PostgresqlServer) -> Iterator[SpareDatabases]:
    made = SpareDatabases(postgresql_server, TEMPLATE, prefix="tried")
    yield made
    made.close()


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _count(url: str) -> tuple[int, int]:
    connection = await asyncpg.connect(url)
    brands = await connection.fetchval("SELECT count(*) FROM brands")
    operators = await connection.fetchval("SELECT count(*) FROM operators")
    await connection.close()
    return brands, operators


async def test_a_database_comes_back_without_the_rows_of_the_one_before(
    spares: SpareDatabases,
) -> None:
    url = spares.take()
    await _run(url, BRAND, OPERATOR)
    assert await _count(url) == (1, 1)
    spares.give_back(url)
    assert spares.take() == url
    assert await _count(url) == (0, 0)
    assert spares.take() != url, "it has an owner"


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE brands DROP CONSTRAINT ck_brands_ceiling_positive",
        "ALTER TABLE brands ALTER COLUMN name DROP NOT NULL",
        "DROP INDEX ix_members_merged",
        "CREATE TABLE mine (id int)",
        "ANALYZE brands",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
async def test_a_database_that_was_changed_serves_nobody_else(
    spares: SpareDatabases, change: str
) -> None:
    url = spares.take()
    await _run(url, BRAND, change)
    spares.give_back(url)
    assert spares.take() != url


async def test_a_database_that_somebody_is_still_connected_to_serves_nobody_else(
    spares: SpareDatabases,
) -> None:
    url = spares.take()
    left = await asyncpg.connect(url)
    spares.give_back(url)
    assert spares.take() != url
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await left.fetchval("SELECT 1")


def test_a_database_is_dropped_after_so_many_uses(spares: SpareDatabases) -> None:
    url = spares.take()
    for _ in range(USES_MAX - 1):
        spares.give_back(url)
        assert spares.take() == url
    spares.give_back(url)
    assert spares.take() != url
