"""What is asked of a transaction at a time, and what is written in one go."""

import asyncio
from typing import Any

import pytest

from loyalty.db import Database, RetryTransaction, Snapshot, Statement, Tx
from tests.statement_log import statements_told

UP_TO = Statement(
    "SELECT n.n FROM {asked} JOIN (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) n ON n.n <= asked.n"
    " ORDER BY n.n",
    sets={"asked": "n bigint"},
    returns="n bigint",
)
NAMED = Statement("SELECT :name AS a, :name AS a", params="name text", returns="a text, b text")
MAKE = Statement("CREATE TEMPORARY TABLE kept (name text PRIMARY KEY, n bigint)")
PUT = Statement(
    "INSERT INTO kept (name, n) SELECT name, n FROM {rows} WHERE true ON CONFLICT DO NOTHING"
    " RETURNING name",
    sets={"rows": "name text, n bigint"},
    returns="name text",
)
RAISE = Statement(
    "UPDATE kept SET n = n + :by WHERE n < :below",
    params="by bigint, below bigint",
)
KEPT = Statement("SELECT name, n FROM kept ORDER BY name", returns="name text, n bigint")


async def _up_to(snapshot: Snapshot, n: int) -> list[int]:
    return [row[0] for row in await snapshot.fetch(UP_TO, asked=[(n,)])]


async def test_each_reads_as_if_it_were_alone(db: Database) -> None:
    async def twice(snapshot: Snapshot) -> list[list[int]]:
        first = await _up_to(snapshot, 1)
        return [first, *await snapshot.together(_up_to(snapshot, 2), _up_to(snapshot, 3))]

    async def nothing() -> str:
        return "nothing"

    async def read(tx: Tx) -> tuple[list[Any], int]:
        async with statements_told(tx) as told:
            found = await tx.together(
                twice(tx), _up_to(tx, 0), nothing(), tx.fetch(NAMED, name="it's $1"), twice(tx)
            )
        return found, told.ways

    found, statements = await db.in_transaction(read)
    assert found[:3] == [[[1], [1, 2], [1, 2, 3]], [], "nothing"]
    assert [tuple(row) for row in found[3]] == [("it's $1", "it's $1")]
    assert found[4] == found[0]
    assert statements == (2 if db.dialect == "postgresql" else 8)


async def test_what_one_raises_ends_the_others(db: Database) -> None:
    async def fail(tx: Tx) -> None:
        await _up_to(tx, 1)
        raise ValueError("of one")

    async def nest(tx: Tx) -> None:
        await tx.together(fail(tx), _up_to(tx, 2), _again_and_again(tx))

    async def read(tx: Tx) -> list[int]:
        for failing in (nest, fail):
            async with statements_told(tx) as told:
                with pytest.raises(ValueError, match="of one"):
                    await tx.together(_up_to(tx, 3), failing(tx), _again_and_again(tx))
            assert told.ways <= 2, "nobody goes on"
        return await _up_to(tx, 2)

    tasks_before = len(asyncio.all_tasks())
    assert await db.in_transaction(read) == [1, 2]
    assert len(asyncio.all_tasks()) == tasks_before


async def _again_and_again(tx: Tx) -> None:
    for _ in range(5):
        await _up_to(tx, 1)


async def test_what_is_written_in_one_go_is_written_in_its_order(db: Database) -> None:
    async def write(tx: Tx) -> tuple[list[tuple[str, int]], int]:
        await tx.fetch(MAKE)
        async with statements_told(tx) as told, tx.sending_together():
            await tx.write(PUT, expected=2, rows=[("a", 1), ("b", 2)])
            await tx.write(PUT, expected=1, rows=[("c", 3)])
            await tx.write(PUT, expected=0, rows=[])
            before = await tx.fetch(KEPT)  # sends what was written
            assert len(before) == 3
            await tx.write(RAISE, by=10, below=3)
            await tx.write(PUT, rows=[("d", 4), ("a", 100)])
        return [(row[0], row[1]) for row in await tx.fetch(KEPT)], told.ways

    kept, statements = await db.in_transaction(write)
    assert kept == [("a", 11), ("b", 12), ("c", 3), ("d", 4)]
    assert statements == (3 if db.dialect == "postgresql" else 6)


@pytest.mark.parametrize("in_one_go", [True, False])
async def test_a_write_that_must_tell_of_its_rows_does_or_nothing_is_written(
    db: Database, in_one_go: bool
) -> None:
    tries = []

    async def write(tx: Tx, otherwise: Exception | None) -> None:
        tries.append(1)
        await tx.fetch(MAKE)
        if not in_one_go:
            await _too_few(tx, otherwise)
            return
        async with tx.sending_together():
            await _too_few(tx, otherwise)

    async def _too_few(tx: Tx, otherwise: Exception | None) -> None:
        await tx.write(PUT, expected=2, rows=[("a", 1), ("b", 1)])
        await tx.write(PUT, expected=2, otherwise=otherwise, rows=[("b", 1), ("c", 1)])
        await tx.write(PUT, expected=1, otherwise=KeyError("later"), rows=[("a", 1)])

    with pytest.raises(ValueError, match="one is there"):
        await db.in_transaction(write, ValueError("one is there"))
    assert len(tries) == 1
    with pytest.raises(RetryTransaction):
        await db.in_transaction(write, None)
    assert len(tries) == 11  # it was run again, on what others might have left by then
