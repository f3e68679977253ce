"""Merging members as operators and the members themselves see it."""

from typing import Any

from loyalty.actor import OperatorRole
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage

BOB = "13800138002"
NODE = """
query ($id: ID!) { node(id: $id) { ... on Member { id status displayName
  mergedInto { id status mergedInto { id } } } } }
"""
MEMBERS = "{ members(first: 100) { nodes { id status mergedInto { id } } } }"


async def test_a_merge_is_done_once_and_both_sign_ins_are_one_member(stage: Stage) -> None:
    await stage.publish()
    alice, bob = await stage.member(ALICE), await stage.member(BOB)
    for caller in (alice, bob):
        await caller.done("scanCode", code=await stage.code())
    old, new = (await alice.me())["id"], (await bob.me())["id"]
    input = {"idempotencyKey": "k", "fromMemberId": old, "intoMemberId": new, "reason": "one"}
    finance = stage.operator(OperatorRole.FINANCE)
    merged = await finance.done("mergeMembers", **input)
    assert merged["assets"] == [{"asset": "POINTS", "amount": 100, "owed": 0, "repaid": 0}]
    assert merged["member"] == {
        "id": new,
        "role": "CONSUMER",
        "status": "ACTIVE",
        "mergedInto": None,
    }
    assert await finance.done("mergeMembers", **input) == merged | {"replayed": True}
    other = await finance.do("mergeMembers", **{**input, "reason": "two"})
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    again = await finance.do("mergeMembers", **{**input, "idempotencyKey": "l"})
    assert again["code"] == "MEMBER_CLOSED"

    for caller in (alice, bob):
        assert (await caller.me())["id"] == new
        assert (await caller.balances())["POINTS"] == (200, 0)
    await alice.done("scanCode", code=await stage.code())
    assert (await bob.balances())["POINTS"] == (300, 0)
    for caller in (alice, bob, stage.admin):
        node = (await caller.ask(NODE, id=old))["node"]
        assert node["status"] == "MERGED"
        assert node["mergedInto"] == {"id": new, "status": "ACTIVE", "mergedInto": None}
        assert (await caller.ask(NODE, id=new))["node"]["id"] == new
    listed = {row["id"]: row for row in (await stage.admin.ask(MEMBERS))["members"]["nodes"]}
    assert listed[old]["mergedInto"] == {"id": new}


async def test_what_was_the_others_is_ones_own_now(stage: Stage) -> None:
    """Coupons are found by whoever acts as their member; strangers find nothing."""
    await stage.publish()
    alice, bob, eve = [await stage.member(phone) for phone in (ALICE, BOB, "13800138003")]
    for caller in (alice, bob, eve):
        await caller.done("scanCode", code=await stage.code())
    receipt = await stage.admin.done("createCouponTemplate", code="five", **_TEMPLATE)
    bought = (await bob.done("buyCoupon", templateId=receipt["template"]["id"]))["coupon"]["id"]
    old, new = (await bob.me())["id"], (await alice.me())["id"]
    await stage.admin.done("mergeMembers", fromMemberId=old, intoMemberId=new, reason="one")
    asked = "query ($id: ID!) { node(id: $id) { ... on Coupon { id } } }"
    for caller in (alice, bob):
        assert (await caller.ask(asked, id=bought))["node"] == {"id": bought}
        assert [coupon["id"] for coupon in await caller.wallet()] == [bought]
    for id in (bought, old, new):
        assert (await eve.ask(asked, id=id))["node"] is None


_TEMPLATE: dict[str, Any] = {
    "nameZh": "五元券",
    "nameEn": "Five off",
    "kind": "AMOUNT_OFF",
    "amountOffFen": 500,
    "usableDays": 30,
    "pointsPrice": 1,
}
