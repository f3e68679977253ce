"""Regions of a brand are bounded in number and in corners."""

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database
from loyalty.errors import InvalidInput
from loyalty.regions.rules import CORNERS_MAX, CORNERS_OF_BRAND_MAX
from loyalty.regions.service import list_regions, put_region, regions_of

RING = [(30.0 + n / 1000, 120.0 + n % 2) for n in range(CORNERS_MAX)]
AREAS = 20


async def test_corners_are_bounded_over_all_regions(db: Database, brand: Brand) -> None:
    async def put(code: str, areas: int) -> None:
        names = {"code": code, "name_zh": "区", "name_en": "Region"}
        actor = system_actor(brand.id)
        await db.in_transaction(put_region, actor, **names, areas=[RING] * areas)

    assert AREAS * CORNERS_MAX * 2 == CORNERS_OF_BRAND_MAX
    await put("a", AREAS)
    await put("b", AREAS)
    with pytest.raises(InvalidInput) as refused:
        await put("c", 1)
    assert refused.value.details["field"] == "areas"
    await put("c", 0)
    await put("a", 1)  # said anew it counts as it is now
    await put("c", AREAS - 1)
    async with db.snapshot() as snapshot:
        rows = await list_regions(snapshot, brand.id)
        views = await regions_of(snapshot, brand.id)
    assert [(row.code, row.corners) for row in rows] == [
        ("a", CORNERS_MAX),
        ("b", AREAS * CORNERS_MAX),
        ("c", (AREAS - 1) * CORNERS_MAX),
    ]
    assert [len(view.areas) for view in views] == [1, AREAS, AREAS - 1]
    assert views[0].areas[0].corners == tuple(RING)
