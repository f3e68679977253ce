"""Purchases and returns through GraphQL: who reports them, what they do, who sees them."""

from datetime import timedelta
from typing import Any

from loyalty.actor import OperatorRole
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.outbox import list_events
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.stage import Stage, all_rows, open_stage

ALICE, BOB = "13800138001", "13800138002"
AT = "2026-11-02T09:30:00+08:00"
SOLD = {"occurredAt": AT, "quantity": 3, "amountFen": 10_000, "source": "TILL"}
LINES = [
    {"lineNo": 1, "sku": "SKU-1", "quantity": 2, "amountFen": 7_000},
    {"lineNo": 2, "sku": "bread", "quantity": 1, "amountFen": 3_000},
]

PURCHASES = """
query ($memberId: ID, $first: Int, $after: String) {
  purchases(memberId: $memberId, first: $first, after: $after) {
    nodes { id purchaseRef memberId amountFen returnedFen } pageInfo { hasNextPage endCursor } } }
"""
OWN = """
{ me { id purchases(first: 10) { nodes { id purchaseRef source occurredAt purchasedOn
    lines { lineNo sku returnedQuantity product { sku } }
    returns { returnRef amountFen leftFen lines { lineNo quantity } takings { asset taken } }
} } } }
"""
NODE = "query ($id: ID!) { node(id: $id) { id ... on Purchase { purchaseRef } } }"


def earned(receipt: Any) -> dict[str, int]:
    return {one["asset"]: one["amount"] for one in receipt["earned"]}


async def buy(till: Caller, ref: str, phone: str = ALICE, **more: Any) -> Any:
    return await till.done("recordPurchase", **{"purchaseRef": ref, "phone": phone, **SOLD, **more})


async def test_a_purchase_earns_and_lifts_and_a_return_takes_back(
    stage: Stage, db: Database
) -> None:
    till = stage.operator(OperatorRole.FINANCE)
    receipt = await buy(till, "T-1", lines=LINES, amountFen=10_000)
    assert (receipt["replayed"], receipt["alreadyRecorded"]) == (False, False)
    assert earned(receipt) == {"POINTS": 100, "GROWTH": 100}
    assert (receipt["tierBefore"]["rank"], receipt["tierAfter"]["rank"]) == (0, 1)
    assert receipt["balances"][1] == {
        "asset": "POINTS",
        "balance": 100,
        "spendable": 100,
        "locked": 0,
    }
    bought = receipt["purchase"]
    assert (bought["purchasedOn"], bought["occurredAt"]) == (
        "2026-11-02",
        "2026-11-02T01:30:00+00:00",
    )
    assert [line["product"] for line in bought["lines"]] == [{"sku": "SKU-1"}, None]

    back = await till.done(
        "returnPurchase",
        purchaseRef="T-1",
        returnRef="R-1",
        reason="too small",
        lines=[{"lineNo": 1, "quantity": 1}],
    )
    assert (back["amountFen"], back["purchase"]["returnedFen"]) == (3_500, 3_500)
    assert {one["asset"]: one["taken"] for one in back["taken"]} == {"POINTS": 35, "GROWTH": 35}
    assert [b["balance"] for b in back["balances"]] == [65, 65]
    rest = {"purchaseId": bought["id"], "returnRef": "R-2", "reason": "all of it"}
    back = await till.done("returnPurchase", **rest)
    assert back["purchase"]["returns"][1]["lines"] == [
        {"lineNo": 1, "quantity": 1, "amountFen": 3_500},
        {"lineNo": 2, "quantity": 1, "amountFen": 3_000},
    ]
    assert [b["balance"] for b in back["balances"]] == [0, 0]
    async with db.snapshot() as snapshot:
        facts = [
            (event.topic, event.payload["amount_fen"])
            for topic in ("purchase.recorded", "purchase.returned")
            for event in await list_events(snapshot, brand_id=stage.brand_id, topic=topic)
        ]
    assert facts == [
        ("purchase.recorded", 10_000),
        ("purchase.returned", 3_500),
        ("purchase.returned", 6_500),
    ]


async def test_one_person_is_one_buyer_however_it_is_named(stage: Stage) -> None:
    till = stage.admin
    first = await buy(till, "T-1")
    member_id = first["purchase"]["memberId"]
    alice = await stage.member(ALICE)
    assert (await alice.ask("{ me { id } }"))["me"]["id"] == member_id
    sold = {"purchaseRef": "T-1", **SOLD}
    again = await till.done("recordPurchase", memberId=member_id, **sold, lines=[])
    assert again["alreadyRecorded"] and again["purchase"]["id"] == first["purchase"]["id"]
    assert earned(again) == earned(first)
    assert again["tierBefore"]["code"] == again["tierAfter"]["code"] == "SILVER"
    other = await till.do("recordPurchase", phone=BOB, **sold)
    assert other["code"] == "REFERENCE_CONFLICT"
    outside = await till.done("recordPurchase", **{**sold, "purchaseRef": "T-2"}, externalRef="M-1")
    known = outside["purchase"]["memberId"]
    assert known != member_id
    repeat = await till.done("recordPurchase", **{**sold, "purchaseRef": "T-2"}, memberId=known)
    assert repeat["alreadyRecorded"]


async def test_a_key_is_replayed_and_a_reference_has_one_content(stage: Stage) -> None:
    till = stage.admin
    input = {"purchaseRef": "T-1", "phone": ALICE, "lines": LINES, **SOLD}
    first = await till.done("recordPurchase", **input, idempotencyKey="k")
    assert await till.done("recordPurchase", **input, idempotencyKey="k") == first | {
        "replayed": True
    }
    changed = {**input, "quantity": 4}
    assert (await till.do("recordPurchase", **changed, idempotencyKey="k"))["code"] == (
        "IDEMPOTENCY_CONFLICT"
    )
    others: tuple[dict[str, Any], ...] = (
        {"amountFen": 10_001, "lines": []},
        {"occurredAt": "2026-11-02T09:30:01+08:00"},
        {"lines": []},
        {"lines": [{**LINES[0], "sku": "tea"}, LINES[1]]},
    )
    for changes in others:
        refused = await till.do("recordPurchase", **{**input, **changes})
        assert refused["code"] == "REFERENCE_CONFLICT", changes
    same = {**input, "occurredAt": "2026-11-02T01:30:00Z", "lines": LINES[::-1], "source": "ORDER"}
    assert (await till.done("recordPurchase", **same))["alreadyRecorded"]

    back = {"purchaseRef": "T-1", "returnRef": "R-1", "reason": "r", "amountFen": 100}
    done = await till.done("returnPurchase", **back, idempotencyKey="k")
    assert await till.done("returnPurchase", **back, idempotencyKey="k") == done | {
        "replayed": True
    }
    again = await till.done("returnPurchase", **back)
    assert again["alreadyRecorded"] and again["taken"] == done["taken"]
    more = {**back, "amountFen": 200}
    assert (await till.do("returnPurchase", **more))["code"] == "REFERENCE_CONFLICT"


async def test_what_makes_no_sense_is_refused_by_its_field_and_nothing_is_written(
    stage: Stage, db: Database
) -> None:
    till = stage.admin
    await buy(till, "T-1", lines=LINES)
    soon = (utc_now() + timedelta(minutes=5)).isoformat()
    good = {"purchaseRef": "T-2", "phone": ALICE, **SOLD}
    guide = await stage.guide(BOB)
    await guide.do("scanCode", code=await stage.code())
    guide_id = (await guide.ask("{ me { id } }"))["me"]["id"]
    before = await all_rows(db)
    line = LINES[0]
    for more, path in (
        ({"purchaseRef": ""}, "purchaseRef"),
        ({"purchaseRef": "a\u0001"}, "purchaseRef"),
        ({"purchaseRef": "x" * 65}, "purchaseRef"),
        ({"occurredAt": soon}, "occurredAt"),
        ({"occurredAt": "2026-11-02T09:30:00"}, "occurredAt"),
        ({"occurredAt": "1899-12-31T00:00:00Z"}, "occurredAt"),
        ({"amountFen": -1}, "amountFen"),
        ({"amountFen": 10**11 + 1}, "amountFen"),
        ({"quantity": -1}, "quantity"),
        ({"currency": "USD"}, "currency"),
        ({"externalRef": "M-1"}, "member"),
        ({"phone": None}, "member"),
        ({"phone": "12"}, "phone"),
        ({"phone": None, "memberId": guide_id}, "memberId"),
        ({"phone": None, "externalRef": " "}, "externalRef"),
        ({"lines": [line]}, "amountFen"),
        ({"lines": [{**LINES[1], "amountFen": 10_000}]}, "quantity"),
        ({"lines": [line, {**line, "amountFen": 3_000}]}, "lines[1].lineNo"),
        ({"lines": [{**line, "lineNo": 0}]}, "lines[0].lineNo"),
        ({"lines": [{**line, "quantity": 0}]}, "lines[0].quantity"),
        ({"lines": [{**line, "amountFen": -1}]}, "lines[0].amountFen"),
        ({"lines": [{**line, "productId": stage.product_id}]}, "lines[0]"),
        ({"lines": [{**line, "sku": None}]}, "lines[0]"),
        ({"lines": [{**line, "lineNo": n} for n in range(1, 202)]}, "lines"),
    ):
        refused = await till.do("recordPurchase", **{**good, **more})
        assert refused["code"] == "INVALID_INPUT", more
        assert refused["details"]["field"] == path, more
    for more, noun in (
        ({"phone": None, "memberId": stage.unknown_id("Member")}, "member"),
        ({"lines": [{**line, "sku": None, "productId": stage.unknown_id("Product")}]}, "product"),
    ):
        refused = await till.do("recordPurchase", **{**good, **more})
        assert (refused["code"], refused["details"]["noun"]) == ("NOT_FOUND", noun)
    back = {"purchaseRef": "T-1", "returnRef": "R-1", "reason": "r"}
    for more, code in (
        ({"amountFen": 10_001}, "RETURN_TOO_LARGE"),
        ({"lines": [{"lineNo": 2, "quantity": 2}]}, "RETURN_TOO_LARGE"),
        ({"lines": [{"lineNo": 3, "quantity": 1}]}, "INVALID_INPUT"),
        ({"purchaseRef": "T-9"}, "NOT_FOUND"),
        ({"purchaseRef": None, "purchaseId": stage.unknown_id("Purchase")}, "NOT_FOUND"),
        ({"purchaseRef": None}, "INVALID_INPUT"),
    ):
        assert (await till.do("returnPurchase", **{**back, **more}))["code"] == code, more
    assert await all_rows(db) == before


async def test_a_frozen_member_buys_and_earns_nothing(stage: Stage) -> None:
    first = await buy(stage.admin, "T-1")
    member_id = first["purchase"]["memberId"]
    await stage.admin.done("setMemberStatus", memberId=member_id, frozen=True, reason="fraud")
    second = await buy(stage.admin, "T-2")
    assert (second["alreadyRecorded"], second["earned"]) == (False, [])
    assert second["purchase"]["pointsGranted"] == 0
    back = {"purchaseRef": "T-1", "returnRef": "R-1", "reason": "r"}
    assert len((await stage.admin.done("returnPurchase", **back))["taken"]) == 2


async def test_only_finance_and_administrators_report_purchases(stage: Stage) -> None:
    await buy(stage.admin, "T-1")
    input = {"purchaseRef": "T-2", "phone": ALICE, **SOLD}
    back = {"purchaseRef": "T-1", "returnRef": "R-1", "reason": "r"}
    others = (
        stage.operator(OperatorRole.VIEWER),
        stage.operator(OperatorRole.MARKETER),
        await stage.member(ALICE),
    )
    for caller in others:
        for mutation, sent in (("recordPurchase", input), ("returnPurchase", back)):
            name = mutation[0].upper() + mutation[1:]
            query = f"mutation ($i: {name}Input!) {{ {mutation}(input: $i) {{ __typename }} }}"
            reply = await caller.send(query, {"i": {**sent, "idempotencyKey": "k"}})
            assert reply.codes == ["FORBIDDEN"]


async def test_a_member_sees_its_own_purchases_and_operators_the_brands(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    for n in range(3):
        await buy(stage.admin, f"A-{n}", lines=LINES)
    bobs = await buy(stage.admin, "B-0", BOB)
    back = {"purchaseRef": "A-1", "returnRef": "R-1", "reason": "r"}
    await stage.admin.done("returnPurchase", **back, lines=[{"lineNo": 2, "quantity": 1}])

    alice, viewer = await stage.member(ALICE), stage.operator(OperatorRole.VIEWER)
    me = (await alice.ask(OWN))["me"]
    own = me["purchases"]["nodes"]
    assert [purchase["purchaseRef"] for purchase in own] == ["A-2", "A-1", "A-0"]
    assert [line["returnedQuantity"] for line in own[1]["lines"]] == [0, 1]
    [returned] = own[1]["returns"]
    assert (returned["amountFen"], returned["leftFen"]) == (3_000, 7_000)
    assert returned["lines"] == [{"lineNo": 2, "quantity": 1}]
    assert (await alice.ask(NODE, id=own[0]["id"]))["node"]["purchaseRef"] == "A-2"
    assert (await alice.ask(NODE, id=bobs["purchase"]["id"]))["node"] is None
    assert (await alice.send(PURCHASES)).codes == ["FORBIDDEN"]

    listed = (await viewer.ask(PURCHASES))["purchases"]["nodes"]
    assert [purchase["purchaseRef"] for purchase in listed] == ["B-0", "A-2", "A-1", "A-0"]
    first = (await viewer.ask(PURCHASES, memberId=me["id"], first=2))["purchases"]
    assert [purchase["purchaseRef"] for purchase in first["nodes"]] == ["A-2", "A-1"]
    after = first["pageInfo"]["endCursor"]
    rest = (await viewer.ask(PURCHASES, memberId=me["id"], first=2, after=after))["purchases"]
    assert [purchase["purchaseRef"] for purchase in rest["nodes"]] == ["A-0"]
    nobody = await viewer.ask(PURCHASES, memberId=stage.unknown_id("Member"))
    assert nobody["purchases"]["nodes"] == []

    stranger = (await open_stage(api, db, settings, "others")).operator(OperatorRole.VIEWER)
    assert (await stranger.ask(PURCHASES))["purchases"]["nodes"] == []
    assert (await stranger.ask(PURCHASES, memberId=me["id"]))["purchases"]["nodes"] == []
    assert (await stranger.ask(NODE, id=own[0]["id"]))["node"] is None
