"""Inputs that take effect for the mutations over balances, tiers, purchases and the mall, and all
mutations' inputs together."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.api import Caller
from tests.graphql_schema import effects
from tests.graphql_schema.allied import ALLIANCE_EFFECTS
from tests.graphql_schema.effects import BOB, CAROL, WHY, Effect
from tests.graphql_schema.netted import NETTING_EFFECTS
from tests.graphql_schema.programs import PROGRAM_EFFECTS
from tests.graphql_schema.raffling import RAFFLE_EFFECTS
from tests.graphql_schema.shop import ALICE, OF_A_GIFT, open_shop
from tests.graphql_schema.stage import CONSUMER, Stage, outcome

ENTRIES = "{ me { entries { nodes { id kind asset } } } }"
FAR = "2099-12-31"
GIFT = {"kind": "GIFT"}
PLAIN = {"code": "BASIC", "nameZh": "普通", "nameEn": "Basic", "threshold": 0}
CLUB = {"code": "CLUB", "nameZh": "俱乐部", "nameEn": "Club", "invitationOnly": True}
PERKS = [
    {"code": code, "kind": "PERK", "nameZh": "权益", "nameEn": "Perk"} for code in ("SPA", "GYM")
]
MALL_TERMS = {
    "nameZh": "茶杯",
    "nameEn": "A cup",
    "prices": [{"rankMin": 0, "parts": [{"asset": "POINTS", "amount": 10}]}],
}


async def consumer(stage: Stage, phone: str = ALICE) -> tuple[Caller, str]:
    """Somebody with a thousand points, and its global id."""
    await stage.publish([outcome(CONSUMER, 1000)])
    caller = await stage.member(phone)
    await caller.done("scanCode", code=await stage.code())
    return caller, (await caller.me())["id"]


async def merge_members(stage: Stage) -> Effect:
    into, *others = [(await consumer(stage, phone))[1] for phone in (ALICE, BOB, CAROL)]
    one, other = [{"fromMemberId": id, "intoMemberId": into} | WHY for id in others]
    return Effect(stage.admin, one, other, one | {"intoMemberId": stage.unknown_id("Member")})


# --- tiers -------------------------------------------------------------------------------------


async def grant_tier(stage: Stage) -> Effect:
    _, id = await consumer(stage)
    grant = {"memberId": id, "rank": 1, "until": FAR} | WHY
    unknown = {"memberId": stage.unknown_id("Member")}
    return Effect(stage.admin, grant, grant | {"rank": 2}, grant | unknown)


async def invite_to_tier(stage: Stage) -> Effect:
    await stage.admin.done("publishLadder", levels=[PLAIN, CLUB], allowLowering=True)
    ids = [(await consumer(stage, phone))[1] for phone in (ALICE, BOB)]
    one, other = [{"memberId": id, "rank": 1} | WHY for id in ids]
    return Effect(stage.admin, one, other, one | {"rank": 0})


async def end_tier_grant(stage: Stage) -> Effect:
    effect = await invite_to_tier(stage)
    for invitation in (effect.good, effect.other):
        await stage.admin.done("inviteToTier", **invitation)
    one, other = [{"memberId": each["memberId"]} | WHY for each in (effect.good, effect.other)]
    return Effect(stage.admin, one, other, one | {"memberId": stage.unknown_id("Member")})


async def use_privilege(stage: Stage) -> Effect:
    level = PLAIN | {"privileges": PERKS}
    await stage.admin.done("publishLadder", levels=[level], allowLowering=True)
    _, id = await consumer(stage)
    one, other, none = [{"memberId": id, "code": code} for code in ("SPA", "GYM", "POOL")]
    return Effect(stage.admin, one, other, none)


async def set_birthday(stage: Stage) -> Effect:
    caller, _ = await consumer(stage)
    return Effect(caller, {"month": 5, "day": 1}, {"month": 5, "day": 2}, {"month": 2, "day": 30})


async def change_birthday(stage: Stage) -> Effect:
    _, id = await consumer(stage)
    told = {"memberId": id, "month": 5, "day": 1} | WHY
    return Effect(stage.admin, told, told | {"day": 2}, told | {"month": 13})


# --- balances ----------------------------------------------------------------------------------


async def move_balances(stage: Stage) -> Effect:
    ids = [(await consumer(stage, phone))[1] for phone in (ALICE, BOB)]
    leg = {"fromMemberId": ids[0], "toMemberId": ids[1], "asset": "POINTS", "amount": 60}
    one, other, much = [
        {"legs": [leg, leg | {"amount": amount}]} | WHY for amount in (1, 2, 10_000)
    ]
    return Effect(stage.admin, one, other, much)


async def create_asset(stage: Stage) -> Effect:
    new = {"code": "STARS", "nameZh": "星星", "nameEn": "Stars"}
    return Effect(stage.admin, new, new | {"code": "MOONS"}, new | {"code": "POINTS"})


async def configure_asset(stage: Stage) -> Effect:
    rules = {"code": "CHANCES", "expiry": {"kind": "NEVER"}, "status": "ACTIVE"}
    return Effect(stage.admin, rules, rules | {"adjustmentLimit": 5}, rules | {"code": "NONE"})


async def hold_balance(stage: Stage) -> Effect:
    _, id = await consumer(stage)
    hold = {"memberId": id, "asset": "POINTS", "amount": 10, "ttlSeconds": 600} | WHY
    return Effect(stage.admin, hold, hold | {"amount": 5}, hold | {"amount": 10_000})


async def _holds(stage: Stage) -> tuple[Any, Any, Any]:
    hold = (await hold_balance(stage)).good
    ids = [(await stage.admin.done("holdBalance", **hold))["hold"]["id"] for _ in range(2)]
    one, other, unknown = [{"holdId": id} for id in (*ids, stage.unknown_id("Hold"))]
    return one, other, unknown


async def capture_hold(stage: Stage) -> Effect:
    return Effect(stage.admin, *await _holds(stage))


async def release_hold(stage: Stage) -> Effect:
    return Effect(stage.admin, *await _holds(stage))


async def adjust_balance(stage: Stage) -> Effect:
    _, id = await consumer(stage)
    adjust = {"memberId": id, "asset": "POINTS", "amount": 5} | WHY
    return Effect(stage.admin, adjust, adjust | {"amount": -5}, adjust | {"amount": -10_000})


async def _proposals(stage: Stage, **more: str) -> Effect:
    adjust = (await adjust_balance(stage)).good
    limit = {"code": "POINTS", "expiry": {"kind": "NEVER"}, "status": "ACTIVE"}
    await stage.admin.done("configureAsset", **limit, adjustmentLimit=0)
    ids = [
        (await stage.admin.done("adjustBalance", **adjust))["adjustment"]["id"] for _ in range(2)
    ]
    one, other, unknown = [
        {"adjustmentId": id} | more for id in (*ids, stage.unknown_id("Adjustment"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def approve_adjustment(stage: Stage) -> Effect:
    return await _proposals(stage)


async def reject_adjustment(stage: Stage) -> Effect:
    return await _proposals(stage, **WHY)


async def reverse_transfer(stage: Stage) -> Effect:
    caller, _ = await consumer(stage)
    await caller.done("scanCode", code=await stage.code())
    earned = (await caller.ask(ENTRIES))["me"]["entries"]["nodes"]
    one, other = [
        {"transferId": entry["id"], "policy": "WITHIN_BALANCE"} | WHY for entry in earned[:2]
    ]
    return Effect(stage.admin, one, other, one | {"transferId": stage.unknown_id("Entry")})


# --- what waits, and scans taken back -----------------------------------------------------------


async def waiting(stage: Stage) -> tuple[Caller, str, list[str]]:
    """Somebody with two rewards that wait for a follow and a contact: its id, and theirs."""
    locks = [{"kind": "ACTION", "action": action} for action in ("follow", "wecom_contact")]
    given = [outcome(CONSUMER, 5, "CHANCES") | {"lock": lock} for lock in locks]
    await stage.publish([outcome(CONSUMER, 1000), *given])
    caller = await stage.member(ALICE)
    await caller.done("scanCode", code=await stage.code())
    seen = (await caller.ask("{ me { id lockedRewards { nodes { id } } } }"))["me"]
    return caller, seen["id"], [locked["id"] for locked in seen["lockedRewards"]["nodes"]]


async def report_action(stage: Stage) -> Effect:
    _, id, _ = await waiting(stage)
    follow = {"memberId": id, "action": "follow"}
    unknown = {"memberId": stage.unknown_id("Member")}
    return Effect(stage.admin, follow, follow | {"action": "wecom_contact"}, follow | unknown)


async def void_locked_reward(stage: Stage) -> Effect:
    _, _, ids = await waiting(stage)
    one, other, unknown = [
        {"lockedRewardId": id} | WHY for id in (*ids, stage.unknown_id("LockedReward"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def reverse_scan(stage: Stage) -> Effect:
    await stage.publish()
    caller = await stage.member(ALICE)
    scans = [await caller.done("scanCode", code=await stage.code()) for _ in range(2)]
    one, other, unknown = [
        {"scanId": id} | WHY
        for id in (*(scan["scanId"] for scan in scans), stage.unknown_id("ScanEvent"))
    ]
    return Effect(stage.admin, one, other, unknown)


# --- purchases ---------------------------------------------------------------------------------


async def record_purchase(stage: Stage) -> Effect:
    bought = {
        "purchaseRef": "till-1",
        "occurredAt": "2026-11-09T12:00:00+08:00",
        "amountFen": 10_000,
        "quantity": 2,
        "source": "TILL",
        "externalRef": "ann",
    }
    later = {"occurredAt": "2999-01-01T00:00:00Z"}
    return Effect(stage.admin, bought, bought | {"purchaseRef": "till-2"}, bought | later)


async def return_purchase(stage: Stage) -> Effect:
    bought = (await record_purchase(stage)).good
    await stage.admin.done("recordPurchase", **bought)
    back = {"purchaseRef": "till-1", "returnRef": "back-1", "amountFen": 4_000} | WHY
    other = back | {"returnRef": "back-2", "amountFen": 1_000}
    return Effect(stage.admin, back, other, back | {"amountFen": 10_001})


# --- the mall ----------------------------------------------------------------------------------


async def create_offer(stage: Stage) -> Effect:
    cup = {"code": "cup", "gives": GIFT, "terms": MALL_TERMS}
    free = MALL_TERMS | {"prices": []}
    return Effect(stage.admin, cup, cup | {"code": "mug"}, cup | {"terms": free})


async def update_offer(stage: Stage) -> Effect:
    made = await stage.admin.done("createOffer", **(await create_offer(stage)).good)
    pause = {"offerId": made["offer"]["id"], "terms": MALL_TERMS, "status": "PAUSED"}
    unknown = {"offerId": stage.unknown_id("MallOffer")}
    return Effect(stage.admin, pause, pause | {"status": "ACTIVE"}, pause | unknown)


async def redeem_offer(stage: Stage) -> Effect:
    caller, _ = await consumer(stage)
    made = await stage.admin.done("createOffer", **(await create_offer(stage)).good)
    take = {"offerId": made["offer"]["id"], "delivery": "人民路1号"}
    unknown = {"offerId": stage.unknown_id("MallOffer")}
    return Effect(caller, take, take | {"quantity": 2}, take | unknown)


async def order_gift(stage: Stage) -> Effect:
    """Two coupons for a gift that the mall does not sell."""
    shop = await open_shop(stage)
    cup = (await create_offer(stage)).good
    offer = (await stage.admin.done("createOffer", **cup))["offer"]["id"]
    gift = await shop.template("a-gift", offerId=offer, **OF_A_GIFT)
    one, other = [{"couponId": (await shop.coupon(gift))["id"]} for _ in range(2)]
    return Effect(shop.customer, one, other, {"couponId": stage.unknown_id("Coupon")})


async def _orders(stage: Stage, **more: str) -> Effect:
    """Two that wait to be handed out."""
    effect = await redeem_offer(stage)
    ids = [
        (await effect.caller.done("redeemOffer", **effect.good))["order"]["id"] for _ in range(2)
    ]
    one, other, unknown = [{"orderId": id} | more for id in (*ids, stage.unknown_id("OfferOrder"))]
    return Effect(stage.admin, one, other, unknown)


async def fulfil_order(stage: Stage) -> Effect:
    return await _orders(stage)


async def cancel_order(stage: Stage) -> Effect:
    return await _orders(stage, **WHY)


# --- events ------------------------------------------------------------------------------------


async def check_in(stage: Stage) -> Effect:
    home = {"scene": "home"}
    return Effect(await stage.member(ALICE), home, {"scene": "shop"}, {"scene": "x" * 65})


async def register_event_type(stage: Stage) -> Effect:
    cups = {"code": "coffee", "nameZh": "咖啡", "nameEn": "Coffee"}
    return Effect(stage.admin, cups, cups | {"code": "tea"}, cups | {"code": "Tea"})


async def post_events(stage: Stage) -> Effect:
    await stage.admin.done("registerEventType", **(await register_event_type(stage)).good)
    _, id = await consumer(stage)
    at = {"occurredAt": "2026-11-09T12:00:00+08:00", "memberId": id}
    one, other, unknown = [
        {"events": [{"eventRef": ref, "type": code} | at]}
        for ref, code in (("1", "coffee"), ("2", "coffee"), ("3", "tea"))
    ]
    return Effect(stage.admin, one, other, unknown)


async def set_withholding(stage: Stage) -> Effect:
    terms = {"thresholdFen": 1_000_000, "ratePercent": 20}
    return Effect(stage.admin, terms, terms | {"ratePercent": 10}, terms | {"ratePercent": None})


async def set_member_days(stage: Stage) -> Effect:
    ninth = {"dayOfMonth": 9, "nameZh": "会员日", "nameEn": "Member day"}
    one, other, never = [{"days": [ninth | {"dayOfMonth": day}]} for day in (9, 10, 32)]
    return Effect(stage.admin, one, other, never)


async def put_region(stage: Stage) -> Effect:
    corners = [{"latitude": 30.7 + x, "longitude": 121.2 + y} for x, y in ((0, 0), (1, 0), (0, 1))]
    city = {"code": "sh", "nameZh": "上海", "nameEn": "Shanghai"}
    one, other, never = [city | {"areas": [corners[:kept]] * kept} for kept in (3, 3, 2)]
    return Effect(stage.admin, one, other | {"areas": []}, never)


async def put_segment(stage: Stage) -> Effect:
    one = {"code": "vip", "nameZh": "老客", "nameEn": "Regulars"}
    return Effect(stage.admin, one, one | {"nameEn": "VIP"}, one | {"code": " "})


async def set_segment_members(stage: Stage) -> Effect:
    await stage.admin.done("putSegment", code="vip", nameZh="老客", nameEn="Regulars")
    member_id = (await (await stage.member("13800138001")).done("checkIn"))["event"]["memberId"]
    one = {"code": "vip", "addMemberIds": [member_id]}
    other = {"code": "vip", "removeMemberIds": [member_id]}
    return Effect(stage.admin, one, other, one | {"code": "none"})


async def pack_boxes(stage: Stage) -> Effect:
    [bottles], [boxes] = await stage.order(10), await stage.order(10, "BOX_INNER")
    line = {"firstSerial": 0, "count": 6, "perBox": 3, "firstBoxSerial": 0}
    packed = line | {"bottleBatchId": bottles, "boxBatchId": boxes}
    other = packed | {"count": 3, "firstSerial": 6, "firstBoxSerial": 2}
    return Effect(stage.admin, packed, other, packed | {"boxBatchId": bottles})


EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = effects.EFFECTS | {
    "mergeMembers": merge_members,
    "grantTier": grant_tier,
    "inviteToTier": invite_to_tier,
    "endTierGrant": end_tier_grant,
    "usePrivilege": use_privilege,
    "setBirthday": set_birthday,
    "changeBirthday": change_birthday,
    "moveBalances": move_balances,
    "createAsset": create_asset,
    "configureAsset": configure_asset,
    "holdBalance": hold_balance,
    "captureHold": capture_hold,
    "releaseHold": release_hold,
    "adjustBalance": adjust_balance,
    "approveAdjustment": approve_adjustment,
    "rejectAdjustment": reject_adjustment,
    "reverseTransfer": reverse_transfer,
    "reportAction": report_action,
    "voidLockedReward": void_locked_reward,
    "reverseScan": reverse_scan,
    "recordPurchase": record_purchase,
    "returnPurchase": return_purchase,
    "createOffer": create_offer,
    "updateOffer": update_offer,
    "redeemOffer": redeem_offer,
    "orderGift": order_gift,
    "fulfilOrder": fulfil_order,
    "cancelOrder": cancel_order,
    "checkIn": check_in,
    "registerEventType": register_event_type,
    "postEvents": post_events,
    "setMemberDays": set_member_days,
    "setWithholding": set_withholding,
    "putRegion": put_region,
    "putSegment": put_segment,
    "setSegmentMembers": set_segment_members,
    "packBoxes": pack_boxes,
    **RAFFLE_EFFECTS,
    **PROGRAM_EFFECTS,
    **ALLIANCE_EFFECTS,
    **NETTING_EFFECTS,
}
