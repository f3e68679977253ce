"""Scene 3: a first scan pays and leaves a red packet that is locked until a named thing happens,
and lost otherwise.

What may unlock it: the member's next paid scan, the item's inner scan (of what a guide has sold),
an action that is reported (a follow), a day, the end of a return window, the kth bottle of a box.
"""

from datetime import date, time
from typing import Any

from tests.api import Caller
from tests.scenarios.calendar_days import CalendarDays, next_year
from tests.scenarios.shop import POINTS, Shop, eventually, outcome

CASH = "CASH"
PACKET_FEN, FOLLOW_FEN, BACK_FEN = 500, 88, 300
EACH_FEN = PACKET_FEN + FOLLOW_FEN
YEAR = next_year()
GRANTED_ON, OPENS_ON, LAPSED_ON = (date(YEAR, 1, day) for day in (5, 11, 12))

ME = """
{ me { id balances { asset balance spendable locked }
       explain(asset: POINTS) { nodes { amount locked expiresOn } }
       lockedRewards { nodes { id asset amount status endedAt
         lock { kind stillToCome action unlocksAt lapsesAt condition } } } } }
"""
SCAN = """
mutation ($input: ScanCodeInput!) { scanCode(input: $input) { ... on ScanCodeReceipt {
  unpaidReason rewards { asset amount locked lock { kind stillToCome condition } } } } }
"""
BUDGETS = "{ campaigns { nodes { code budgets { asset allowed spent reserved } } } }"


def locked(kind: str, asset: str, amount: int, **lock: Any) -> dict[str, Any]:
    """What the consumer gets once this has happened."""
    return outcome("CONSUMER", asset, amount) | {"lock": {"kind": kind, **lock}}


async def red_packets(caller: Caller) -> tuple[int, int, int]:
    """(balance, spendable, locked) in fen."""
    me = (await caller.ask(ME))["me"]
    [cash] = [each for each in me["balances"] if each["asset"] == CASH]
    return cash["balance"], cash["spendable"], cash["locked"]


async def rewards(caller: Caller) -> list[tuple[str, int, str]]:
    """What the caller was granted behind a lock: (kind, amount, status), oldest first."""
    nodes = (await caller.ask(ME))["me"]["lockedRewards"]["nodes"]
    return [(node["lock"]["kind"], node["amount"], node["status"]) for node in reversed(nodes)]


async def lapsed(caller: Caller) -> list[str]:
    """When each of the caller's lost rewards ended: at its own time, not at the worker's."""
    nodes = (await caller.ask(ME))["me"]["lockedRewards"]["nodes"]
    ended = [node for node in nodes if node["status"] == "LAPSED"]
    assert all(node["endedAt"] == node["lock"]["lapsesAt"] for node in ended)
    return [node["endedAt"] for node in ended]


async def budget(shop: Shop, code: str = "scan") -> tuple[int, int]:
    """(spent, reserved) of a campaign's cash, in fen."""
    campaigns = (await shop.admin.ask(BUDGETS))["campaigns"]["nodes"]
    [budgets] = [each["budgets"] for each in campaigns if each["code"] == code]
    [cash] = [each for each in budgets if each["asset"] == CASH]
    return cash["spent"], cash["reserved"]


async def test_a_red_packet_waits_is_unlocked_or_is_lost(
    dated_shop: Shop, days: CalendarDays
) -> None:
    shop = dated_shop
    await publish(shop)
    inner, outer = await shop.print_codes(5, "INNER", "OUTER")
    guide = await shop.guide("13900139001")
    await days.go_to(GRANTED_ON)
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")

    await see_it_locked(shop, ann, inner[0])
    sold = await guide.done("scanCode", code=outer[2])
    assert sold["rewards"] == [{"asset": POINTS, "amount": 30, "locked": True}]
    await unlock_by_a_follow_and_the_next_scan(shop, ann, inner)
    assert await guide.balances() == {POINTS: (0, 30)}, "another bottle unlocks nothing of his"
    await bob.done("scanCode", code=inner[2])
    assert await guide.balances() == {POINTS: (30, 0)}
    assert await rewards(guide) == [("ITEM", 30, "UNLOCKED")]
    buyer, returner = await buy_and_bring_back(shop)
    assert await budget(shop) == (EACH_FEN, 2 * EACH_FEN)

    # A week later. Too late is too late, whether the worker has been there or not.
    await days.go_to(LAPSED_ON, time(13))
    late = await bob.done("scanCode", code=inner[3])
    assert late["unpaidReason"] is None
    assert await rewards(bob) == [
        *[("NEXT_SCAN", PACKET_FEN, "LAPSED"), ("ACTION", FOLLOW_FEN, "LAPSED")],
        *[("NEXT_SCAN", PACKET_FEN, "LOCKED"), ("ACTION", FOLLOW_FEN, "LOCKED")],
    ]
    again = (EACH_FEN, EACH_FEN)
    ends = await lapsed(bob)
    assert await eventually(lambda: budget(shop), lambda seen: seen == again), "it is given back"
    assert await lapsed(bob) == ends == 2 * [ends[0]]
    assert await red_packets(bob) == (0, 0, EACH_FEN)
    assert await red_packets(ann) == (FOLLOW_FEN, FOLLOW_FEN, 0)
    await see_what_the_window_brought(shop, buyer, returner)
    assert (await shop.host.run("audit"))["broken"] == 0


async def publish(shop: Shop) -> None:
    """A scan pays points, and cash behind two locks; a purchase pays what waits for a time."""
    await shop.publish(
        [
            outcome("CONSUMER", POINTS, 100),
            outcome("GUIDE", POINTS, 30),
            locked("NEXT_SCAN", CASH, PACKET_FEN, lapsesAfter="P7D"),
            locked("ACTION", CASH, FOLLOW_FEN, action="follow", lapsesAfter="P7D"),
        ],
        gate="CONSUMER_SCAN",
        budgets=[{"asset": CASH, "allowed": 10 * EACH_FEN}],
    )
    await shop.publish(
        [
            locked("AFTER", CASH, BACK_FEN, after="P7D"),
            locked("ON", POINTS, 40, on=OPENS_ON.isoformat()),
        ],
        code="cash-back",
        event="PURCHASE",
        priority=10,
        budgets=[{"asset": CASH, "allowed": 10 * BACK_FEN}],
    )


async def see_it_locked(shop: Shop, ann: Caller, code: str) -> None:
    """All that her page needs to say what she has to do, and by when; it buys nothing yet."""
    input = {"code": code, "idempotencyKey": "first"}
    told = (await ann.ask(SCAN, input=input))["scanCode"]["rewards"]
    assert [(each["amount"], each["locked"]) for each in told] == [
        *[(100, False), (PACKET_FEN, True), (FOLLOW_FEN, True)]
    ]
    next_scan, follow = (each["lock"]["condition"] for each in told[1:])
    until = f"before {LAPSED_ON} 12:0"  # and as many minutes as it took to come here
    assert next_scan.startswith(f"Unlocks with your next scan, {until}")
    assert follow.startswith(f"Unlocks after following the official account, {until}")
    assert await red_packets(ann) == (0, 0, EACH_FEN)
    kinds = [("NEXT_SCAN", PACKET_FEN, "LOCKED"), ("ACTION", FOLLOW_FEN, "LOCKED")]
    assert await rewards(ann) == kinds
    assert await budget(shop) == (0, EACH_FEN), "reserved for her"
    refused = await ann.do("redeemOffer", offerId=await tea(shop))
    assert refused["code"] == "INSUFFICIENT_BALANCE"
    assert refused["details"] == {"asset": CASH, "available": 0, "wanted": PACKET_FEN}


async def tea(shop: Shop) -> str:
    """The id of a cup of tea for one red packet."""
    price = {"parts": [{"asset": CASH, "amount": PACKET_FEN}]}
    terms = {"nameZh": "一杯茶", "nameEn": "A cup of tea", "prices": [price]}
    mall = (await shop.admin.ask("{ mallOffers { nodes { id } } }"))["mallOffers"]["nodes"]
    if not mall:
        made = await shop.admin.done("createOffer", code="tea", gives={"kind": "GIFT"}, terms=terms)
        mall = [made["offer"]]
    offer_id: str = mall[0]["id"]
    return offer_id


async def unlock_by_a_follow_and_the_next_scan(shop: Shop, ann: Caller, codes: list[str]) -> None:
    """Each lock has its own key; a scan that pays nothing is none."""
    twice = await ann.done("scanCode", code=codes[0])
    assert twice["unpaidReason"] == "ALREADY_CLAIMED"
    assert await red_packets(ann) == (0, 0, EACH_FEN)

    follow = {"memberId": (await ann.me())["id"], "action": "follow"}
    assert (await shop.admin.done("reportAction", **follow))["unlocked"] == 1
    assert await red_packets(ann) == (FOLLOW_FEN, FOLLOW_FEN, PACKET_FEN)
    assert (await shop.admin.done("reportAction", **follow))["unlocked"] == 0

    second = await ann.done("scanCode", code=codes[1])
    assert {each["amount"] for each in second["rewards"] if each["locked"]} == {500, 88}
    assert await red_packets(ann) == (EACH_FEN, EACH_FEN, EACH_FEN), "one free, and a new one"
    assert [status for *_, status in await rewards(ann)] == ["UNLOCKED"] * 2 + ["LOCKED"] * 2
    await ann.done("redeemOffer", offerId=await tea(shop))
    assert await red_packets(ann) == (FOLLOW_FEN, FOLLOW_FEN, EACH_FEN)


async def buy_and_bring_back(shop: Shop) -> tuple[Caller, Caller]:
    """Two buy; one brings it back in time, and what was locked for it is gone with it."""
    buyers = []
    for number, phone in enumerate(("13800138003", "13800138004"), 1):
        receipt = await shop.admin.done(
            "recordPurchase",
            purchaseRef=f"till-{number}",
            occurredAt=f"{GRANTED_ON}T11:00:00+08:00",
            amountFen=6_600,
            quantity=1,
            source="TILL",
            phone=phone,
        )
        earned = {(each["asset"], each["amount"], each["locked"]) for each in receipt["earned"]}
        assert earned == {(CASH, BACK_FEN, True), (POINTS, 40, True)}
        buyers.append(await shop.person(phone))
    buyer, returner = buyers
    assert await budget(shop, "cash-back") == (0, 2 * BACK_FEN)
    back = await shop.admin.done(
        "returnPurchase", purchaseRef="till-2", returnRef="back-1", reason="不合适"
    )
    assert {(each["asset"], each["voided"]) for each in back["taken"]} == {
        *[(CASH, BACK_FEN), (POINTS, 40)]
    }
    assert await red_packets(returner) == (0, 0, 0)
    assert await budget(shop, "cash-back") == (0, BACK_FEN)
    return buyer, returner


async def see_what_the_window_brought(shop: Shop, buyer: Caller, returner: Caller) -> None:
    """The window is over: what was kept pays. Points count their time from the day they opened."""
    assert await red_packets(buyer) == (BACK_FEN, BACK_FEN, 0)
    assert await rewards(buyer) == [("AFTER", BACK_FEN, "UNLOCKED"), ("ON", 40, "UNLOCKED")]
    [points] = (await buyer.ask(ME))["me"]["explain"]["nodes"]
    good_until = OPENS_ON.replace(year=YEAR + 2)
    assert points == {"amount": 40, "locked": False, "expiresOn": good_until.isoformat()}
    assert await budget(shop, "cash-back") == (BACK_FEN, 0)
    assert await red_packets(returner) == (0, 0, 0)
    assert [status for *_, status in await rewards(returner)] == ["VOIDED"] * 2


BATCHES = "{ codeBatches { nodes { id kind } } }"
PACKINGS = """
query ($batchId: ID) { packings(batchId: $batchId) { nodes {
  firstSerial count perBox firstBoxSerial bottleBatch { kind } boxBatch { kind } } } }
"""


async def test_the_sixth_bottle_of_a_box_opens_what_waits_for_it(shop: Shop) -> None:
    ann, bob, eve = [await shop.person(f"1380013800{number}") for number in (1, 2, 3)]
    [bottles] = await shop.print_codes(13, "INNER")
    await shop.print_codes(2, "BOX_OUTER")
    batches = (await shop.admin.ask(BATCHES))["codeBatches"]["nodes"]
    ids = {batch["kind"]: batch["id"] for batch in batches}
    named = {"bottleBatchId": ids["INNER"], "boxBatchId": ids["BOX_OUTER"]}
    line = {"firstSerial": 0, "count": 12, "perBox": 6, "firstBoxSerial": 0}
    told = await shop.admin.done("packBoxes", **named, **line)
    assert told["packing"]["boxBatch"] == {"id": ids["BOX_OUTER"]}
    again = await shop.admin.do("packBoxes", **named, **line)
    assert (again["code"], again["details"]["field"]) == ("INVALID_INPUT", "firstSerial")
    of_boxes = (await shop.admin.ask(PACKINGS, batchId=ids["BOX_OUTER"]))["packings"]["nodes"]
    kinds = {"bottleBatch": {"kind": "INNER"}, "boxBatch": {"kind": "BOX_OUTER"}}
    assert of_boxes == [line | kinds]

    packet = locked("BOX_BOTTLES", CASH, PACKET_FEN, count=6, lapsesAfter="P30D")
    budgets = [{"asset": CASH, "allowed": 20 * PACKET_FEN}]
    draft = {"code": "scan", "nameZh": "开箱", "nameEn": "Open a box", "outcomes": [packet]}
    saved = (await shop.admin.done("saveCampaignDraft", **draft))["draft"]
    made_up = {"people": 1, "eventsPerDay": 1, "days": 1}
    tried = await shop.admin.do("simulateCampaign", draftId=saved["id"], madeUp=made_up)
    assert (tried["code"], tried["details"]["field"]) == ("INVALID_INPUT", "draftId")
    await shop.publish([packet], budgets=budgets)

    input = {"code": bottles[0], "idempotencyKey": "first"}
    [first] = (await ann.ask(SCAN, input=input))["scanCode"]["rewards"]
    assert first["lock"]["condition"].startswith(
        "Unlocks after 5 more bottles of the same box, before"
    )
    await eve.done("scanCode", code=bottles[6])  # of the other box
    await eve.done("scanCode", code=bottles[12])  # of none
    for caller, code in zip((bob, ann, bob, ann), bottles[1:5], strict=True):
        await caller.done("scanCode", code=code)
    assert await red_packets(ann) == (0, 0, 3 * PACKET_FEN)
    assert await budget(shop) == (0, 7 * PACKET_FEN), "reserved for all of them"
    sixth = await eve.done("scanCode", code=bottles[5])
    assert [reward["locked"] for reward in sixth["rewards"]] == [False]
    assert await red_packets(ann) == (3 * PACKET_FEN, 3 * PACKET_FEN, 0)
    assert await red_packets(bob) == (2 * PACKET_FEN, 2 * PACKET_FEN, 0)
    assert await red_packets(eve) == (PACKET_FEN, PACKET_FEN, 2 * PACKET_FEN)
    assert await rewards(eve) == [
        *[("BOX_BOTTLES", PACKET_FEN, "LOCKED"), ("BOX_BOTTLES", PACKET_FEN, "LOCKED")],
        ("BOX_BOTTLES", PACKET_FEN, "UNLOCKED"),
    ]
    assert await budget(shop) == (6 * PACKET_FEN, 2 * PACKET_FEN)
    assert (await shop.host.run("audit"))["broken"] == 0
