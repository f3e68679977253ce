"""Hot reads of single keys: each gets its own rows, however many are asked at a time."""

import asyncio

import asyncpg
import pytest

from loyalty.db import Database, Statement

SQUARES = Statement(
    "SELECT asked.ask, n.n * n.n FROM {asked} JOIN (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) n"
    " ON n.n <= asked.n ORDER BY asked.ask, n.n",
    sets={"asked": "ask bigint, n bigint"},
    returns="ask bigint, square bigint",
)
MOMENTS = Statement(
    "SELECT ask, CAST(statement_timestamp() AS text), 6 / n FROM {asked}",
    sets={"asked": "ask bigint, n bigint"},
    returns="ask bigint, at text, sixth bigint",
)
wants_a_server = pytest.mark.only_database("postgresql", reason="a file is read at once")


async def test_each_key_finds_its_own_rows(db: Database) -> None:
    async def ask(n: int) -> list[list[int]]:
        return [[row[0] for row in rows] for rows in await db.read_each(SQUARES, [(n,), (n - 1,)])]

    found = await asyncio.gather(*(ask(n % 4) for n in range(100)))
    assert found == [[[1, 4, 9][: n % 4], [1, 4, 9][: max(0, n % 4 - 1)]] for n in range(100)]
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
    asked = [asyncio.create_task(db.read_each(SQUARES, [(n,)])) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [rows for rows in found if isinstance(rows, list)][-1] == [[(1,), (4,), (9,)]]
