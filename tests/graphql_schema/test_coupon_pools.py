"""Scan a drink, win a partner's coupon: put into a pool, given by the host's campaign, used at the
partner's till, and what it comes to between the two."""

from typing import Any

from loyalty.actor import Scope
from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.api import Caller
from tests.graphql_schema.allied import agreed, ally
from tests.graphql_schema.shop import open_place
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, outcome

ALICE = "13800138001"
POOLS = "{ couponPools { code leftCount given reserveFen templateId agreementId } }"
POSITIONS = "{ clearingPositions { partnerSlug owedFen reservedFen } }"
RESERVE_FEN = 312 + 7
"""Six tenths of 5.20 and the fee of redeeming."""
ISSUE_FEE_FEN, REDEEM_FEE_FEN, HOST_FEN = 5, 7, 50


async def pool_of(stage: Stage) -> tuple[Caller, dict[str, Any]]:
    """The partner's key, and the pool that it may fill."""
    agreement_id = await agreed(stage, pooled=True)
    partner = await ally(stage)
    wanted = {"name": "ERP", "scopes": [scope.name for scope in Scope]}
    made = await partner.admin.done("createPartnerKey", **wanted)
    key = stage.api.signed_in(made["key"])
    pool = await seen(key, agreement_id)
    assert (pool["leftCount"], pool["given"], pool["reserveFen"]) == (0, 0, RESERVE_FEN)
    return key, {name: pool[name] for name in ("agreementId", "templateId")}


async def seen(key: Caller, agreement_id: str) -> Any:
    """The pool of an agreement: the partner has others, with other brands."""
    pools = (await key.ask(POOLS))["couponPools"]
    [pool] = [each for each in pools if each["agreementId"] == agreement_id]
    return pool


async def position_of(key: Caller, stage: Stage) -> dict[str, int]:
    """How the partner stands with the brand."""
    found = (await key.ask(POSITIONS))["clearingPositions"]
    [position] = [each for each in found if each.pop("partnerSlug") == stage.slug]
    return dict(position)


async def test_scan_a_drink_and_win_what_a_partner_has_put_in(stage: Stage, db: Database) -> None:
    key, pool = await pool_of(stage)
    coupon = {"beneficiary": "CONSUMER", "couponTemplateId": pool["templateId"]}
    await stage.publish([coupon, outcome(GUIDE, 3)])
    alice = await stage.member(ALICE)
    empty = await alice.done("scanCode", code=await stage.code())
    assert (empty["unpaidReason"], empty["coupons"]) == ("BUDGET", [])

    await key.done("fillCouponPool", **pool, count=2)
    won = [await alice.done("scanCode", code=await stage.code()) for _ in range(3)]
    assert [len(each["coupons"]) for each in won] == [1, 1, 0]
    now = await seen(key, pool["agreementId"])
    assert (now["leftCount"], now["given"]) == (0, 2)
    position = await position_of(key, stage)
    reserved = {"owedFen": 2 * ISSUE_FEE_FEN, "reservedFen": 2 * RESERVE_FEN}
    assert position == reserved

    partner = await ally(stage)
    till = await open_place(partner, alice, "partners-till")
    basket = {"code": won[0]["coupons"][0]["code"], "basketFen": 900}
    held = (await till.clerk.done("holdCoupon", **basket))["redemption"]["id"]
    await till.clerk.done("captureRedemption", redemptionId=held)
    position = await position_of(key, stage)
    owed = 2 * ISSUE_FEE_FEN + REDEEM_FEE_FEN - HOST_FEN
    assert position == {"owedFen": owed, "reservedFen": RESERVE_FEN}
    await till.clerk.done("reverseRedemption", redemptionId=held, reason="wrong bottle")
    position = await position_of(key, stage)
    assert position == reserved
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_a_scan_taken_back_gives_the_reserve_back(stage: Stage, db: Database) -> None:
    key, pool = await pool_of(stage)
    coupon = {"beneficiary": "CONSUMER", "couponTemplateId": pool["templateId"]}
    await stage.publish([coupon, outcome(GUIDE, 3)])
    await key.done("fillCouponPool", **pool, count=1)
    alice = await stage.member(ALICE)
    scanned = await alice.done("scanCode", code=await stage.code())
    await stage.admin.done("reverseScan", scanId=scanned["scanId"], reason="a test")
    position = await position_of(key, stage)
    assert position == {"owedFen": ISSUE_FEE_FEN, "reservedFen": 0}
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_chances_buy_in_the_mall_what_a_partner_has_put_in(
    stage: Stage, db: Database
) -> None:
    key, pool = await pool_of(stage)
    await stage.publish([outcome(CONSUMER, 3, "CHANCES")])
    alice = await stage.member(ALICE)
    await alice.done("scanCode", code=await stage.code())
    price = {"parts": [{"asset": "CHANCES", "amount": 1}]}
    made = await stage.admin.done(
        "createOffer",
        code="toy",
        gives={"kind": "COUPON", "templateId": pool["templateId"]},
        terms={"nameZh": "玩具券", "nameEn": "A toy", "prices": [price]},
    )
    wanted = {"offerId": made["offer"]["id"]}
    refused = await alice.do("redeemOffer", **wanted)
    assert refused["code"] == "OUT_OF_STOCK", "nothing was put in yet"
    assert (await alice.balances())["CHANCES"] == (3, 0)

    await key.done("fillCouponPool", **pool, count=1)
    bought = await alice.done("redeemOffer", **wanted)
    assert bought["order"]["parts"] == [{"purpose": "PRICE", "asset": "CHANCES", "amount": 1}]
    assert [coupon["cause"] for coupon in bought["coupons"]] == ["ORDER"]
    assert (await alice.balances())["CHANCES"] == (2, 0)
    assert (await seen(key, pool["agreementId"]))["given"] == 1
    reserved = {"owedFen": ISSUE_FEE_FEN, "reservedFen": RESERVE_FEN}
    assert await position_of(key, stage) == reserved
    assert (await alice.do("redeemOffer", **wanted))["code"] == "OUT_OF_STOCK"
    assert (await alice.balances())["CHANCES"] == (2, 0)

    till = await open_place(await ally(stage), alice, "toyshop")
    basket = {"code": bought["coupons"][0]["code"], "basketFen": 900}
    held = (await till.clerk.done("holdCoupon", **basket))["redemption"]["id"]
    await till.clerk.done("captureRedemption", redemptionId=held)
    assert [check.name for check in await audit(db) if check.broken] == []
