"""Products: made once per SKU, inside one brand."""

from typing import Any

import pytest
from sqlmodel import select

from loyalty.actor import Actor, system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands import service as brands
from loyalty.db import Database
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.products import queries
from loyalty.products import service as products


async def an_actor(db: Database, slug: str = "demo") -> Actor:
    brand = await db.in_transaction(brands.create_brand, slug=slug, name=slug)
    return system_actor(brand.id)


async def test_a_product_is_made_audited_and_moves_the_revision(db: Database) -> None:
    actor = await an_actor(db)
    made = await db.in_transaction(
        products.create_product,
        actor,
        sku="W-500",
        name_zh="矿泉水 💧",
        name_en="Water",
        gtin="6901234567892",
        picture_url="https://example.com/w.png",
    )
    async with db.snapshot() as snapshot:
        kept = await products.require_product(snapshot, actor.brand_id, made.id)
        assert kept.name_zh == "矿泉水 💧"
        assert kept.gtin == "06901234567892"
        assert (await brands.get_brand(snapshot, actor.brand_id)).revision == 2
        actions = [entry.action for entry in await snapshot.session.exec(select(AuditLogEntry))]
        assert sorted(actions) == ["brand.create", "product.create"]


async def test_a_taken_sku_is_refused_and_nothing_moves(db: Database) -> None:
    actor = await an_actor(db)
    create = products.create_product
    await db.in_transaction(create, actor, sku="W", name_zh="水", name_en="Water")
    with pytest.raises(AlreadyExists):
        await db.in_transaction(create, actor, sku="W", name_zh="酒", name_en="Wine")
    async with db.snapshot() as snapshot:
        assert (await brands.get_brand(snapshot, actor.brand_id)).revision == 2


async def test_another_brands_product_is_not_found(db: Database) -> None:
    ours, theirs = await an_actor(db, "ours"), await an_actor(db, "theirs")
    made = await db.in_transaction(
        products.create_product, theirs, sku="W", name_zh="水", name_en="Water"
    )
    async with db.snapshot() as snapshot:
        with pytest.raises(NotFound):
            await products.require_product(snapshot, ours.brand_id, made.id)


async def test_two_brands_may_use_one_sku(db: Database) -> None:
    for slug in ("ours", "theirs"):
        actor = await an_actor(db, slug)
        await db.in_transaction(
            products.create_product, actor, sku="W", name_zh="水", name_en="Water"
        )


UNKEEPABLE = ["", " ", "a\x00b", "a\nb", "\x7f", "\x9f", "\ud800", "\u2028x", "x" * 10**6]


async def test_text_that_cannot_be_kept_is_refused(db: Database) -> None:
    actor = await an_actor(db)
    good: dict[str, Any] = {"sku": "W", "name_zh": "水", "name_en": "Water"}
    too_long = [("sku", "x" * 65), ("name_zh", "水" * 201), ("name_en", "x" * 201)]
    for field, bad in [*too_long, *((field, bad) for field in good for bad in UNKEEPABLE)]:
        with pytest.raises(InvalidInput):
            await db.in_transaction(products.create_product, actor, **(good | {field: bad}))
    async with db.snapshot() as snapshot:
        assert await queries.list_products(snapshot, actor.brand_id, before=None, limit=1) == []


async def test_products_are_listed_newest_first_page_by_page(db: Database) -> None:
    actor = await an_actor(db)
    made = [
        await db.in_transaction(
            products.create_product, actor, sku=f"W{i}", name_zh="水", name_en="=cmd|' /C calc'!A0"
        )
        for i in range(5)
    ]
    newest_first = [product.id for product in reversed(made)]
    async with db.snapshot() as snapshot:
        page = await queries.list_products(snapshot, actor.brand_id, before=None, limit=3)
        rest = await queries.list_products(snapshot, actor.brand_id, before=page[-1].id, limit=3)
        assert [product.id for product in page + rest] == newest_first
        some = await queries.list_products_by_ids(snapshot, actor.brand_id, newest_first[:2])
        assert {product.id for product in some} == set(newest_first[:2])
