"""Coupons of a host that a partner's own systems take, by key: the same guards and entries."""

import asyncio
from typing import Any

from loyalty.db import Database
from loyalty.ledger.audit import audit
from tests.graphql_schema.allied import Floor, floor
from tests.graphql_schema.effects import WHY
from tests.graphql_schema.shop import open_place
from tests.graphql_schema.stage import Stage

LOOK = """
query ($code: String!, $tillId: ID!, $clerkId: ID!) {
  redeemableCoupon(code: $code, tillId: $tillId, clerkId: $clerkId) {
    ... on CouponAtTill { partnersCoupon { templateCode nameZh } discountFen rebateFen
      notUsableReason takenBy { status placeName } coupon { id } }
    ... on Refused { code } } }
"""
ENTRIES = "{ clearingEntries { nodes { kind owedFen placeName tillName } } }"
REDEMPTIONS = """
{ redemptions { nodes { status tillName clerkName member { id } coupon { id }
    partnersCoupon { templateCode } events { step actorKind } } } }
"""
BORNE_FEN = 312


async def look(on: Floor, code: str) -> Any:
    return (await on.key.ask(LOOK, code=code, **on.at))["redeemableCoupon"]


async def owed(on: Floor, stage: Stage) -> list[tuple[str, int]]:
    """What the host owes the partner, the same in both books; oldest first."""
    theirs = (await on.host.stage.admin.ask(ENTRIES))["clearingEntries"]["nodes"]
    ours = (await stage.admin.ask(ENTRIES))["clearingEntries"]["nodes"]
    assert [(e["kind"], -e["owedFen"]) for e in ours] == [(e["kind"], e["owedFen"]) for e in theirs]
    assert {(e["placeName"], e["tillName"]) for e in ours} <= {("街角店", "一号台")}
    return [(e["kind"], e["owedFen"]) for e in theirs[::-1]]


async def test_a_key_takes_a_hosts_coupon_and_gives_it_back(stage: Stage, db: Database) -> None:
    on = await floor(stage)
    code = await on.code()
    seen = await look(on, code)
    assert seen["partnersCoupon"] == {"templateCode": "good-at-allies", "nameZh": "五元券"}
    assert (seen["discountFen"], seen["rebateFen"], seen["takenBy"]) == (500, 520, None)
    assert seen["coupon"] is None
    asked = {**on.at, "code": code, "idempotencyKey": "receipt 17"}
    taken = await on.key.done("redeemPartnersCoupon", **asked)
    assert taken["redemption"]["status"] == "CAPTURED"
    assert (await on.key.done("redeemPartnersCoupon", **asked))["replayed"]
    assert (await look(on, code))["takenBy"] == {"status": "CAPTURED", "placeName": "街角店"}
    again = await on.key.do("redeemPartnersCoupon", **on.at, code=code)
    assert again["code"] == "COUPON_TAKEN"
    assert (await on.host.clerk.do("holdCoupon", code=code))["code"] == "COUPON_TAKEN"
    assert await owed(on, stage) == [("REDEMPTION", BORNE_FEN)]
    back = {**on.at, **WHY, "redemptionId": taken["redemption"]["id"]}
    reversed_ = await on.key.done("reversePartnersRedemption", **back)
    assert reversed_["redemption"]["status"] == "REVERSED"
    assert await owed(on, stage) == [("REDEMPTION", BORNE_FEN), ("REVERSAL", -BORNE_FEN)]
    await on.host.clerk.done("holdCoupon", code=code)
    assert (await look(on, code))["takenBy"] == {"status": "HELD", "placeName": None}
    [row] = (await stage.admin.ask(REDEMPTIONS))["redemptions"]["nodes"]
    assert (row["tillName"], row["clerkName"]) == ("一号台", "王")
    assert (row["member"], row["coupon"]) == (None, None)
    assert {event["actorKind"] for event in row["events"]} == {"PARTNER"}
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_of_many_keys_calls_at_once_one_has_the_coupon(stage: Stage, db: Database) -> None:
    on = await floor(stage)
    code = await on.code()
    held = on.host.clerk.do("holdCoupon", code=code)
    calls = [on.key.do("redeemPartnersCoupon", **on.at, code=code) for _ in range(4)]
    ends = await asyncio.gather(held, *calls)
    assert sum("code" not in each or each["code"] is None for each in ends) == 1, ends
    assert len(await owed(on, stage)) <= 1
    assert [check.name for check in await audit(db) if check.broken] == []


async def test_what_a_clerk_could_not_take_there_a_key_cannot(stage: Stage) -> None:
    on = await floor(stage)
    code = await on.code()
    stranger = await open_place(await stage.sister("stranger"), stage.admin, "far")
    elsewhere = await open_place(stage, stage.admin, "west")
    for at, noun in (
        ({"tillId": stranger.till_id, "clerkId": stranger.clerk_id}, "till"),
        (on.at | {"clerkId": elsewhere.clerk_id}, "clerk"),
    ):
        refused = await on.key.do("redeemPartnersCoupon", **at, code=code)
        assert (refused["code"], refused["details"]) == ("NOT_FOUND", {"noun": noun})
    assert (await look(on, "9" * 12))["code"] == "COUPON_UNKNOWN"
    taken = await on.captured()
    west = {"tillId": elsewhere.till_id, "clerkId": elsewhere.clerk_id}
    other = {**west, **WHY, "redemptionId": taken}
    assert (await on.key.do("reversePartnersRedemption", **other))["code"] == "NOT_FOUND"
    await stage.admin.done("revokeTill", tillId=on.at["tillId"], **WHY)
    closed = await on.key.do("redeemPartnersCoupon", **on.at, code=code)
    assert closed["code"] == "PLACE_CLOSED"
    wanted = {"name": "ERP", "scopes": ["READ_COUPONS"]}
    reader = stage.api.signed_in((await stage.admin.done("createPartnerKey", **wanted))["key"])
    assert (await reader.send(LOOK, {"code": code, **on.at})).codes == ["FORBIDDEN"]
