"""The points mall as a page shows it: what is closed to a member and why, and what a coupon of it
promises."""

from typing import Any

from loyalty.actor import OperatorRole
from loyalty.db import Database
from tests.graphql_schema.stage import Stage
from tests.graphql_schema.test_offers import (
    ALICE,
    BOB,
    CHANCES,
    GIFT,
    lift,
    mall,
    points,
    put,
    rich,
    terms,
)

SHOWN = """
{ mall(availableOnly: false) { nodes { code coupon { code }
  mine { availability opensAt limitReached levelNeeded { rank name } } } } }
"""
REFUSED_AS = {
    "RANK_TOO_LOW": "RANK_TOO_LOW",
    "NOT_OPEN_YET": "NOT_OPEN_YET",
    "SOLD_OUT": "OUT_OF_STOCK",
    "SOLD_OUT_TODAY": "OUT_OF_STOCK",
    "LIMIT_REACHED": "MEMBER_LIMIT_REACHED",
}
"""By availability, what taking it is refused for."""
PROMISED = """
query ($id: ID!) { node(id: $id) { ... on MallOffer { coupon {
  code name kind amountOffFen spendMinFen products { sku } usableFrom usableUntil usableDays } } } }
"""


async def test_the_mall_also_shows_what_is_closed_and_why(stage: Stage, db: Database) -> None:
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)
    await lift(stage, db, bob, 1)
    soon = "2999-01-01T10:00:00+08:00"
    once = {"limits": [{"window": "DAY", "timesMax": 1}]}
    wanted: list[tuple[str, Any, dict[str, Any]]] = [
        ("over", GIFT, {"endsAt": "2020-01-01T00:00:00Z"}),
        ("before", GIFT, {"startsAt": soon}),
        ("cup", GIFT, {}),
        ("golden", GIFT, {"rankMin": 2}),
        ("late", GIFT, {"opensAt": soon, "earlyHours": 24, "earlyRankMin": 1}),
        ("gone", GIFT, {"stockMax": 1}),
        ("today", GIFT, {"perDayMax": 1}),
        ("once", CHANCES, once),
    ]
    made = {
        code: await put(stage, code, points(1), gives=gives, **more) for code, gives, more in wanted
    }
    paused = {"offerId": made["before"]["id"], "terms": terms(), "status": "PAUSED"}
    for taker, code in ((bob, "gone"), (bob, "today"), (alice, "once")):
        await taker.done("redeemOffer", offerId=made[code]["id"])

    open_ones = [offer["code"] for offer in await mall(alice)]
    assert open_ones == ["once", "today", "cup"], "as ever"
    seen = {offer["code"]: offer["mine"] for offer in (await alice.ask(SHOWN))["mall"]["nodes"]}
    assert {code: (mine["availability"], mine["limitReached"]) for code, mine in seen.items()} == {
        "cup": ("AVAILABLE", None),
        "golden": ("RANK_TOO_LOW", None),
        "late": ("NOT_OPEN_YET", None),
        "gone": ("SOLD_OUT", None),
        "today": ("SOLD_OUT_TODAY", None),
        "once": ("LIMIT_REACHED", "DAY"),
    }
    assert seen["golden"]["levelNeeded"] == {"rank": 2, "name": "Gold"}
    assert {code for code, mine in seen.items() if mine["levelNeeded"]} == {"golden"}
    opens = {code: mine["opensAt"] for code, mine in seen.items() if mine["opensAt"]}
    assert opens == {"late": "2999-01-01T02:00:00+00:00"}
    bobs = {offer["code"]: offer["mine"] for offer in (await bob.ask(SHOWN))["mall"]["nodes"]}
    assert bobs["late"]["opensAt"] == "2998-12-31T02:00:00+00:00"

    for code, mine in seen.items():
        refused = await alice.do("redeemOffer", offerId=made[code]["id"])
        assert refused.get("code") == REFUSED_AS.get(mine["availability"]), code
    await stage.admin.done("updateOffer", **paused)
    assert len((await alice.ask(SHOWN))["mall"]["nodes"]) == len(seen), "paused stays hidden"
    newcomer = await stage.member("13800138003")
    told = {offer["code"]: offer["mine"] for offer in (await newcomer.ask(SHOWN))["mall"]["nodes"]}
    assert told["golden"]["levelNeeded"] == {"rank": 2, "name": "Gold"}
    assert await newcomer.me() is None


async def test_a_coupon_in_the_mall_says_what_it_promises(stage: Stage) -> None:
    template = {"code": "five", "nameZh": "五元券", "nameEn": "Five off", "kind": "AMOUNT_OFF"}
    made = await stage.admin.done(
        "createCouponTemplate",
        **template,
        amountOffFen=500,
        spendMinFen=2_000,
        usableDays=30,
        productIds=[stage.product_id],
        stockMax=1,
    )
    gives = {"kind": "COUPON", "templateId": made["template"]["id"]}
    offer = await put(stage, "five", points(300), gives=gives)
    await put(stage, "cup")
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)
    for caller in (alice, stage.operator(OperatorRole.VIEWER)):
        reply = await caller.ask(PROMISED, id=offer["id"])
        assert reply["node"]["coupon"] == {
            "code": "five",
            "name": "Five off",
            "kind": "AMOUNT_OFF",
            "amountOffFen": 500,
            "spendMinFen": 2_000,
            "products": [{"sku": "SKU-1"}],
            "usableFrom": None,
            "usableUntil": None,
            "usableDays": 30,
        }
    [cup, five] = (await alice.ask(SHOWN))["mall"]["nodes"]
    assert (cup["coupon"], five["coupon"]) == (None, {"code": "five"})
    await bob.done("redeemOffer", offerId=offer["id"])
    assert [offer["code"] for offer in await mall(alice)] == ["cup"]
    [_, five] = (await alice.ask(SHOWN))["mall"]["nodes"]
    assert five["mine"]["availability"] == "SOLD_OUT"
    no_more = {"templateId": made["template"]["id"], "status": "PAUSED"}
    await stage.admin.done("setCouponTemplateStatus", **no_more)
    assert [offer["code"] for offer in (await alice.ask(SHOWN))["mall"]["nodes"]] == ["cup"]
