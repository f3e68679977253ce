"""Brands: what may be made, and how their revision moves."""

import asyncio
from typing import Any

import pytest

from loyalty.brands import service as brands
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.ids import new_id


async def test_a_brand_is_made_and_found_by_slug(db: Database) -> None:
    made = await db.in_transaction(
        brands.create_brand,
        slug="demo",
        name="演示品牌",
        timezone="Asia/Shanghai",
        currency="CNY",
    )
    async with db.snapshot() as snapshot:
        found = await brands.get_brand_by_slug(snapshot, "demo")
        assert (found.id, found.name, found.revision) == (made.id, "演示品牌", 1)
        assert [brand.id for brand in await brands.list_brands(snapshot)] == [made.id]


async def test_a_taken_slug_is_refused(db: Database) -> None:
    await db.in_transaction(brands.create_brand, slug="demo", name="one")
    with pytest.raises(AlreadyExists):
        await db.in_transaction(brands.create_brand, slug="demo", name="two")


async def test_an_unknown_slug_is_not_found(db: Database) -> None:
    async with db.snapshot() as snapshot:
        for slug in ("nobody", "a\x00b", "\ud800", "x" * 5000):
            with pytest.raises(NotFound):
                await brands.get_brand_by_slug(snapshot, slug)


async def test_touching_moves_the_revision_once_each_time_in_parallel(db: Database) -> None:
    brand = await db.in_transaction(brands.create_brand, slug="demo", name="one")
    await asyncio.gather(
        *(db.in_transaction(brands.touch_configuration, brand.id) for _ in range(20))
    )
    async with db.snapshot() as snapshot:
        assert (await brands.get_brand(snapshot, brand.id)).revision == 21


async def test_a_touch_is_seen_by_the_transaction_that_made_it(db: Database) -> None:
    brand = await db.in_transaction(brands.create_brand, slug="demo", name="one")

    async def read_touch_read(tx: Tx) -> tuple[int, int]:
        before = (await brands.get_brand(tx, brand.id)).revision
        await brands.touch_configuration(tx, brand.id)
        return before, (await brands.get_brand(tx, brand.id)).revision

    assert await db.in_transaction(read_touch_read) == (1, 2)


async def test_touching_a_brand_that_is_not_there_is_refused(db: Database) -> None:
    with pytest.raises(NotFound):
        await db.in_transaction(brands.touch_configuration, new_id())


WRONG_FIELDS: list[dict[str, Any]] = [
    {"slug": "Demo"},
    {"slug": "d"},
    {"slug": "d" * 41},
    {"slug": "de mo"},
    {"slug": "demo\n"},
    {"name": ""},
    {"name": "  "},
    {"name": "x" * 101},
    {"name": "a\x00b"},
    {"name": "a\ud800b"},
    {"timezone": "Mars/Olympus"},
    {"timezone": "../etc/passwd"},
    {"timezone": "Asia"},
    {"currency": "cny"},
    {"currency": "CNYY"},
    {"hold_seconds": 0},
    {"hold_seconds": 86_401},
    {"reversal_window_seconds": -1},
    {"reversal_window_seconds": 366 * 86_400 + 1},
    {"prize_ceiling_fen": 0},
    {"prize_ceiling_fen": 10**12 + 1},
]


async def test_a_brand_with_a_wrong_field_is_refused(db: Database) -> None:
    for wrong in WRONG_FIELDS:
        with pytest.raises(InvalidInput):
            await db.in_transaction(
                brands.create_brand, **({"slug": "demo", "name": "one"} | wrong)
            )
    async with db.snapshot() as snapshot:
        assert await brands.list_brands(snapshot) == []
