"""The till through GraphQL: what a clerk sees and does, each step once, and who sees what of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio
from sqlmodel import col, update

from graphql_schema.pagination import find_id_of
from loyalty.actor import Actor, ActorKind, MemberRole, OperatorRole
from loyalty.db import Database, Tx
from loyalty.members.models import Member
from loyalty.members.service import enrol, find_or_create_identity_by_phone
from loyalty.places.models import Till
from loyalty.settings import Settings
from rewards.coupons.models import Coupon
from rewards.redemptions.models import Redemption
from tests.api import Api, Caller
from tests.graphql_schema.stage import Stage, all_rows, open_stage
from tests.rewards.redemptions.shops import (
    Counter,
    add_counter,
    add_coupon,
    add_place,
    add_template,
)

ALICE = "+8613800138001"
LOOK = """
query ($code: String!, $basketFen: BigInt, $productIds: [ID!]) {
  coupon(code: $code, basketFen: $basketFen, productIds: $productIds) { __typename
    ... on CouponAtTill { notUsableReason discountFen payFen rebateFen product { sku }
      coupon { code status } takenBy { placeName tillName at status } }
    ... on Refused { code message details } } }
"""
MINE = """
query ($status: RedemptionStatus, $first: Int, $after: String) {
  myRedemptions(status: $status, first: $first, after: $after) {
    nodes { id status member { id } } pageInfo { hasNextPage endCursor } } }
"""
ALL = """
query ($placeId: ID, $status: RedemptionStatus) {
  redemptions(placeId: $placeId, status: $status) { nodes { id status place { id } } } }
"""
NODE = "query ($id: ID!) { node(id: $id) { ... on Redemption { id status member { id } } } }"


@dataclass
class Shop:
    """Clerks at two tills of one place and at one of another, each signed in."""

    stage: Stage
    east: Caller
    east_too: Caller
    west: Caller
    counters: list[Counter]
    member_id: UUID

    async def coupon(self, **template: Any) -> Coupon:
        """One that Alice may use today."""
        return await self.stage.database.in_transaction(_add, self, template)


async def _add(tx: Tx, shop: Shop, template: dict[str, Any]) -> Coupon:
    made = await add_template(tx, shop.stage.brand_id, **template)
    around = (tx.now + timedelta(days=days) for days in (-2, 2))
    first, last = (at.date() for at in around)
    return await add_coupon(
        tx, made, member_id=shop.member_id, usable_from=first, usable_until=last
    )


async def _staff(tx: Tx, stage: Stage) -> tuple[list[Counter], Member]:
    east, west = [await add_place(tx, stage.brand_id, code) for code in ("east", "west")]
    counters = [await add_counter(tx, place, n) for n, place in enumerate((east, east, west), 1)]
    identity = await find_or_create_identity_by_phone(tx, stage.keyring, stage.brand_id, ALICE)
    alice = Actor(ActorKind.MEMBER, stage.brand_id, identity.id, MemberRole.CONSUMER.value)
    return counters, await enrol(tx, alice)


async def open_shop(stage: Stage) -> Shop:
    counters, member = await stage.database.in_transaction(_staff, stage)
    east, east_too, west = (stage.caller(counter.actor) for counter in counters)
    return Shop(stage, east, east_too, west, counters, member.id)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(stage: Stage) -> Shop:
    return await open_shop(stage)


async def _end_hold(tx: Tx) -> None:
    """Every hold began some minutes earlier than it did."""
    for table in (Redemption, Coupon):
        held: Any = col(table.held_until)
        await tx.session.exec(update(table).where(held.is_not(None)).values(held_until=tx.now))


# --- a redemption ------------------------------------------------------------------------------


async def test_a_clerk_looks_holds_and_captures_and_the_operator_sees_each_step(
    shop: Shop, db: Database
) -> None:
    coupon = await shop.coupon()
    typed = " ".join(coupon.code[i : i + 4] for i in range(0, 16, 4))
    seen = (await shop.east.ask(LOOK, code=typed, basketFen=300))["coupon"]
    assert seen == {
        "__typename": "CouponAtTill",
        "notUsableReason": None,
        "discountFen": 300,
        "payFen": None,
        "rebateFen": 350,
        "product": None,
        "coupon": {"code": f"**** **** **** {coupon.code[-4:]}", "status": "ISSUED"},
        "takenBy": None,
    }
    held = (await shop.east.done("holdCoupon", code=typed, basketFen=300))["redemption"]
    assert {key: held[key] for key in ("status", "basketFen", "discountFen", "capturedAt")} == {
        "status": "HELD",
        "basketFen": 300,
        "discountFen": 300,
        "capturedAt": None,
    }
    assert (held["tillName"], held["clerkName"]) == ("Till 1", "Clerk 1")
    lasts = datetime.fromisoformat(held["heldUntil"]) - datetime.fromisoformat(held["heldAt"])
    assert lasts == timedelta(seconds=300)
    taken = (await shop.west.ask(LOOK, code=typed))["coupon"]["takenBy"]
    assert taken == {
        "placeName": "East Street",
        "tillName": "Till 1",
        "at": held["heldAt"],
        "status": "HELD",
    }
    done = await shop.east_too.done("captureRedemption", redemptionId=held["id"])
    steps = [(e["step"], e["tillName"], e["clerkName"]) for e in done["redemption"]["events"]]
    assert steps == [("HOLD", "Till 1", "Clerk 1"), ("CAPTURE", "Till 2", "Clerk 2")]

    operator = shop.stage.operator(OperatorRole.MARKETER)
    [listed] = (await operator.ask(ALL))["redemptions"]["nodes"]
    assert (listed["id"], listed["status"]) == (held["id"], "CAPTURED")
    assert (await operator.ask(NODE, id=held["id"]))["node"]["status"] == "CAPTURED"
    given = {"redemptionId": held["id"], "reason": "complaint"}
    back = (await operator.done("reverseRedemption", **given))["redemption"]
    assert (back["status"], back["reason"]) == ("REVERSED", "complaint")
    last = back["events"][-1]
    assert (last["step"], last["actorKind"], last["tillName"], last["clerkName"]) == (
        "REVERSE",
        "OPERATOR",
        None,
        None,
    )


async def test_a_coupon_for_a_product_names_what_the_customer_gets_and_pays(shop: Shop) -> None:
    product_id = find_id_of("Product", shop.stage.product_id)
    assert product_id is not None
    unknown = shop.stage.unknown_id("Product")
    basket = {"productIds": [unknown, "other goods", shop.stage.product_id]}
    template: dict[str, Any] = {"kind": "PAY_N", "amount_off_fen": None, "pay_fen": 100}
    template |= {"product_id": product_id, "product_ids": [product_id.hex]}
    coupon = await shop.coupon(**template)
    poor = (await shop.east.ask(LOOK, code=coupon.code))["coupon"]
    assert (poor["notUsableReason"], poor["payFen"], poor["product"]) == ("PRODUCT", None, None)
    seen = (await shop.east.ask(LOOK, code=coupon.code, **basket))["coupon"]
    assert (seen["payFen"], seen["product"]) == (100, {"sku": "SKU-1"})
    refused = await shop.east.do("holdCoupon", code=coupon.code)
    assert (refused["code"], refused["details"]) == ("COUPON_NOT_USABLE", {"reason": "PRODUCT"})
    held = (await shop.east.done("holdCoupon", code=coupon.code, **basket))["redemption"]
    assert (held["discountFen"], held["payFen"], held["product"]) == (0, 100, {"sku": "SKU-1"})


# --- once --------------------------------------------------------------------------------------


async def test_each_step_is_taken_once_and_its_reply_stays_as_it_was(
    shop: Shop, db: Database
) -> None:
    """Also when the redemption has moved on since; a till may sleep for weeks."""
    first, other = await shop.coupon(), await shop.coupon()
    clerk = shop.east
    taken = []

    async def take(mutation: str, conflicting: dict[str, Any], **input: Any) -> Any:
        input["idempotencyKey"] = str(uuid4())
        reply = await clerk.done(mutation, **input)
        assert reply.pop("replayed") is False
        taken.append((mutation, input, input | conflicting, reply))
        return reply["redemption"]

    held = await take("holdCoupon", {"basketFen": 1}, code=first.code, basketFen=900)
    again = await take("holdCoupon", {"code": first.code}, code=other.code)
    this, that = {"redemptionId": held["id"]}, {"redemptionId": again["id"]}
    await take("voidRedemption", this, **that)
    await take("captureRedemption", that, **this)
    await take("reverseRedemption", {"reason": "else"}, **this, reason="wrong bottle")

    rows = await _written(db)
    for mutation, input, conflicting, reply in taken:
        replay = await clerk.done(mutation, **input)
        assert replay.pop("replayed") is True
        assert replay == reply, mutation
        refused = await clerk.do(mutation, **conflicting)
        assert refused["code"] == "IDEMPOTENCY_CONFLICT", mutation
    assert await _written(db) == rows


async def _written(db: Database) -> list[list[str]]:
    """What the till writes and no worker does."""
    rows = await all_rows(db)
    return [rows[table] for table in ("redemption_events", "coupons", "idempotency_records")]


async def test_a_refused_step_may_be_tried_again_under_its_key(shop: Shop, db: Database) -> None:
    coupon = await shop.coupon()
    held = (await shop.east.done("holdCoupon", code=coupon.code))["redemption"]
    key = {"idempotencyKey": "once"}
    taken = await shop.west.do("holdCoupon", code=coupon.code, **key)
    assert taken["code"] == "COUPON_TAKEN"
    at = datetime.fromisoformat(taken["details"]["at"])
    assert at.utcoffset() == timedelta(hours=8)
    assert abs(at - datetime.fromisoformat(held["heldAt"])) < timedelta(seconds=1)
    assert taken["message"] == (
        f"This coupon is HELD at East Street, Till 1, since {taken['details']['at']}."
    )
    await db.in_transaction(_end_hold)
    mine = await shop.west.done("holdCoupon", code=coupon.code, **key)
    assert (mine["replayed"], mine["redemption"]["status"]) == (False, "HELD")
    late = await shop.east.do("captureRedemption", redemptionId=held["id"])
    assert late["details"] == {"status": "LAPSED", "wanted": "CAPTURED"}


# --- who sees what -----------------------------------------------------------------------------


async def test_lists_are_of_the_place_and_go_by_date(shop: Shop, db: Database) -> None:
    over = [
        (await shop.east.done("holdCoupon", code=(await shop.coupon()).code))["redemption"]["id"]
        for _ in range(2)
    ]
    await db.in_transaction(_end_hold)
    held = (await shop.east.done("holdCoupon", code=(await shop.coupon()).code))["redemption"]["id"]
    west = (await shop.west.done("holdCoupon", code=(await shop.coupon()).code))["redemption"]["id"]

    async def mine(caller: Caller, **which: Any) -> list[tuple[str, str]]:
        nodes = (await caller.ask(MINE, **which))["myRedemptions"]["nodes"]
        assert all(node["member"] is None for node in nodes)
        return [(node["id"], node["status"]) for node in nodes]

    of_east = [(held, "HELD"), (over[1], "LAPSED"), (over[0], "LAPSED")]
    assert await mine(shop.east_too) == of_east
    assert await mine(shop.east, status="HELD") == of_east[:1]
    assert await mine(shop.east, status="LAPSED") == of_east[1:]
    assert await mine(shop.west) == [(west, "HELD")]
    page = (await shop.east.ask(MINE, first=1))["myRedemptions"]["pageInfo"]
    assert page["hasNextPage"]
    assert await mine(shop.east, after=page["endCursor"]) == of_east[1:]

    viewer = shop.stage.operator(OperatorRole.VIEWER)
    everything = (await viewer.ask(ALL))["redemptions"]["nodes"]
    assert [node["id"] for node in everything] == [west, held, *reversed(over)]
    place_id = everything[0]["place"]["id"]
    for which, found in (
        ({"placeId": place_id}, [west]),
        ({"placeId": place_id, "status": "LAPSED"}, []),
        ({"status": "LAPSED"}, list(reversed(over))),
        ({"placeId": shop.stage.unknown_id("Place")}, []),
        ({"placeId": "no id at all"}, []),
    ):
        nodes = (await viewer.ask(ALL, **which))["redemptions"]["nodes"]
        assert [node["id"] for node in nodes] == found, which


async def _revoke(tx: Tx, till: Till) -> None:
    await tx.session.exec(update(Till).where(col(Till.id) == till.id).values(status="REVOKED"))


async def test_a_revoked_till_takes_no_step_and_sees_nothing(shop: Shop, db: Database) -> None:
    coupon = await shop.coupon()
    held = (await shop.east.done("holdCoupon", code=coupon.code))["redemption"]
    await db.in_transaction(_revoke, shop.counters[0].till)
    for mutation, input in (
        ("captureRedemption", {"redemptionId": held["id"]}),
        ("voidRedemption", {"redemptionId": held["id"]}),
        ("reverseRedemption", {"redemptionId": held["id"], "reason": "stolen"}),
        ("holdCoupon", {"code": coupon.code}),
    ):
        assert (await shop.east.do(mutation, **input))["code"] == "PLACE_CLOSED"
    assert (await shop.east.ask(LOOK, code=coupon.code))["coupon"]["code"] == "PLACE_CLOSED"
    assert (await shop.east.send(MINE)).codes == ["FORBIDDEN"]
    await shop.east_too.done("captureRedemption", redemptionId=held["id"])


async def test_another_brands_and_places_are_answered_like_made_up_ones(
    shop: Shop, api: Api, db: Database, settings: Settings
) -> None:
    theirs = await open_shop(await open_stage(api, db, settings, "theirs"))
    coupon = await theirs.coupon()
    answers = []
    for code in (coupon.code, "0000 1111 2222 3333", "nonsense", ""):
        look = (await shop.east.ask(LOOK, code=code))["coupon"]
        answers += [look, await shop.east.do("holdCoupon", code=code)]
    assert [answer["code"] for answer in answers] == ["COUPON_UNKNOWN"] * len(answers)
    assert all(answer == answers[0] for answer in answers)

    held = (await theirs.east.done("holdCoupon", code=coupon.code))["redemption"]
    west = (await shop.west.done("holdCoupon", code=(await shop.coupon()).code))["redemption"]
    before = await all_rows(db)
    for mutation in ("captureRedemption", "voidRedemption", "reverseRedemption"):
        more = {"reason": "mine"} if mutation == "reverseRedemption" else {}
        told = [
            await shop.east.do(mutation, redemptionId=id, **more)
            for id in (held["id"], west["id"], shop.stage.unknown_id("Redemption"), "none", "")
        ]
        assert told[0]["code"] == "NOT_FOUND"
        assert all(answer == told[0] for answer in told)
    assert await all_rows(db) == before
    assert (await shop.stage.admin.ask(NODE, id=held["id"]))["node"] is None
    assert (await theirs.stage.admin.ask(NODE, id=held["id"]))["node"]["id"] == held["id"]
