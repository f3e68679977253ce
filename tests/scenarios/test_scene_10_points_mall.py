"""Scene 10: points buy own coupons, gifts and chances; what is refused writes nothing; and the
statement traces every point.

Coupons of partners come with alliances. The last piece under any load: ``tests/races``.
"""

import csv
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

from tests.api import Caller
from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.shop import GROWTH, POINTS, Shop, outcome

CHANCES = "CHANCES"
WHERE = "王小二 13800138000 人民路1号"
TODAY = date(next_year(), 3, 9)
SILVER_ONLY = {
    "rank_min": 1,
    "level_min_zh": "银卡会员",
    "level_min_en": "Silver",
    "rank": 0,
    "level_zh": "普通会员",
    "level_en": "Basic",
}
GOOD_DAYS = 20
LASTING, PASSING = 1_000, 600
"""What a bottle is worth: of the first two years, of the later ones some days."""

MALL = """
{ mall { nodes { id code name kind stockLeft gives { asset amount } templateCode rankMin
  mine { price { asset amount } canAfford missing { asset amount } timesLeft } } } }
"""
MINE = """
{ me { balances { asset balance spendable locked } entries(first: 100) { nodes { id } }
  orders { nodes { id status reason carrier trackingNumber delivery quantity
    offer { code name } parts { purpose asset amount } } }
  coupons { nodes { id status } } } }
"""
TAKEN = "{ mallOffers { nodes { code taken } } couponTemplates { nodes { code issued } } }"
STATEMENT = """
query ($at: DateTime!, $days: Int!) { me {
  entries(asset: POINTS, kinds: [SPEND, REVERSE]) { nodes { amount kind causeKind reason } }
  explain(asset: POINTS) { nodes { amount granted kind causeKind expiresOn
    scan { product { sku } } campaign { code version } } }
  chances: explain(asset: CHANCES) { nodes { amount kind causeKind } }
  expiringLots(withinDays: $days) { nodes { asset expiresOn remaining } }
  balancesAt(at: $at, asset: POINTS) { balance } } }
"""
ORDERS = """
query ($status: OrderStatus) { offerOrders(status: $status) { nodes {
  id status quantity delivery memberId offer { code } } } }
"""


def points(amount: int, rank_min: int = 0) -> dict[str, Any]:
    """A price, from a rank up."""
    return {"rankMin": rank_min, "parts": [{"asset": POINTS, "amount": amount}]}


def at_most(times_max: int, window: str = "ALL", rank_min: int = 0) -> dict[str, Any]:
    """A limit of a member, from a rank up."""
    return {"window": window, "timesMax": times_max, "rankMin": rank_min}


async def put(shop: Shop, code: str, name: str, gives: Any, price: Any, **more: Any) -> None:
    """An offer into the mall."""
    prices = price if isinstance(price, list) else [price]
    terms = {"nameZh": name, "nameEn": code.title(), "prices": prices} | more
    await shop.admin.done("createOffer", code=code, gives=gives, terms=terms)


async def fill_the_mall(shop: Shop) -> None:
    template_id = await shop.template(
        "five-off",
        "AMOUNT_OFF",
        nameZh="五元券",
        nameEn="Five off",
        amountOffFen=500,
        productId=None,
        stockMax=2,
    )
    gift, chances = {"kind": "GIFT"}, {"kind": "ASSET", "asset": "CHANCES", "amount": 3}
    coupon = {"kind": "COUPON", "templateId": template_id}
    await put(shop, "five", "五元券", coupon, points(300), limits=[at_most(2)])
    await put(
        shop,
        "cup",
        "茶杯",
        gift,
        [points(500), points(400, 1)],
        stockMax=2,
        limits=[at_most(1), at_most(2, rank_min=1)],
    )
    await put(
        shop, "draw", "抽奖三次", chances, points(100), perDayMax=3, limits=[at_most(2, "DAY")]
    )
    await put(shop, "lamp", "台灯", gift, points(10), rankMin=1)
    await put(shop, "tent", "帐篷", gift, points(10), opensAt="2999-01-01T10:00:00+08:00")


async def rich(shop: Shop, phone: str, codes: list[str]) -> Caller:
    """A consumer who has scanned these."""
    caller = await shop.person(phone)
    for code in codes:
        await caller.done("scanCode", code=code)
    return caller


async def offers(caller: Caller) -> dict[str, Any]:
    """What the mall shows to a member, by code."""
    return {offer["code"]: offer for offer in (await caller.ask(MALL))["mall"]["nodes"]}


async def mine(caller: Caller) -> Any:
    return (await caller.ask(MINE))["me"]


async def test_points_buy_what_there_is_and_the_statement_tells_it(
    dated_shop: Shop, days: CalendarDays
) -> None:
    shop = dated_shop
    await shop.publish([outcome("CONSUMER", POINTS, LASTING), outcome("CONSUMER", GROWTH, 60)])
    await fill_the_mall(shop)
    [codes] = await shop.print_codes(4, "INNER")
    await days.go_to(TODAY)
    ann = await rich(shop, "13800138001", codes[:1])
    bob = await rich(shop, "13800138002", codes[1:3])
    earned_by = days.now()
    seen, bobs = await offers(ann), await offers(bob)
    assert seen.keys() == {"five", "cup", "draw"}
    assert bobs.keys() == {"five", "cup", "draw", "lamp"}, "a silver member sees more"
    assert seen["cup"]["mine"]["price"] == [{"asset": POINTS, "amount": 500}]
    assert bobs["cup"]["mine"]["price"] == [{"asset": POINTS, "amount": 400}]

    await buy_a_coupon(ann, seen["five"]["id"])
    await earn_what_passes(shop, ann, codes[3])
    await buy_chances(ann, seen["draw"]["id"])
    order = await ann.done("redeemOffer", offerId=seen["cup"]["id"], delivery=WHERE)
    assert order["order"]["status"] == "PLACED"
    assert (await ann.balances())[POINTS] == (LASTING + PASSING - 1_000, 0)

    await be_refused(shop, ann, bobs["lamp"]["id"])
    for code in ("five", "cup", "draw"):
        await bob.done("redeemOffer", offerId=seen[code]["id"])
        refused = await refused_without_a_trace(shop, bob, offerId=seen[code]["id"])
        assert refused["code"] == "OUT_OF_STOCK", code
    left = {code: offer["stockLeft"] for code, offer in (await offers(bob)).items()}
    assert left == {"lamp": None, "draw": 0}, "sold out for good, or for today"

    await fulfil_and_cancel(shop, ann, bob)
    await read_the_statement(ann, earned_by)
    await download_it(ann, bob)
    await read_the_books(shop)
    assert (await shop.host.run("audit"))["broken"] == 0


async def buy_a_coupon(ann: Caller, offer_id: str) -> None:
    """Also when the finger slips: twice under one key is once."""
    tapped = {"offerId": offer_id, "idempotencyKey": "tap"}
    receipt = await ann.done("redeemOffer", **tapped)
    assert await ann.done("redeemOffer", **tapped) == receipt | {"replayed": True}
    assert receipt["order"]["parts"] == [{"purpose": "PRICE", "asset": POINTS, "amount": 300}]
    assert [each["templateCode"] for each in receipt["coupons"]] == ["five-off"]
    [held] = await ann.wallet("ISSUED")
    assert (held["id"], held["cause"]) == (receipt["coupons"][0]["id"], "ORDER")


async def earn_what_passes(shop: Shop, ann: Caller, code: str) -> None:
    """From today on points are good for some days only; what members have keeps its date."""
    policy = {"kind": "AFTER", "unit": "DAY", "count": GOOD_DAYS}
    await shop.admin.done("configureAsset", code=POINTS, expiry=policy, status="ACTIVE")
    await shop.publish([outcome("CONSUMER", POINTS, PASSING)])
    await ann.done("scanCode", code=code)


async def buy_chances(ann: Caller, offer_id: str) -> None:
    receipt = await ann.done("redeemOffer", offerId=offer_id, quantity=2)
    assert receipt["order"]["parts"] == [
        {"purpose": "PRICE", "asset": POINTS, "amount": 200},
        {"purpose": "GIVEN", "asset": CHANCES, "amount": 6},
    ]
    assert (await ann.balances())[CHANCES] == (6, 0)


async def refused_without_a_trace(shop: Shop, member: Caller, **order: Any) -> Any:
    """The Refused; what the member and the operator see is as it was."""
    before = await mine(member), await offers(member), await shop.admin.ask(TAKEN)
    refused = await member.do("redeemOffer", **order)
    assert refused["__typename"] == "Refused"
    assert (await mine(member), await offers(member), await shop.admin.ask(TAKEN)) == before
    return refused


async def be_refused(shop: Shop, ann: Caller, lamp_id: str) -> None:
    """Each for a reason of its own, which tells the page what to say."""
    listed = (await shop.admin.ask("{ mallOffers { nodes { id code } } }"))["mallOffers"]["nodes"]
    ids = {offer["code"]: offer["id"] for offer in listed}
    assert ids["lamp"] == lamp_id
    for code, why, details in (
        ("lamp", "RANK_TOO_LOW", SILVER_ONLY),
        ("tent", "NOT_OPEN_YET", {"opens_at": "2999-01-01T10:00:00+08:00"}),
        ("cup", "MEMBER_LIMIT_REACHED", {"times_max": 1, "window": "ALL"}),
        ("draw", "MEMBER_LIMIT_REACHED", {"times_max": 2, "window": "DAY"}),
    ):
        refused = await refused_without_a_trace(shop, ann, offerId=ids[code])
        assert (refused["code"], refused["details"]) == (why, details)
    dear = {"price": points(10_000), "gives": {"kind": "GIFT"}}
    await put(shop, "boat", "小船", **dear)
    boat = (await offers(ann))["boat"]
    assert (boat["mine"]["canAfford"], boat["mine"]["timesLeft"]) == (False, None)
    assert boat["mine"]["missing"] == [{"asset": POINTS, "amount": 9_400}]
    refused = await refused_without_a_trace(shop, ann, offerId=boat["id"])
    assert refused["code"] == "INSUFFICIENT_BALANCE"
    assert refused["details"] == {"asset": POINTS, "available": 600, "wanted": 10_000}
    terms = {"nameZh": "小船", "nameEn": "Boat", "prices": [points(1)]}
    await shop.admin.done("updateOffer", offerId=boat["id"], terms=terms, status="PAUSED")
    refused = await refused_without_a_trace(shop, ann, offerId=boat["id"])
    assert refused["code"] == "NOT_FOR_SALE"


async def fulfil_and_cancel(shop: Shop, ann: Caller, bob: Caller) -> None:
    """One gift is sent; the other cannot be, and all of it is undone."""
    placed = (await shop.admin.ask(ORDERS, status="PLACED"))["offerOrders"]["nodes"]
    assert [(order["offer"]["code"], order["delivery"]) for order in placed] == [
        *[("cup", None), ("cup", WHERE)]
    ]
    bobs, anns = (order["id"] for order in placed)
    await shop.admin.done("fulfilOrder", orderId=bobs, carrier="顺丰", trackingNumber="SF1")
    sent = next(order for order in (await mine(bob))["orders"]["nodes"] if order["id"] == bobs)
    assert (sent["status"], sent["carrier"], sent["trackingNumber"]) == ("FULFILLED", "顺丰", "SF1")

    await shop.admin.done("cancelOrder", orderId=anns, reason="缺货")
    told = (await mine(ann))["orders"]["nodes"]
    assert [(each["offer"]["code"], each["status"], each["reason"]) for each in told] == [
        *[("cup", "CANCELLED", "缺货"), ("draw", "FULFILLED", None), ("five", "FULFILLED", None)]
    ]
    cup = (await offers(ann))["cup"]
    assert (cup["stockLeft"], cup["mine"]["timesLeft"]) == (1, 1), "back on the shelf, and hers"
    for order_id, status in ((anns, "CANCELLED"), (bobs, "FULFILLED")):
        refused = await shop.admin.do("cancelOrder", orderId=order_id, reason="再来")
        assert refused["code"] == "ORDER_STATE_WRONG"
        assert refused["details"] == {"status": status, "wanted": "CANCELLED"}


async def read_the_statement(ann: Caller, earned_by: datetime) -> None:
    """What passes soonest was spent first, and what was given back has the dates it had."""
    me = (await ann.ask(STATEMENT, at=earned_by.isoformat(), days=30))["me"]
    entries = [
        (entry["amount"], entry["kind"], entry["reason"]) for entry in me["entries"]["nodes"]
    ]
    back, cup, rest = entries[:2], entries[2:4], entries[4:]
    assert sorted(back) == [(100, "REVERSE", "缺货"), (400, "REVERSE", "缺货")]
    assert sorted(cup) == [(-400, "SPEND", "offer cup"), (-100, "SPEND", "offer cup")]
    assert rest == [(-200, "SPEND", "offer draw"), (-300, "SPEND", "offer five")]
    assert {entry["causeKind"] for entry in me["entries"]["nodes"]} == {"ORDER"}
    assert me["balancesAt"] == [{"balance": LASTING}]

    soon = (TODAY + timedelta(days=GOOD_DAYS)).isoformat()
    assert me["expiringLots"]["nodes"] == [{"asset": POINTS, "expiresOn": soon, "remaining": 400}]
    passing, lasting = me["explain"]["nodes"]
    assert (passing["amount"], passing["granted"], passing["expiresOn"]) == (400, PASSING, soon)
    assert (lasting["amount"], lasting["granted"]) == (700, LASTING)
    assert lasting["expiresOn"] == TODAY.replace(year=TODAY.year + 2).isoformat()
    for version, part in ((2, passing), (1, lasting)):
        assert (part["kind"], part["causeKind"]) == ("EARN", "SCAN")
        assert part["campaign"] == {"code": "scan", "version": version}
        assert part["scan"]["product"]["sku"] == "BEER-500"
    assert me["chances"]["nodes"] == [{"amount": 6, "kind": "EARN", "causeKind": "ORDER"}]


async def download_it(ann: Caller, bob: Caller) -> None:
    """As a file, which adds up; nobody else's."""
    get = ann.api.client.get
    file = "/downloads/statement.csv"
    headers = {"authorization": f"Bearer {ann.token}"}
    reply = await get(file, params={"asset": POINTS}, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    *rows, closing = csv.DictReader(StringIO(reply.content.decode("utf-8-sig")))
    assert (closing["kind"], closing["balance"]) == ("CLOSING", "1100")
    assert [row["kind"] for row in rows] == [
        "EARN",
        "SPEND",
        "EARN",
        *["SPEND"] * 3,
        *["REVERSE"] * 2,
    ]
    assert sum(int(row["amount"]) for row in rows) == 1_100
    anns = {"member": (await ann.me())["id"]}
    foreign = await get(file, params=anns, headers={"authorization": f"Bearer {bob.token}"})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "NOT_FOUND")
    assert (await get(file)).status_code == 401


async def read_the_books(shop: Shop) -> None:
    """issued = spent + expired + reversed + outstanding."""
    asked = "{ books { asset issued spent expired reversed outstanding } }"
    [book] = [each for each in (await shop.admin.ask(asked))["books"] if each["asset"] == POINTS]
    spent = 300 + 200 + 800
    issued = 3 * LASTING + PASSING
    assert (book["issued"], book["spent"], book["outstanding"]) == (issued, spent, issued - spent)
    assert (book["expired"], book["reversed"]) == (0, 0)
