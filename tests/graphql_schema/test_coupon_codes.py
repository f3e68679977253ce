"""Codes of a third party: each is one coupon's, seen by its member alone."""

import asyncio
from typing import Any

from graphql_schema.nodes import local_id
from loyalty.db import Database
from loyalty.ledger.audit import audit
from rewards.code_lists.models import OutsideCode
from tests.graphql_schema.allied import OF_CODES, issuer, template
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, outcome
from tests.rewards.payouts.stores import rows

ALICE, BOB = "13800138001", "13800138002"
POOLS = "{ couponPools { leftCount given templateId } }"


async def selling(stage: Stage, codes: list[str]) -> str:
    """A template of codes that scans win; its global id."""
    template_id = await template(stage, "codes", **OF_CODES)
    if codes:
        await stage.admin.done("addCouponCodes", templateId=template_id, codes=codes)
    coupon = {"beneficiary": CONSUMER, "couponTemplateId": template_id}
    await stage.publish([coupon, outcome(GUIDE, 3)])
    return template_id


async def broken(db: Database) -> list[str]:
    return [check.name for check in await audit(db) if check.broken]


async def test_as_many_are_won_as_there_are_codes(stage: Stage, db: Database) -> None:
    template_id = await selling(stage, ["A1", "A2", "A1"])
    again = await stage.admin.done("addCouponCodes", templateId=template_id, codes=["A2", "A3"])
    assert again["added"] == 1
    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    won: list[Any] = []
    for caller in (alice, bob, alice, bob):
        won.append((await caller.done("scanCode", code=await stage.code()))["coupons"])
    assert [len(coupons) for coupons in won] == [1, 1, 1, 0]
    seen = {}
    for caller, [coupon] in zip((alice, bob, alice), won[:3], strict=True):
        shown = [await caller.done("revealCouponCode", couponId=coupon["id"]) for _ in range(2)]
        assert shown[0]["code"] == shown[1]["code"]
        seen[coupon["id"]] = shown[0]["code"]
    assert sorted(seen.values()) == ["A1", "A2", "A3"]
    foreign = await bob.do("revealCouponCode", couponId=won[0][0]["id"])
    assert foreign["code"] == "NOT_FOUND"
    assert await broken(db) == []


async def test_looked_at_at_once_each_has_its_own(stage: Stage, db: Database) -> None:
    await selling(stage, [f"C{number}" for number in range(6)])
    alice = await stage.member(ALICE)
    won = [
        (await alice.done("scanCode", code=await stage.code()))["coupons"][0]["id"]
        for _ in range(6)
    ]
    shown = await asyncio.gather(
        *(alice.done("revealCouponCode", couponId=id) for id in won for _ in range(2))
    )
    pairs = [(shown[at]["code"], shown[at + 1]["code"]) for at in range(0, 12, 2)]
    assert all(one == other for one, other in pairs)
    assert len({one for one, _ in pairs}) == 6
    assert await broken(db) == []


async def test_codes_are_kept_sealed_and_no_till_takes_them(stage: Stage, db: Database) -> None:
    await selling(stage, ["SECRET-CODE"])
    [row] = [row for row in await rows(db, OutsideCode) if row.brand_id == stage.brand_id]
    assert "SECRET" not in repr(row)
    alice = await stage.member(ALICE)
    [coupon] = (await alice.done("scanCode", code=await stage.code()))["coupons"]
    await stage.admin.done("voidCoupon", couponId=coupon["id"], reason="a mistake")
    refused = await alice.do("revealCouponCode", couponId=coupon["id"])
    assert (refused["code"], refused["details"]) == ("COUPON_NOT_USABLE", {"reason": "VOID"})


async def test_a_partner_fills_its_pool_with_codes(stage: Stage, db: Database) -> None:
    of_codes = {"redeemFeeFen": 0, "hostShare": {"fen": 0}, "pooled": True}
    key, asked = await issuer(stage, OF_CODES, **of_codes)
    pool = {name: asked[name] for name in ("agreementId", "templateId")}

    async def left() -> int:
        pools = (await key.ask(POOLS))["couponPools"]
        return sum(p["leftCount"] for p in pools if p["templateId"] == pool["templateId"])

    filled = await key.done("fillCouponPoolWithCodes", **pool, codes=["P1", "P2", "P3"])
    assert (filled["move"]["count"], filled["move"]["feeFen"]) == (3, 15)
    again = await key.do("fillCouponPoolWithCodes", **pool, codes=["P1"])
    assert again["code"] == "ALREADY_EXISTS"
    by_count = await key.do("fillCouponPool", **pool, count=1)
    assert by_count["code"] == "INVALID_INPUT"
    assert await left() == 3
    await key.done("drainCouponPool", **pool, count=2)
    assert await left() == 1
    refused = await key.do("drainCouponPool", **pool, count=2)
    assert refused["code"] == "OUT_OF_STOCK"
    template_id = local_id("CouponTemplate", pool["templateId"])
    assert len([row for row in await rows(db, OutsideCode) if row.template_id == template_id]) == 1
    assert await broken(db) == []
