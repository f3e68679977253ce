"""Coupons through GraphQL: what operators make, what scans give, what points buy, and who sees
which of them."""

from typing import Any

from sqlalchemy import select

from loyalty.actor import OperatorRole
from loyalty.db import Database
from loyalty.outbox import OutboxEvent
from loyalty.settings import Settings
from tests.api import Api, Caller
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, open_stage, outcome

ALICE, BOB = "13800138001", "13800138002"
FIVE_OFF = {"code": "five", "nameZh": "五元券", "nameEn": "Five off", "kind": "AMOUNT_OFF"}
GOOD = {"amountOffFen": 500, "spendMinFen": 2000, "usableDays": 30, "costFen": 500, "feeFen": 20}

WALLET = """
query ($status: CouponStatus, $first: Int, $after: String) {
  me { coupons(status: $status, first: $first, after: $after) {
    nodes { id code name templateCode kind amountOffFen spendMinFen payFen status cause
            product { sku } products { sku } placeIds usableFrom usableUntil heldUntil }
    pageInfo { hasNextPage endCursor } } } }
"""
OFFERS = """
{ offers { nodes { templateId templateCode name kind pointsPrice boughtPerMemberMax stockLeft } } }
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { ... on ScanCodeReceipt {
  replayed unpaidReason rewards { asset amount }
  coupons { id code templateCode nameZh nameEn kind usableFrom usableUntil } } } }
"""


async def make_template(stage: Stage, **more: Any) -> Any:
    receipt = await stage.admin.done("createCouponTemplate", **(FIVE_OFF | GOOD | more))
    return receipt["template"]


def coupon_of(template: Any) -> dict[str, Any]:
    """What a consumer gets per scan: a coupon."""
    return {"beneficiary": CONSUMER, "couponTemplateId": template["id"]}


async def wallet(caller: Caller, **which: Any) -> list[Any]:
    found = (await caller.ask(WALLET, **which))["me"]["coupons"]["nodes"]
    assert isinstance(found, list)
    return found


async def scan(caller: Caller, code: str, key: str = "once") -> Any:
    return (await caller.ask(SCAN, input={"code": code, "idempotencyKey": key}))["scanCode"]


async def rich(stage: Stage, phone: str, points: int = 1000) -> Caller:
    """A consumer with points from one scan."""
    await stage.publish([outcome(CONSUMER, points)])
    caller = await stage.member(phone)
    await scan(caller, await stage.code())
    return caller


# --- won by a scan -----------------------------------------------------------------------------


async def test_a_scan_wins_a_coupon_that_lies_in_the_wallet(stage: Stage) -> None:
    template = await make_template(stage)
    await stage.publish([coupon_of(template), outcome(GUIDE, 3)])
    alice, code = await stage.member(ALICE), await stage.code()

    receipt = await scan(alice, code)
    assert (receipt["unpaidReason"], receipt["rewards"]) == (None, [])
    [won] = receipt["coupons"]
    assert won["templateCode"] == "five" and won["kind"] == "AMOUNT_OFF"
    assert (won["nameZh"], won["nameEn"]) == ("五元券", "Five off")
    digits = won["code"].split(" ")
    assert [len(group) for group in digits] == [4] * 4 and "".join(digits).isdigit()

    [coupon] = await wallet(alice)
    assert {key: coupon[key] for key in ("id", "code", "usableFrom", "usableUntil")} == {
        key: won[key] for key in ("id", "code", "usableFrom", "usableUntil")
    }
    assert (coupon["status"], coupon["cause"], coupon["name"]) == ("ISSUED", "SCAN", "Five off")
    assert (coupon["amountOffFen"], coupon["spendMinFen"], coupon["payFen"]) == (500, 2000, None)

    again = await scan(alice, code)
    assert again == receipt | {"replayed": True}
    assert len(await wallet(alice)) == 1


async def test_a_wallet_shows_what_a_coupon_is_good_for(stage: Stage) -> None:
    where = {"code": "p1", "name": "东店", "address": "东街 1 号", "payoutThresholdFen": 1}
    place = (await stage.admin.done("createPlace", **where))["place"]["id"]
    pay_one = {"kind": "PAY_N", "payFen": 100, "productId": stage.product_id}
    limits = {"placeIds": [place], "productIds": [stage.product_id], "usableUntil": "2999-12-31"}
    wanted = {key: value for key, value in FIVE_OFF.items() if key != "kind"}
    receipt = await stage.admin.done("createCouponTemplate", **wanted, **pay_one, **limits)
    await stage.publish([coupon_of(receipt["template"])])
    alice = await stage.member(ALICE)
    await scan(alice, await stage.code())
    [coupon] = await wallet(alice)
    assert (coupon["kind"], coupon["payFen"], coupon["amountOffFen"]) == ("PAY_N", 100, None)
    assert coupon["product"] == {"sku": "SKU-1"} and coupon["products"] == [{"sku": "SKU-1"}]
    assert (coupon["placeIds"], coupon["usableUntil"]) == ([place], "2999-12-31")


async def test_out_of_stock_or_paused_is_no_budget_and_what_was_won_stays_good(
    stage: Stage,
) -> None:
    template = await make_template(stage, stockMax=2)
    await stage.publish([outcome(CONSUMER, 5), coupon_of(template)])
    alice = await stage.member(ALICE)
    [codes] = await stage.codes(4)

    async def status(wanted: str) -> None:
        changed = {"templateId": template["id"], "status": wanted}
        receipt = await stage.admin.done("setCouponTemplateStatus", **changed)
        assert receipt["template"]["status"] == wanted

    assert len((await scan(alice, codes[0], "1"))["coupons"]) == 1
    await status("PAUSED")
    paused = await scan(alice, codes[1], "2")
    assert (paused["unpaidReason"], paused["rewards"], paused["coupons"]) == ("BUDGET", [], [])
    assert [coupon["status"] for coupon in await wallet(alice)] == ["ISSUED"]
    await status("ACTIVE")
    assert len((await scan(alice, codes[2], "3"))["coupons"]) == 1
    assert (await scan(alice, codes[3], "4"))["unpaidReason"] == "BUDGET"
    assert await alice.balances() == {"POINTS": (10, 0)}
    listed = await stage.admin.ask("{ couponTemplates { nodes { code issued stockMax } } }")
    assert listed["couponTemplates"]["nodes"] == [{"code": "five", "issued": 2, "stockMax": 2}]


async def test_a_campaign_names_a_coupon_or_an_amount(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    template = await make_template(stage)
    stranger = await open_stage(api, db, settings, "others")
    foreign = await make_template(stranger)
    good = coupon_of(template)
    words = {"code": "scan", "nameZh": "扫码", "nameEn": "Scan"}

    for given, path in (
        (good | {"asset": "POINTS"}, "outcomes[0].couponTemplateId"),
        (good | {"amount": 1}, "outcomes[0].couponTemplateId"),
        (good | {"basis": "PER_CURRENCY_UNIT"}, "outcomes[0].basis"),
        (good | {"beneficiary": GUIDE}, "outcomes"),
        ({"beneficiary": CONSUMER, "amount": 1}, "outcomes[0].asset"),
        ({"beneficiary": CONSUMER, "asset": "POINTS"}, "outcomes[0].amount"),
    ):
        refused = await stage.admin.do("publishCampaign", **words, outcomes=[given])
        assert (refused["code"], refused["details"]["field"]) == ("INVALID_INPUT", path)
    refused = await stage.admin.do("publishCampaign", **words, outcomes=[good, good])
    assert refused["details"]["field"] == "outcomes[1]"
    bonus = {"outcomes": [good], "bonus": {"group": "more"}}
    refused = await stage.admin.do("publishCampaign", **words | bonus)
    assert refused["details"]["field"] == "outcomes[0].couponTemplateId"
    for unknown in (foreign["id"], stage.product_id, stage.unknown_id("CouponTemplate")):
        outcomes = [good | {"couponTemplateId": unknown}]
        refused = await stage.admin.do("publishCampaign", **words, outcomes=outcomes)
        assert (refused["code"], refused["details"]) == ("NOT_FOUND", {"noun": "coupon template"})

    await stage.publish([outcome(GUIDE, 3), good])
    listed = await stage.admin.ask(
        "{ campaigns(first: 1) { nodes { outcomes { beneficiary asset amount }"
        " couponOutcomes { beneficiary template { id code } } } } }"
    )
    [campaign] = listed["campaigns"]["nodes"]
    assert campaign["outcomes"] == [{"beneficiary": GUIDE, "asset": "POINTS", "amount": 3}]
    named = {"id": template["id"], "code": "five"}
    assert campaign["couponOutcomes"] == [{"beneficiary": CONSUMER, "template": named}]


# --- bought for points -------------------------------------------------------------------------


async def test_points_buy_what_is_on_offer_once_per_key(stage: Stage, db: Database) -> None:
    offered = await make_template(stage, code="cheap", pointsPrice=300, boughtPerMemberMax=2)
    await make_template(stage, code="unpriced")
    await make_template(stage, code="past", pointsPrice=1, usableUntil="2020-01-01")
    paused = await make_template(stage, code="paused", pointsPrice=1)
    await stage.admin.done("setCouponTemplateStatus", templateId=paused["id"], status="PAUSED")
    last = await make_template(stage, code="last", pointsPrice=1, stockMax=1)
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)

    [newest, oldest] = (await alice.ask(OFFERS))["offers"]["nodes"]
    assert (newest["templateId"], newest["stockLeft"]) == (last["id"], 1)
    assert oldest == {
        "templateId": offered["id"],
        "templateCode": "cheap",
        "name": "Five off",
        "kind": "AMOUNT_OFF",
        "pointsPrice": 300,
        "boughtPerMemberMax": 2,
        "stockLeft": None,
    }

    wanted = {"templateId": offered["id"], "idempotencyKey": "mine"}
    first = await alice.done("buyCoupon", **wanted)
    points = {"asset": "POINTS", "balance": 700, "spendable": 700, "locked": 0}
    assert first["balances"] == [points]
    assert (first["coupon"]["status"], first["coupon"]["cause"]) == ("ISSUED", "BOUGHT")
    await alice.done("buyCoupon", templateId=offered["id"])
    assert await alice.done("buyCoupon", **wanted) == first | {"replayed": True}
    conflict = await alice.do("buyCoupon", templateId=last["id"], idempotencyKey="mine")
    assert conflict["code"] == "IDEMPOTENCY_CONFLICT"
    assert await alice.balances() == {"POINTS": (400, 0)}
    [spent, *_] = (await alice.me())["entries"]["nodes"]
    assert (spent["amount"], spent["kind"], spent["causeKind"]) == (-300, "SPEND", "OFFER")

    refused = await alice.do("buyCoupon", templateId=offered["id"])
    assert (refused["code"], refused["details"]) == ("MEMBER_LIMIT_REACHED", {"times_max": 2})
    assert (await alice.do("buyCoupon", templateId=paused["id"]))["code"] == "NOT_FOR_SALE"
    await bob.done("buyCoupon", templateId=last["id"])
    assert (await alice.do("buyCoupon", templateId=last["id"]))["code"] == "OUT_OF_STOCK"
    assert [offer["templateId"] for offer in (await alice.ask(OFFERS))["offers"]["nodes"]] == [
        offered["id"]
    ]
    poor = await stage.member("13800138003")
    refused = await poor.do("buyCoupon", templateId=offered["id"])
    assert refused["details"] == {"available": 0, "wanted": 300}
    assert await poor.me() is None

    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        events = OutboxEvent.__table__.c  # type: ignore[attr-defined]
        told = await connection.execute(
            select(events.id).where(
                events.brand_id == stage.brand_id, events.topic == "coupon.issued"
            )
        )
        assert len(told.all()) == 3


# --- who sees which ----------------------------------------------------------------------------


async def test_a_wallet_is_its_members_own_and_masked_to_operators(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    template = await make_template(stage, pointsPrice=10)
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)
    bought = [
        (await alice.done("buyCoupon", templateId=template["id"]))["coupon"]["id"] for _ in range(5)
    ]
    await bob.done("buyCoupon", templateId=template["id"])

    pages: list[Any] = []
    after, more = None, True
    while more:
        found = (await alice.ask(WALLET, first=2, after=after))["me"]["coupons"]
        pages.append([coupon["id"] for coupon in found["nodes"]])
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    assert pages == [bought[:2:-1], bought[2:0:-1], bought[:1]]

    async def void(operator: Caller, coupon_id: str) -> Any:
        return await operator.do("voidCoupon", couponId=coupon_id, reason="sold on")

    voided = await void(stage.admin, bought[0])
    assert voided["coupon"]["status"] == "VOID" and voided["coupon"]["endedAt"] is not None
    refused = await void(stage.admin, bought[0])
    assert (refused["code"], refused["details"]) == ("COUPON_NOT_USABLE", {"reason": "VOID"})
    assert [c["id"] for c in await wallet(alice, status="VOID")] == bought[:1]
    assert [c["id"] for c in await wallet(alice, status="ISSUED")] == bought[:0:-1]
    assert await wallet(alice, status="HELD") == await wallet(alice, status="EXPIRED") == []

    see = "query ($id: ID!) { node(id: $id) { ... on Coupon { code } } }"
    [own] = [c["code"] for c in await wallet(bob)]
    [bobs] = [c["id"] for c in await wallet(bob)]
    stranger = await open_stage(api, db, settings, "others")
    assert (await bob.ask(see, id=bobs))["node"] == {"code": own}
    for nobody in (alice, await stranger.member(BOB), stranger.admin):
        assert (await nobody.ask(see, id=bobs))["node"] is None
    assert (await void(stranger.admin, bobs))["details"] == {"noun": "coupon"}
    foreign = await (await stranger.member(BOB)).do("buyCoupon", templateId=template["id"])
    assert foreign["details"] == {"noun": "coupon template"}

    viewer = stage.operator(OperatorRole.VIEWER)
    assert (await viewer.ask(see, id=bobs))["node"] == {"code": f"**** **** **** {own[-4:]}"}
    nested = await viewer.ask(
        "{ members { nodes { coupons(first: 2) { nodes { id } pageInfo { hasNextPage } } } } }"
    )
    wallets = [member["coupons"] for member in nested["members"]["nodes"]]
    assert [[c["id"] for c in w["nodes"]] for w in wallets] == [[bobs], bought[:2:-1]]
    assert [w["pageInfo"]["hasNextPage"] for w in wallets] == [False, True]


GIVEN = "templateCode code status cause"
EVENTS_COUPONS = f"""query ($id: ID!) {{
  memberEvents(memberId: $id) {{ nodes {{ kind coupons {{ {GIVEN} }} }} }}
  purchases(memberId: $id) {{ nodes {{ coupons {{ {GIVEN} }} }} }} }}"""
NODES_COUPONS = f"""query ($id: ID!) {{ node(id: $id) {{
  ... on EarningEvent {{ coupons {{ {GIVEN} }} }}
  ... on Purchase {{ coupons {{ {GIVEN} }} }} }} }}"""


async def test_what_a_check_in_and_a_purchase_give_is_seen_by_whose_it_is_and_by_operators(
    stage: Stage,
) -> None:
    template = (await stage.admin.done("createCouponTemplate", **FIVE_OFF | GOOD))["template"]
    coupon = coupon_of(template)
    for event in ("CHECK_IN", "PURCHASE"):
        names = {"nameZh": "券", "nameEn": "Coupon", "code": event.replace("_", "-")}
        await stage.admin.done(
            "publishCampaign", **names, event=event, priority=9, outcomes=[coupon]
        )
    alice = await stage.member("13800138001")
    event = (await alice.done("checkIn"))["event"]
    assert (event["earned"], event["unpaidReason"]) == ([], None)
    sold = {"occurredAt": "2026-11-02T09:30:00+08:00", "quantity": 1, "source": "TILL"}
    bought = await stage.admin.done(
        "recordPurchase", purchaseRef="T-1", phone="13800138001", amountFen=990, **sold
    )
    causes = ("EVENT", "PURCHASE")
    for id, cause in zip((event["id"], bought["purchase"]["id"]), causes, strict=True):
        [own] = (await alice.ask(NODES_COUPONS, id=id))["node"]["coupons"]
        assert own["cause"] == cause and "*" not in own["code"]
    mine = await alice.ask("{ me { id coupons { nodes { cause templateCode } } } }")
    assert sorted(each["cause"] for each in mine["me"]["coupons"]["nodes"]) == list(causes)
    seen = await stage.admin.ask(EVENTS_COUPONS, id=mine["me"]["id"])
    for field, cause in zip(("memberEvents", "purchases"), causes, strict=True):
        [told] = [each for node in seen[field]["nodes"] for each in node["coupons"]]
        assert (told["cause"], told["status"]) == (cause, "ISSUED") and "*" in told["code"]
    bob = await stage.member("13800138002")
    assert (await bob.ask(NODES_COUPONS, id=bought["purchase"]["id"]))["node"] is None
    await stage.admin.done("returnPurchase", purchaseRef="T-1", returnRef="R-1", reason="broken")
    [void] = (await alice.ask(NODES_COUPONS, id=bought["purchase"]["id"]))["node"]["coupons"]
    assert void["status"] == "VOID"


async def test_a_coupon_that_waits_is_shown_and_is_in_the_wallet_once_it_waits_no_more(
    stage: Stage,
) -> None:
    template = await make_template(stage)
    lock = {"kind": "ACTION", "action": "follow", "lapsesAfter": "P30D"}
    waits = coupon_of(template) | {"lock": lock}
    names = {"nameZh": "签到", "nameEn": "Check-in", "code": "check-in"}
    await stage.admin.done("publishCampaign", **names, event="CHECK_IN", outcomes=[waits])
    listed = await stage.admin.ask(
        "{ campaigns(first: 1) { nodes { couponOutcomes { lock { kind action } } } } }"
    )
    [campaign] = listed["campaigns"]["nodes"]
    assert campaign["couponOutcomes"] == [{"lock": {"kind": "ACTION", "action": "follow"}}]
    alice = await stage.member("13800138001")
    assert (await alice.done("checkIn"))["event"]["unpaidReason"] is None
    mine = """{ me { id coupons { nodes { cause templateCode } }
        lockedRewards { nodes { asset amount couponName status lock { kind action } } } } }"""
    me = (await alice.ask(mine))["me"]
    told = {"asset": "COUPON", "amount": 1, "couponName": FIVE_OFF["nameEn"], "status": "LOCKED"}
    assert me["lockedRewards"]["nodes"] == [told | {"lock": {"kind": "ACTION", "action": "follow"}}]
    assert me["coupons"]["nodes"] == []
    await stage.admin.done("reportAction", memberId=me["id"], action="follow")
    me = (await alice.ask(mine))["me"]
    assert me["lockedRewards"]["nodes"][0]["status"] == "UNLOCKED"
    assert me["coupons"]["nodes"] == [{"cause": "LOCK", "templateCode": "five"}]
