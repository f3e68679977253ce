"""A brand's assets: those it begins with, custom ones, and how their policies change."""

from typing import Any

import pytest
import pytest_asyncio

from loyalty.actor import Actor, system_actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import NEVER, Expiry, ExpiryKind, Unit
from loyalty.assets.service import (
    ADJUSTMENT_LIMIT_MAX,
    ASSETS_MAX,
    assets_by_code,
    configure_asset,
    create_asset,
    open_assets,
)
from loyalty.brands.service import create_brand, get_brand
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound
from loyalty.ledger.service import open_brand_books

STARS: dict[str, Any] = {"code": "STARS", "name_zh": "星星", "name_en": "Stars"}
A_YEAR = Expiry(ExpiryKind.AFTER, Unit.YEAR, 1)
USUAL: dict[str, Any] = {"expiry": NEVER, "adjustment_limit": None, "status": AssetStatus.ACTIVE}


async def founded(tx: Tx, slug: str, months: int | None = 24) -> Actor:
    brand = await create_brand(tx, slug=slug, name=slug)
    await open_brand_books(tx, brand.id, months)
    return system_actor(brand.id)


@pytest_asyncio.fixture
async def actor(db: Database) -> Actor:
    return await db.in_transaction(founded, "tea")


async def expiries(db: Database, actor: Actor) -> dict[str, Expiry]:
    async with db.snapshot() as snapshot:
        found = await assets_by_code(snapshot, actor.brand_id)
    return {code: asset.expiry for code, asset in found.items()}


async def revision(db: Database, actor: Actor) -> int:
    async with db.snapshot() as snapshot:
        return (await get_brand(snapshot, actor.brand_id)).revision


async def test_a_brand_begins_with_four_assets_of_which_points_expire(
    db: Database, actor: Actor
) -> None:
    others = {"GROWTH": NEVER, "CASH": NEVER, "CHANCES": NEVER}
    two_years = Expiry(ExpiryKind.AFTER, Unit.MONTH, 24)
    assert await expiries(db, actor) == {"POINTS": two_years, **others}
    forever = await db.in_transaction(founded, "milk", None)
    assert await expiries(db, forever) == {"POINTS": NEVER, **others}


@pytest.mark.parametrize("months", [0, -1, 1_201])
async def test_points_are_good_for_some_months_or_for_ever(
    db: Database, actor: Actor, months: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await db.in_transaction(open_assets, actor.brand_id, months)
    assert str(refused.value.details["field"]).startswith("pointsValidMonths")


async def test_a_custom_asset_is_one_of_its_brand_alone(db: Database, actor: Actor) -> None:
    milk = await db.in_transaction(founded, "milk")
    before = await revision(db, actor)
    await db.in_transaction(create_asset, actor, **STARS, expiry=A_YEAR)
    assert (await expiries(db, actor))["STARS"] == A_YEAR
    assert "STARS" not in await expiries(db, milk)
    assert await revision(db, actor) == before + 1
    with pytest.raises(AlreadyExists):
        await db.in_transaction(create_asset, actor, **STARS)
    with pytest.raises(NotFound):
        await db.in_transaction(configure_asset, milk, "STARS", **USUAL)
    await db.in_transaction(create_asset, milk, **STARS)


async def test_a_policy_is_set_anew(db: Database, actor: Actor) -> None:
    before = await revision(db, actor)
    retired: dict[str, Any] = {
        "expiry": A_YEAR,
        "adjustment_limit": 0,
        "status": AssetStatus.RETIRED,
    }
    await db.in_transaction(configure_asset, actor, "GROWTH", **retired)
    async with db.snapshot() as snapshot:
        growth = (await assets_by_code(snapshot, actor.brand_id))["GROWTH"]
    assert (growth.expiry, growth.adjustment_limit, growth.status) == (A_YEAR, 0, "RETIRED")
    assert await revision(db, actor) == before + 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": "stars"}, "code"),
        ({"name_zh": " "}, "nameZh"),
        ({"name_en": "x" * 41}, "nameEn"),
        ({"expiry": Expiry(ExpiryKind.ACTIVITY)}, "expiry.count"),
        ({"adjustment_limit": -1}, "adjustmentLimit"),
        ({"adjustment_limit": ADJUSTMENT_LIMIT_MAX + 1}, "adjustmentLimit"),
    ],
)
async def test_a_bad_asset_is_refused(
    db: Database, actor: Actor, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await db.in_transaction(create_asset, actor, **{**STARS, **wrong})
    assert refused.value.details["field"] == field
    if not wrong.keys() & STARS.keys():
        with pytest.raises(InvalidInput) as refused:
            await db.in_transaction(configure_asset, actor, "GROWTH", **{**USUAL, **wrong})
        assert refused.value.details["field"] == field


async def test_a_brand_has_so_many_assets_at_most(db: Database, actor: Actor) -> None:
    async def fill(tx: Tx) -> None:
        for number in range(len(await assets_by_code(tx, actor.brand_id)), ASSETS_MAX):
            await create_asset(tx, actor, **{**STARS, "code": f"STARS_{number}"})

    await db.in_transaction(fill)
    with pytest.raises(InvalidInput):
        await db.in_transaction(create_asset, actor, **STARS)
