"""Purchases that name their place: its region, its code, and dry runs that ask for both."""

from typing import Any
from uuid import UUID

import pytest

from loyalty.db import Database
from rewards.campaigns.versions import find_newest_definition
from rewards.simulations.rules import Past
from rewards.simulations.service import prepare, total_costs
from tests.api import Caller
from tests.graphql_schema.stage import Stage, outcome

EAST, WEST = (31.2, 121.4), (30.6, 104.1)
DAYS = 400
SOLD = {"quantity": 1, "amountFen": 5_000, "source": "TILL"}
OWN = "{ me { purchases(first: 9) { nodes { purchaseRef place { code storePhone } } } } }"


async def _place(admin: Caller, code: str, at: tuple[float, float] | None) -> str:
    where: dict[str, Any] = {"code": code, "name": code, "address": "1", "payoutThresholdFen": 1}
    if at is not None:
        where |= {"latitude": at[0], "longitude": at[1]}
    id: str = (await admin.done("createPlace", **where))["place"]["id"]
    return id


async def _put_east(admin: Caller) -> None:
    south, west = EAST
    corners = [
        {"latitude": south + y, "longitude": west + x}
        for y, x in ((-0.3, -0.3), (0.4, -0.3), (0.4, 0.4), (-0.3, 0.4))
    ]
    await admin.done("putRegion", code="east", nameZh="华东", nameEn="East", areas=[corners])


async def _buy(till: Caller, ref: str, place_id: str | None) -> Any:
    said = {"purchaseRef": ref, "phone": "13800138001", "occurredAt": "2026-11-02T09:30:00+08:00"}
    return await till.done("recordPurchase", **said, **SOLD, placeId=place_id)


def _points(receipt: Any) -> int:
    return sum(one["amount"] for one in receipt["earned"] if one["asset"] == "POINTS")


async def _publish(admin: Caller, code: str, points: int, **more: Any) -> None:
    await admin.done(
        "publishCampaign",
        code=code,
        nameZh=code,
        nameEn=code,
        event="PURCHASE",
        outcomes=[outcome("CONSUMER", points, "POINTS")],
        **more,
    )


async def _said(db: Database, brand_id: UUID, code: str) -> int:
    """The points that a campaign would have given for what is on record."""
    async with db.snapshot() as snapshot:
        definition = await find_newest_definition(snapshot, brand_id, code)
        assert definition is not None
        run = await prepare(snapshot, brand_id, definition, Past(DAYS), 1)
    run.advance(run.total)
    return total_costs(run.result()["draft"])[code, "POINTS"]


async def test_campaigns_of_purchases_run_where_their_places_are(
    stage: Stage, db: Database
) -> None:
    admin = stage.admin
    await _put_east(admin)
    places = {
        "bund": await _place(admin, "bund", EAST),
        "lane": await _place(admin, "lane", EAST),
        "west": await _place(admin, "west", WEST),
        "nowhere": await _place(admin, "nowhere", None),
        "": None,
    }
    before = {name: await _buy(admin, f"before {name}", id) for name, id in places.items()}
    assert [r["purchase"]["place"] and r["purchase"]["place"]["code"] for r in before.values()] == [
        *("bund", "lane", "west", "nowhere", None)
    ]

    east = {"regions": ["east"], "priority": 8, "condition": "event.place != 'lane'"}
    await _publish(admin, "east", 70, **east)
    outside = "event.region == '' && event.place != ''"
    await _publish(admin, "told", 7, priority=7, condition=outside)
    assert await _said(db, stage.brand_id, "east") == 70, "one of the five was made there"
    assert await _said(db, stage.brand_id, "told") == 14

    after = {name: _points(await _buy(admin, f"after {name}", id)) for name, id in places.items()}
    usual = _points(before["bund"])
    assert after == {"bund": 70, "lane": usual, "west": 7, "nowhere": 7, "": usual}

    own = (await (await stage.member("13800138001")).ask(OWN))["me"]["purchases"]["nodes"]
    shown = {one["purchaseRef"]: one["place"] for one in own}
    assert shown["after bund"] == {"code": "bund", "storePhone": None}
    assert shown["after"] is None


@pytest.mark.parametrize("other", ["another place", "no place"])
async def test_a_purchase_is_made_in_one_place(stage: Stage, other: str) -> None:
    admin = stage.admin
    here, there = await _place(admin, "here", EAST), await _place(admin, "there", WEST)
    first = await _buy(admin, "P-1", here)
    again = await _buy(admin, "P-1", here)
    assert (again["alreadyRecorded"], again["purchase"]) == (True, first["purchase"])
    said = {"purchaseRef": "P-1", "phone": "13800138001", "occurredAt": "2026-11-02T09:30:00+08:00"}
    elsewhere = there if other == "another place" else None
    refused = await admin.do("recordPurchase", **said, **SOLD, placeId=elsewhere)
    assert refused["code"] == "REFERENCE_CONFLICT"


async def test_a_place_of_another_brand_is_none(stage: Stage) -> None:
    sister = await stage.sister("sister")
    theirs = await _place(sister.admin, "theirs", EAST)
    said = {"purchaseRef": "P-1", "phone": "13800138001", "occurredAt": "2026-11-02T09:30:00+08:00"}
    for id in (theirs, stage.unknown_id("Place")):
        refused = await stage.admin.do("recordPurchase", **said, **SOLD, placeId=id)
        assert (refused["code"], refused["details"]) == ("NOT_FOUND", {"noun": "place"})
