"""Scene 7: another bottle free (再来一瓶), redeemed by the till's own software, without paper."""

from typing import Any

from tests.api import Caller
from tests.scenarios.shop import Shop, coupon_outcome, eventually

COST_FEN, FEE_FEN = 350, 50
REBATE_FEN = COST_FEN + FEE_FEN
MINE = """
{ myRedemptions(first: 10) { nodes { id status settledAt events { step tillName clerkName } } } }
"""


async def test_the_bottle_is_free_at_the_till_once_and_the_store_is_credited_once(
    hasty_shop: Shop,
) -> None:
    shop = hasty_shop
    store = await shop.store("SH-001", "南京东路店", "13700137001", tills=2)
    consumer, codes = await win_coupons(shop, 2)
    forgotten, code = codes
    pos, other_pos = store.tills[0].clerk, store.tills[1].clerk

    # Looking takes nothing, however the number is typed.
    for typed in (code, code.replace(" ", ""), code.replace(" ", "-")):
        seen = await pos.look_up(typed)
        assert (seen["notUsableReason"], seen["takenBy"]) == (None, None)
        assert (seen["product"]["sku"], seen["payFen"]) == ("BEER-500", 0)
        assert seen["rebateFen"] == REBATE_FEN
        assert code not in str(seen), "a till need not know the number it has read"
    assert (await pos.look_up("0000 0000 0000 0000"))["code"] == "COUPON_UNKNOWN"
    assert await status_of(consumer, code) == "ISSUED"

    # One bottle is held and then forgotten; what becomes of it comes last.
    left = (await other_pos.done("holdCoupon", code=forgotten))["redemption"]

    await hold_and_let_go(consumer, pos, code)
    redemption = await capture_once(consumer, pos, code)
    await settled(pos, redemption["id"])
    assert await store.rebates() == (REBATE_FEN, 0, REBATE_FEN)
    await take_back(pos, redemption["id"])
    assert await status_of(consumer, code) == "ISSUED"
    assert await store.rebates() == (0, 0, 0)

    # What was taken back may be used again, at the other till as well.
    again = (await other_pos.done("holdCoupon", code=code))["redemption"]
    await other_pos.done("captureRedemption", redemptionId=again["id"])
    await settled(pos, again["id"])

    await lapse(pos, left["id"], forgotten)
    for used in codes:
        assert await status_of(consumer, used) == "REDEEMED"
    expected = (2 * REBATE_FEN, 0, 2 * REBATE_FEN)
    assert await eventually(store.rebates, lambda seen: seen[1] == 0) == expected
    assert (await shop.host.run("audit"))["broken"] == 0


async def win_coupons(shop: Shop, quantity: int) -> tuple[Caller, list[str]]:
    """A consumer who has won so many, and their numbers."""
    template_id = await shop.template(
        "free-bottle",
        "FREE_ITEM",
        nameZh="再来一瓶",
        nameEn="Another bottle free",
        costFen=COST_FEN,
        feeFen=FEE_FEN,
        stockMax=quantity,
    )
    await shop.publish([coupon_outcome(template_id)])
    [printed] = await shop.print_codes(quantity + 1, "INNER")
    consumer = await shop.person("13800138001")
    receipts = [await consumer.done("scanCode", code=code) for code in printed]
    assert [len(receipt["coupons"]) for receipt in receipts] == [1, 1, 0]
    assert receipts[-1]["unpaidReason"] == "BUDGET", "no more than there are"
    won = [coupon["code"] for receipt in receipts for coupon in receipt["coupons"]]
    wallet = await consumer.wallet("ISSUED")
    assert {coupon["code"] for coupon in wallet} == set(won)
    assert {coupon["name"] for coupon in wallet} == {"Another bottle free"}
    return consumer, won


async def status_of(consumer: Caller, code: str) -> str:
    """What the consumer sees of one coupon."""
    [status] = [coupon["status"] for coupon in await consumer.wallet() if coupon["code"] == code]
    return str(status)


async def hold_and_let_go(consumer: Caller, pos: Caller, code: str) -> None:
    """The customer changes her mind. A repeated key is answered as before."""
    key = {"idempotencyKey": "receipt-17/hold"}
    held = await pos.done("holdCoupon", code=code, **key)
    assert (held["replayed"], held["redemption"]["status"]) == (False, "HELD")
    again = await pos.done("holdCoupon", code=code, **key)
    assert again == held | {"replayed": True}
    other = await pos.do("holdCoupon", code=code, basketFen=1, **key)
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert await status_of(consumer, code) == "HELD"

    redemption = {"redemptionId": held["redemption"]["id"]}
    voided = await pos.done("voidRedemption", **redemption)
    assert voided["redemption"]["status"] == "VOIDED"
    assert await status_of(consumer, code) == "ISSUED"
    for step, wanted in (("voidRedemption", "VOIDED"), ("captureRedemption", "CAPTURED")):
        refused = await pos.do(step, **redemption)
        assert refused["code"] == "REDEMPTION_STATE_WRONG"
        assert refused["details"] == {"status": "VOIDED", "wanted": wanted}


async def capture_once(consumer: Caller, pos: Caller, code: str) -> Any:
    """However often the till asks, with the same key or another: one redemption."""
    held = (await pos.done("holdCoupon", code=code))["redemption"]
    capture = {"redemptionId": held["id"], "idempotencyKey": "receipt-18/capture"}
    done = await pos.done("captureRedemption", **capture)
    assert done["redemption"]["status"] == "CAPTURED"
    assert done["redemption"]["rebateFen"] == REBATE_FEN
    assert await pos.done("captureRedemption", **capture) == done | {"replayed": True}
    refused = await pos.do("captureRedemption", redemptionId=held["id"])
    assert refused["details"] == {"status": "CAPTURED", "wanted": "CAPTURED"}
    taken = await pos.do("holdCoupon", code=code)
    assert (taken["code"], taken["details"]["status"]) == ("COUPON_TAKEN", "CAPTURED")
    assert await status_of(consumer, code) == "REDEEMED"
    return done["redemption"]


async def settled(pos: Caller, redemption_id: str) -> Any:
    """The redemption as its place sees it, once the worker has settled it."""

    async def ask() -> Any:
        nodes = (await pos.ask(MINE))["myRedemptions"]["nodes"]
        [found] = [node for node in nodes if node["id"] == redemption_id]
        return found

    return await eventually(ask, lambda found: found["settledAt"] is not None)


async def take_back(pos: Caller, redemption_id: str) -> None:
    """The customer brings the bottle back."""
    reverse = {"redemptionId": redemption_id, "reason": "退货", "idempotencyKey": "receipt-18/back"}
    done = await pos.done("reverseRedemption", **reverse)
    assert (done["redemption"]["status"], done["redemption"]["reason"]) == ("REVERSED", "退货")
    steps = [(event["step"], event["tillName"]) for event in done["redemption"]["events"]]
    assert steps == [(step, "1号收银台") for step in ("HOLD", "CAPTURE", "REVERSE")]
    assert await pos.done("reverseRedemption", **reverse) == done | {"replayed": True}
    refused = await pos.do("reverseRedemption", redemptionId=redemption_id, reason="再来")
    assert refused["code"] == "REDEMPTION_STATE_WRONG"


async def lapse(pos: Caller, redemption_id: str, code: str) -> None:
    """A hold ends by itself: too late to capture, and free for whoever comes."""

    async def look_up() -> Any:
        return await pos.look_up(code)

    await eventually(look_up, lambda seen: seen["takenBy"] is None)
    late = await pos.do("captureRedemption", redemptionId=redemption_id)
    assert late["code"] == "REDEMPTION_STATE_WRONG"
    assert late["details"] == {"status": "LAPSED", "wanted": "CAPTURED"}
    held = (await pos.done("holdCoupon", code=code))["redemption"]
    assert held["id"] != redemption_id
    await pos.done("captureRedemption", redemptionId=held["id"])
