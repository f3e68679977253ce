"""The points mall through GraphQL: what operators put into it, what it is to each member, what is
taken, and who sees which orders."""

from datetime import UTC, datetime, timedelta
from typing import Any

from graphql_schema.offers import list_mall
from graphql_schema.pagination import find_id_of
from loyalty.actor import Actor, ActorKind, OperatorRole
from loyalty.brands.service import get_brand
from loyalty.db import Database, Tx
from loyalty.settings import Settings
from rewards.offers.models import OfferKind
from rewards.offers.terms import OfferGives, Part
from tests.api import Api, Caller
from tests.brands_made import make_brand
from tests.graphql_schema.stage import CONSUMER, Stage, open_stage, outcome
from tests.rewards.coupons.wallets import add_template
from tests.rewards.offers.malls import FAR, Shopper, add_offer, add_shopper, set_rank
from tests.statement_log import statements_told

ALICE, BOB = "13800138001", "13800138002"
GIFT, CHANCES = {"kind": "GIFT"}, {"kind": "ASSET", "asset": "CHANCES", "amount": 3}
WHERE = "王小二 13800138000 人民路1号"

MALL = """
query ($first: Int, $after: String) { mall(first: $first, after: $after) { nodes {
  id code name kind stockLeft taken stockMax gives { asset amount } templateCode
  mine { price { asset amount } fee { asset amount } canAfford missing { asset amount } timesLeft }
} pageInfo { hasNextPage endCursor } } }
"""
ORDERS = """
query ($status: OrderStatus) { offerOrders(status: $status) { nodes {
  id status delivery memberId offer { code taken } } } }
"""
MY_ORDERS = "{ me { orders { nodes { id status delivery offer { code taken } } } } }"


def points(amount: int, rank: int = 0) -> dict[str, Any]:
    """A price."""
    return {"rankMin": rank, "parts": [{"asset": "POINTS", "amount": amount}]}


def terms(*prices: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A hundred points, unless told otherwise."""
    return {"nameZh": "茶杯", "nameEn": "A cup", "prices": prices or [points(100)], **more}


async def put(stage: Stage, code: str, *prices: Any, gives: Any = GIFT, **more: Any) -> Any:
    """A new offer."""
    said = {"code": code, "gives": gives, "terms": terms(*prices, **more)}
    return (await stage.admin.done("createOffer", **said))["offer"]


async def rich(stage: Stage, phone: str) -> Caller:
    """A consumer with a thousand points and two yuan."""
    await stage.publish([outcome(CONSUMER, 1000), outcome(CONSUMER, 200, "CASH")])
    caller = await stage.member(phone)
    await caller.done("scanCode", code=await stage.code())
    return caller


async def mall(caller: Caller, **page: Any) -> list[Any]:
    found = (await caller.ask(MALL, **page))["mall"]["nodes"]
    assert isinstance(found, list)
    return found


async def lift(stage: Stage, db: Database, caller: Caller, rank: int) -> None:
    """Raise a consumer to a rank."""
    member_id = find_id_of("Member", (await caller.me())["id"])
    assert member_id is not None
    async with db.snapshot() as snapshot:
        brand = await get_brand(snapshot, stage.brand_id)
    shopper = Shopper(Actor(ActorKind.MEMBER, brand.id, member_id, CONSUMER), member_id)
    await db.in_transaction(set_rank, brand, shopper, rank)


async def test_an_operator_says_what_an_offer_is_and_changes_its_terms(stage: Stage) -> None:
    made = await put(
        stage,
        "cup",
        points(500),
        {"rankMin": 2, "parts": []},
        fee={"asset": "CASH", "amount": 600},
        stockMax=5,
        limits=[{"window": "MONTH", "timesMax": 1}, {"window": "ALL", "timesMax": 9, "rankMin": 1}],
        pictureUrl="https://example.com/cup.jpg",
        opensAt="2026-12-01T10:00:00+08:00",
        earlyHours=24,
        earlyRankMin=1,
    )
    assert made["prices"] == [points(500), {"rankMin": 2, "parts": []}]
    assert made["fee"] == {"asset": "CASH", "amount": 600}
    assert made["limits"] == [
        {"window": "MONTH", "rankMin": 0, "timesMax": 1},
        {"window": "ALL", "rankMin": 1, "timesMax": 9},
    ]
    assert (made["taken"], made["stockMax"], made["status"]) == (0, 5, "ACTIVE")
    assert datetime.fromisoformat(made["opensAt"]) == datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert (made["earlyHours"], made["earlyRankMin"]) == (24, 1)

    new = {"offerId": made["id"], "terms": terms(), "status": "PAUSED"}
    changed = (await stage.admin.done("updateOffer", **new))["offer"]
    assert (changed["stockMax"], changed["limits"], changed["status"]) == (None, [], "PAUSED")
    bad = terms(points(0))
    for refused in (
        await stage.admin.do("createOffer", code="hat", gives=GIFT, terms=bad),
        await stage.admin.do("updateOffer", **{**new, "terms": bad}),
    ):
        assert refused["details"]["field"] == "terms.prices[0].parts[0].amount"
    taken = await stage.admin.do("createOffer", code="cup", gives=GIFT, terms=terms())
    assert taken["code"] == "ALREADY_EXISTS"
    viewer = stage.operator(OperatorRole.VIEWER)
    listed = await viewer.ask("{ mallOffers { nodes { code taken mine { timesLeft } } } }")
    assert listed["mallOffers"]["nodes"] == [{"code": "cup", "taken": 0, "mine": None}]


async def test_the_mall_is_what_this_member_may_take_now(stage: Stage, db: Database) -> None:
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)
    await lift(stage, db, bob, 1)
    soon = (datetime.now(UTC) + timedelta(hours=10)).isoformat()
    await put(stage, "paused")
    paused = {"offerId": (await put(stage, "idle"))["id"], "terms": terms(), "status": "PAUSED"}
    await stage.admin.done("updateOffer", **paused)
    cash = {"rankMin": 0, "parts": [*points(1400)["parts"], {"asset": "CASH", "amount": 90}]}
    cup = await put(
        stage,
        "cup",
        cash,
        points(900, 1),
        fee={"asset": "CASH", "amount": 150},
        limits=[{"window": "ALL", "timesMax": 2}, {"window": "DAY", "timesMax": 5, "rankMin": 1}],
        stockMax=7,
        perDayMax=3,
    )
    await put(stage, "golden", rankMin=1)
    await put(stage, "early", opensAt=soon, earlyHours=12, earlyRankMin=1)
    await put(stage, "later", startsAt=soon)
    await put(stage, "over", endsAt="2020-01-01T00:00:00Z")
    sold = await put(stage, "sold", gives=CHANCES, stockMax=1)
    await bob.done("redeemOffer", offerId=sold["id"])

    [seen, *rest] = await mall(alice)
    assert [offer["code"] for offer in rest] == ["paused"]
    assert seen == {
        "id": cup["id"],
        "code": "cup",
        "name": "A cup",
        "kind": "GIFT",
        "stockLeft": 3,
        "taken": None,
        "stockMax": None,
        "gives": None,
        "templateCode": None,
        "mine": {
            "price": cash["parts"],
            "fee": {"asset": "CASH", "amount": 150},
            "canAfford": False,
            "missing": [{"asset": "POINTS", "amount": 400}, {"asset": "CASH", "amount": 40}],
            "timesLeft": 2,
        },
    }
    assert [offer["code"] for offer in await mall(bob)] == ["early", "golden", "cup", "paused"]
    [_, _, bobs, _] = await mall(bob)
    assert (bobs["mine"]["price"], bobs["mine"]["canAfford"]) == (points(900)["parts"], True)
    await bob.done("redeemOffer", offerId=cup["id"])
    [_, _, bobs, _] = await mall(bob)
    assert (bobs["mine"]["timesLeft"], bobs["stockLeft"]) == (1, 2)
    assert bobs["mine"]["missing"] == [
        {"asset": "POINTS", "amount": 900},
        {"asset": "CASH", "amount": 100},
    ]


async def test_the_mall_is_paged_and_its_offers_are_found_by_whoever_may_take_them(
    stage: Stage,
) -> None:
    alice = await rich(stage, ALICE)
    offers = [await put(stage, f"cup-{n}", points(100 * n)) for n in range(1, 4)]
    golden = await put(stage, "golden", rankMin=1)
    newcomer = await stage.member("13800138003")
    assert [offer["mine"]["missing"][0]["amount"] for offer in await mall(newcomer)] == [
        *(300, 200, 100)
    ]
    assert await newcomer.me() is None

    first = (await alice.ask(MALL, first=2))["mall"]
    assert first["pageInfo"]["hasNextPage"]
    rest = await mall(alice, first=2, after=first["pageInfo"]["endCursor"])
    assert [offer["code"] for offer in (*first["nodes"], *rest)] == ["cup-3", "cup-2", "cup-1"]
    see = "query ($id: ID!) { node(id: $id) { ... on MallOffer { code } } }"
    assert (await alice.ask(see, id=offers[0]["id"]))["node"] == {"code": "cup-1"}
    guide = await stage.guide("13900139001")
    assert (await alice.ask(see, id=golden["id"]))["node"] == {"code": "golden"}
    assert (await guide.ask(see, id=offers[0]["id"]))["node"] is None
    paused = {"offerId": golden["id"], "terms": terms(rankMin=1), "status": "PAUSED"}
    await stage.admin.done("updateOffer", **paused)
    assert (await alice.ask(see, id=golden["id"]))["node"] is None
    assert (await guide.send(MALL)).codes == ["FORBIDDEN"]


async def test_what_is_taken_is_paid_given_and_remembered_by_its_key(stage: Stage) -> None:
    alice = await rich(stage, ALICE)
    template = {"code": "five", "nameZh": "五元券", "nameEn": "Five off", "kind": "AMOUNT_OFF"}
    made = await stage.admin.done(
        "createCouponTemplate", **template, amountOffFen=500, usableDays=30
    )
    gives = {"kind": "COUPON", "templateId": made["template"]["id"]}
    offer = await put(stage, "five", points(300), gives=gives)
    assert offer["templateCode"] == "five"
    wanted = {"offerId": offer["id"], "quantity": 2, "idempotencyKey": "mine"}
    first = await alice.done("redeemOffer", **wanted)
    assert first["order"]["parts"] == [{"purpose": "PRICE", "asset": "POINTS", "amount": 600}]
    assert (first["order"]["status"], first["order"]["offer"]["name"]) == ("FULFILLED", "A cup")
    assert [coupon["cause"] for coupon in first["coupons"]] == ["ORDER", "ORDER"]
    assert {b["asset"]: b["balance"] for b in first["balances"]} == {"POINTS": 400, "CASH": 200}
    assert await alice.done("redeemOffer", **wanted) == first | {"replayed": True}
    other = await alice.do("redeemOffer", **{**wanted, "quantity": 1})
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert {c["id"] for c in await alice.wallet()} == {c["id"] for c in first["coupons"]}
    [spent, *_] = (await alice.me())["entries"]["nodes"]
    assert (spent["amount"], spent["kind"], spent["causeKind"]) == (-600, "SPEND", "ORDER")

    refused = await alice.do("redeemOffer", offerId=offer["id"], quantity=2)
    assert (refused["code"], refused["details"]["asset"]) == ("INSUFFICIENT_BALANCE", "POINTS")
    lucky = await put(stage, "lucky", points(400), gives=CHANCES)
    given = await alice.done("redeemOffer", offerId=lucky["id"])
    assert given["order"]["parts"][1] == {"purpose": "GIVEN", "asset": "CHANCES", "amount": 3}
    assert (await alice.balances())["CHANCES"] == (3, 0)


async def test_a_gift_goes_where_its_member_says_and_nobody_else_reads_it(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    alice, bob = await rich(stage, ALICE), await rich(stage, BOB)
    offer = await put(stage, "cup", fee={"asset": "CASH", "amount": 60})
    orders = [
        (await alice.done("redeemOffer", offerId=offer["id"], delivery=WHERE))["order"]["id"]
        for _ in range(3)
    ]
    bobs = (await bob.done("redeemOffer", offerId=offer["id"]))["order"]["id"]
    mine = (await alice.ask(MY_ORDERS))["me"]["orders"]["nodes"]
    assert [order["id"] for order in mine] == orders[::-1]
    assert mine[0]["delivery"] == WHERE
    assert mine[0]["offer"] == {"code": "cup", "taken": None}

    async def seen(role: OperatorRole, **which: Any) -> list[Any]:
        found = (await stage.operator(role).ask(ORDERS, **which))["offerOrders"]["nodes"]
        assert isinstance(found, list)
        return found

    marketers = await seen(OperatorRole.MARKETER)
    assert [order["delivery"] for order in marketers] == [None, WHERE, WHERE, WHERE]
    assert marketers[0]["offer"] == {"code": "cup", "taken": 4}
    for role in (OperatorRole.VIEWER, OperatorRole.FINANCE):
        assert {order["delivery"] for order in await seen(role)} == {None, "王****"}

    sent = {"orderId": orders[0], "carrier": "顺丰", "trackingNumber": "SF1"}
    for nobody in (alice, stage.operator(OperatorRole.VIEWER)):
        variables = {"input": {**sent, "idempotencyKey": "k"}}
        reply = await nobody.send(
            "mutation ($input: FulfilOrderInput!) { fulfilOrder(input: $input) { __typename } }",
            variables,
        )
        assert reply.codes == ["FORBIDDEN"]
    done = (await stage.admin.done("fulfilOrder", **sent))["order"]
    assert (done["status"], done["carrier"]) == ("FULFILLED", "顺丰")
    back = {"orderId": orders[1], "reason": "缺货", "idempotencyKey": "back"}
    admin = stage.admin
    undone = await admin.done("cancelOrder", **back)
    assert (undone["order"]["status"], undone["order"]["reason"]) == ("CANCELLED", "缺货")
    assert await admin.done("cancelOrder", **back) == undone | {"replayed": True}
    refused = await stage.admin.do("cancelOrder", orderId=orders[0], reason="late")
    assert refused["details"] == {"status": "FULFILLED", "wanted": "CANCELLED"}
    assert await alice.balances() == {"POINTS": (800, 0), "CASH": (80, 0)}
    waiting = await seen(OperatorRole.ADMIN, status="PLACED")
    assert [order["id"] for order in waiting] == [bobs, orders[2]]

    see = "query ($id: ID!) { node(id: $id) { ... on OfferOrder { delivery } } }"
    assert (await alice.ask(see, id=orders[0]))["node"] == {"delivery": WHERE}
    stranger = await open_stage(api, db, settings, "others")
    for caller in (bob, await stranger.member(ALICE), stranger.admin):
        assert (await caller.ask(see, id=orders[0]))["node"] is None
    for verb, more in (("fulfilOrder", {}), ("cancelOrder", {"reason": "x"})):
        foreign = await stranger.admin.do(verb, orderId=orders[2], **more)
        assert foreign["details"] == {"noun": "order"}
    foreign = await (await stranger.member(BOB)).do("redeemOffer", offerId=offer["id"])
    assert foreign["details"] == {"noun": "offer"}


async def test_a_longer_mall_is_read_by_as_many_statements(db: Database) -> None:
    brand = await db.in_transaction(make_brand, "wide-mall")
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 100}})

    async def fill(tx: Tx, count: int) -> None:
        for _ in range(count):
            template = await add_template(tx, brand, stock_max=5)
            coupon = OfferGives(OfferKind.COUPON, template_id=template.id)
            chances = OfferGives(OfferKind.ASSET, asset="CHANCES", amount=1)
            for gives in (coupon, chances, OfferGives(OfferKind.GIFT)):
                await add_offer(tx, brand, gives, per_day_max=9, fee=Part("CASH", 1))

    async def told(tx: Tx, only_open: bool) -> tuple[int, int]:
        async with statements_told(tx) as told:
            views = await list_mall(
                tx, shopper.actor, brand.timezone, only_open=only_open, limit=100
            )
        return len(views), len(told)

    before = [await db.in_transaction(told, only_open) for only_open in (True, False)]
    await db.in_transaction(fill, 1)
    few = [await db.in_transaction(told, only_open) for only_open in (True, False)]
    await db.in_transaction(fill, 9)
    many = [await db.in_transaction(told, only_open) for only_open in (True, False)]
    assert [count for count, _ in (*before, *few, *many)] == [0, 0, 3, 3, 30, 30]
    [statements] = {statements for _, statements in (*few, *many)}
    assert statements <= 9
