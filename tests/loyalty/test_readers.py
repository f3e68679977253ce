"""Hot reads of single keys: each gets its own rows, however many are asked at a time."""

import asyncio

import asyncpg
import pytest

from loyalty.db import Database, KeyedStatement

SQUARES = KeyedStatement(
    "SELECT n.n * n.n FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) AS n WHERE n.n <= :n"
    " ORDER BY n.n DESC LIMIT :most",
    keys="n bigint, most bigint",
    returns="square bigint",
)
MOMENTS = KeyedStatement(
    "SELECT CAST(statement_timestamp() AS text), 6 / :n",
    keys="n bigint",
    returns="at text, sixth bigint",
)
wants_a_server = pytest.mark.only_database("postgresql", reason="a file is read at once")


async def test_each_key_finds_its_own_rows(db: Database) -> None:
    def squares(n: int, most: int) -> list[int]:
        return [9, 4, 1][3 - n :][:most]

    async def ask(n: int, most: int) -> None:
        found = await db.read_each(SQUARES, [(n, most), (3 - n, 3)])
        assert [[row[0] for row in rows] for rows in found] == [squares(n, most), squares(3 - n, 3)]

    await asyncio.gather(*(ask(n % 4, 1 + n % 3) for n in range(100)))
    assert await db.read_each(SQUARES, []) == []


@wants_a_server
async def test_what_is_asked_at_a_time_is_asked_at_once(db: Database) -> None:
    asked = [db.read_each(MOMENTS, [(n,)]) for n in range(1, 101)]
    found = [rows[0] for (rows,) in await asyncio.gather(*asked)]
    assert [row[1] for row in found] == [6 // n for n in range(1, 101)]
    assert len({row[0] for row in found}) == 1


@wants_a_server
async def test_a_fault_is_told_to_who_asked_for_it_alone(db: Database) -> None:
    asked = [db.read_each(MOMENTS, [(n,)]) for n in (1, 0, 2, 3)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found[1], asyncpg.DivisionByZeroError)
    assert [each[0][0][1] for each in found if isinstance(each, list)] == [6, 3, 2]


async def test_who_no_longer_waits_takes_nothing_from_the_others(db: Database) -> None:
    asked = [asyncio.create_task(db.read_each(SQUARES, [(n, 3)])) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [rows for rows in found if isinstance(rows, list)][-1] == [[(9,), (4,), (1,)]]
