"""For every mutation that takes a key: inputs that take effect, and one that is refused."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.api import Caller
from tests.graphql_schema.shop import ALICE, TEMPLATE, open_shop
from tests.graphql_schema.stage import BOTH_PAID, SCAN_CAMPAIGN, Stage

BOB, CAROL = "13800138002", "13800138003"
WHY = {"reason": "the season is over"}


@dataclass(frozen=True)
class Effect:
    """Inputs of one mutation: one that takes effect, another one, and one that is refused."""

    caller: Caller
    good: dict[str, Any]
    other: dict[str, Any]
    refused: dict[str, Any]


async def scan_code(stage: Stage) -> Effect:
    await stage.publish()
    [[one, two]] = await stage.codes(2)
    return Effect(await stage.member(ALICE), {"code": one}, {"code": two}, {"code": "forged"})


async def invite_member(stage: Stage) -> Effect:
    return Effect(await stage.member(ALICE), {"phone": BOB}, {"phone": CAROL}, {"phone": "none"})


async def import_roster(stage: Stage) -> Effect:
    entries = [{"phone": ALICE, "name": "李"}]
    return Effect(
        stage.admin,
        {"role": "GUIDE", "entries": entries},
        {"role": "STORE", "entries": entries},
        {"role": "CONSUMER", "entries": entries},
    )


async def set_member_status(stage: Stage) -> Effect:
    alice = await stage.member(ALICE)
    await alice.done("inviteMember", phone=BOB)
    freeze = {"memberId": (await alice.me())["id"], "frozen": True, "reason": "farming"}
    unknown = {"memberId": stage.unknown_id("Member")}
    return Effect(stage.admin, freeze, freeze | {"reason": "again"}, freeze | unknown)


async def create_product(stage: Stage) -> Effect:
    new = {"sku": "NEW", "nameZh": "新品", "nameEn": "New"}
    return Effect(stage.admin, new, new | {"sku": "NEWER"}, new | {"sku": "SKU-1"})


async def confirm_age(stage: Stage) -> Effect:
    return Effect(await stage.member(ALICE), {"age": 18}, {"age": 30}, {"age": 0})


async def correct_age(stage: Stage) -> Effect:
    alice = await stage.member(ALICE)
    await alice.done("checkIn", scene="home")
    right = {"memberId": (await alice.me())["id"], "age": 18} | WHY
    unknown = {"memberId": stage.unknown_id("Member")}
    return Effect(stage.admin, right, right | {"age": 30}, right | unknown)


async def set_product_age_min(stage: Stage) -> Effect:
    of_age = {"productId": stage.product_id, "ageMin": 18}
    return Effect(stage.admin, of_age, of_age | {"ageMin": 21}, of_age | {"ageMin": 0})


async def create_code_batch(stage: Stage) -> Effect:
    order = {"productId": stage.product_id, "quantity": 10, "kinds": ["INNER"]}
    return Effect(stage.admin, order, order | {"quantity": 11}, order | {"quantity": 0})


async def activate_code_batch(stage: Stage) -> Effect:
    printed, other, draft = [(await stage.order())[0] for _ in range(3)]
    for batch_id in (printed, other):
        await stage.print(batch_id, 1)
    return Effect(stage.admin, {"id": printed}, {"id": other}, {"id": draft})


async def retire_code_batch(stage: Stage) -> Effect:
    one, other = [{"id": (await stage.order())[0], "reason": "leaked"} for _ in range(2)]
    return Effect(stage.admin, one, other, one | {"id": stage.unknown_id("CodeBatch")})


async def publish_campaign(stage: Stage) -> Effect:
    scan = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    return Effect(stage.admin, scan, scan | {"priority": 1}, scan | {"priority": 10_000})


async def save_campaign_draft(stage: Stage) -> Effect:
    scan = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    return Effect(stage.admin, scan, scan | {"code": "other"}, scan | {"priority": 10_000})


async def draft_from_template(stage: Stage) -> Effect:
    made = {"template": "CHECK_IN", "code": "daily"}
    return Effect(stage.admin, made, made | {"code": "other"}, made | {"budgetFen": 1})


async def take_campaign_draft(stage: Stage) -> Effect:
    scan = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    one, other = [
        (await stage.admin.done("saveCampaignDraft", **scan | {"code": code}))["draft"]
        for code in ("one", "other")
    ]
    good = {"draftId": one["id"], "revision": 1}
    return Effect(stage.admin, good, good | {"draftId": other["id"]}, good | {"revision": 2})


async def simulate_campaign(stage: Stage) -> Effect:
    scan = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID)}
    draft = (await stage.admin.done("saveCampaignDraft", **scan))["draft"]
    good = {"draftId": draft["id"], "past": {"days": 1}}
    return Effect(stage.admin, good, good | {"seed": 2}, good | {"past": {"days": 0}})


async def cancel_simulation(stage: Stage) -> Effect:
    asked = (await simulate_campaign(stage)).good
    runs = [await stage.admin.done("simulateCampaign", **asked) for _ in range(2)]
    one, other = [{"simulationId": run["simulation"]["id"]} for run in runs]
    return Effect(stage.admin, one, other, {"simulationId": stage.unknown_id("Simulation")})


HOOK = {"url": "https://hooks.example/in", "eventTypes": ["scan.paid"]}


async def create_webhook_endpoint(stage: Stage) -> Effect:
    other = HOOK | {"eventTypes": ["coupon.redeemed", "scan.paid"]}
    return Effect(stage.admin, HOOK, other, HOOK | {"url": "http://hooks.example/in"})


async def _of_endpoint(stage: Stage, **more: Any) -> Effect:
    made = [await stage.admin.done("createWebhookEndpoint", **HOOK) for _ in range(2)]
    one, other = [{"endpointId": each["endpoint"]["id"]} | more for each in made]
    unknown = {"endpointId": stage.unknown_id("WebhookEndpoint")}
    return Effect(stage.admin, one, other, one | unknown)


async def configure_webhook_endpoint(stage: Stage) -> Effect:
    return await _of_endpoint(stage, active=False)


async def replay_webhooks(stage: Stage) -> Effect:
    return await _of_endpoint(stage, since="2026-01-01T00:00:00+08:00")


async def resend_webhook(stage: Stage) -> Effect:
    endpoint = (await _of_endpoint(stage)).good
    tests = [await stage.admin.done("sendTestWebhook", **endpoint) for _ in range(2)]
    one, other = [{"deliveryId": test["delivery"]["id"]} for test in tests]
    return Effect(stage.admin, one, other, {"deliveryId": stage.unknown_id("WebhookDelivery")})


KEY = {"name": "ERP", "scopes": ["ISSUE_COUPONS"]}


async def create_partner_key(stage: Stage) -> Effect:
    return Effect(stage.admin, KEY, KEY | {"name": "CRM"}, KEY | {"networks": ["10.0.0.1/8"]})


async def _of_key(stage: Stage, **more: Any) -> Effect:
    made = [await stage.admin.done("createPartnerKey", **KEY) for _ in range(2)]
    one, other = [{"keyId": each["partnerKey"]["id"]} | more for each in made]
    return Effect(stage.admin, one, other, one | {"keyId": stage.unknown_id("PartnerKey")})


async def configure_partner_key(stage: Stage) -> Effect:
    return await _of_key(stage, requestsPerMinute=7)


async def revoke_partner_key(stage: Stage) -> Effect:
    return await _of_key(stage, **WHY)


async def pause_campaign(stage: Stage) -> Effect:
    return await _move_campaign(stage, "RUNNING")


async def resume_campaign(stage: Stage) -> Effect:
    return await _move_campaign(stage, "PAUSED")


async def _move_campaign(stage: Stage, status: str) -> Effect:
    """Three campaigns, the last of which has ended."""
    ids = []
    for code in ("one", "two", "three"):
        campaign = (await stage.publish(code=code))["campaign"]
        ids.append(campaign["id"])
        if status == "PAUSED":
            await stage.admin.done("pauseCampaign", campaignId=campaign["id"], **WHY)
    one, two, ended = [{"campaignId": id} | WHY for id in ids]
    await stage.admin.done("endCampaign", **ended)
    return Effect(stage.admin, one, two, ended)


async def publish_ladder(stage: Stage) -> Effect:
    def ladder(threshold: int) -> dict[str, Any]:
        level = {"code": "BASIC", "nameZh": "普通", "nameEn": "Basic"}
        return {"levels": [level | {"growthThreshold": threshold}], "role": "GUIDE"}

    return Effect(stage.admin, ladder(0), ladder(0) | {"role": "STORE"}, ladder(1))


async def move_balance(stage: Stage) -> Effect:
    await stage.publish()
    code = await stage.code()
    ids = []
    for phone in (ALICE, BOB):
        member = await stage.member(phone)
        await member.done("scanCode", code=code)
        ids.append((await member.me())["id"])
    move = {"fromMemberId": ids[0], "toMemberId": ids[1], "asset": "POINTS", "reason": "wrong one"}
    return Effect(
        stage.admin, move | {"amount": 60}, move | {"amount": 5}, move | {"amount": 1_000}
    )


# --- places, tills and clerks ------------------------------------------------------------------


async def create_place(stage: Stage) -> Effect:
    await open_shop(stage)
    place = {"code": "west", "name": "西店", "address": "西街2号", "payoutThresholdFen": 100}
    place["storePhone"] = BOB
    return Effect(stage.admin, place, place | {"code": "north"}, place | {"code": "east"})


async def set_place_status(stage: Stage) -> Effect:
    close = {"placeId": (await open_shop(stage)).place_id, "open": False} | WHY
    unknown = {"placeId": stage.unknown_id("Place")}
    return Effect(stage.admin, close, close | {"open": True}, close | unknown)


async def set_place_channel(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    await stage.admin.done("importRoster", role="DEALER", entries=[{"phone": BOB, "name": "商"}])
    dealer = {"placeId": shop.place_id, "dealerPhone": BOB}
    unknown = {"placeId": stage.unknown_id("Place")}
    return Effect(stage.admin, dealer, {"placeId": shop.place_id}, dealer | unknown)


async def set_guide_place(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    await stage.admin.done("importRoster", role="GUIDE", entries=[{"phone": BOB, "name": "李"}])
    guide = {"placeId": shop.place_id, "phone": BOB}
    return Effect(stage.admin, guide, {"phone": BOB}, guide | {"phone": "13900139009"})


async def create_till(stage: Stage) -> Effect:
    till = {"placeId": (await open_shop(stage)).place_id, "name": "二号台"}
    return Effect(stage.admin, till, till | {"name": "三号台"}, till | {"name": "一号台"})


async def revoke_till(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    one, other = [{"tillId": s.till_id} | WHY for s in (shop, await shop.next_door("west"))]
    return Effect(stage.admin, one, other, one | {"tillId": stage.unknown_id("Till")})


async def create_clerk(stage: Stage) -> Effect:
    clerk = {"placeId": (await open_shop(stage)).place_id, "number": "8", "name": "李"}
    other = clerk | {"number": "9", "pin": "2468"}
    return Effect(stage.admin, clerk, other, clerk | {"number": "7"})


async def set_clerk_pin(stage: Stage) -> Effect:
    clerk = {"clerkId": (await open_shop(stage)).clerk_id}
    return Effect(stage.admin, clerk, clerk | {"pin": "2468"}, clerk | {"pin": "no digits"})


async def set_clerk_status(stage: Stage) -> Effect:
    leave = {"clerkId": (await open_shop(stage)).clerk_id, "active": False} | WHY
    unknown = {"clerkId": stage.unknown_id("Clerk")}
    return Effect(stage.admin, leave, leave | {"active": True}, leave | unknown)


# --- coupons -----------------------------------------------------------------------------------


async def create_coupon_template(stage: Stage) -> Effect:
    await open_shop(stage)
    new = TEMPLATE | {"code": "new"}
    return Effect(stage.admin, new, new | {"code": "newer"}, new | {"code": "five"})


async def set_coupon_template_status(stage: Stage) -> Effect:
    pause = {"templateId": (await open_shop(stage)).template_id, "status": "PAUSED"}
    unknown = {"templateId": stage.unknown_id("CouponTemplate")}
    return Effect(stage.admin, pause, pause | {"status": "ACTIVE"}, pause | unknown)


async def buy_coupon(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    one, other, unpriced = [
        {"templateId": id}
        for id in (
            shop.template_id,
            await shop.template("other"),
            await shop.template("unpriced", pointsPrice=None),
        )
    ]
    return Effect(shop.customer, one, other, unpriced)


async def void_coupon(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    one, other = [{"couponId": (await shop.coupon())["id"]} | WHY for _ in range(2)]
    return Effect(stage.admin, one, other, one | {"couponId": stage.unknown_id("Coupon")})


async def hold_coupon(stage: Stage) -> Effect:
    shop = await open_shop(stage)
    one, other = [{"code": (await shop.coupon())["code"]} for _ in range(2)]
    return Effect(shop.clerk, one, other, {"code": "0000 1111 2222 3333"})


async def capture_redemption(stage: Stage) -> Effect:
    return await _step(stage)


async def void_redemption(stage: Stage) -> Effect:
    return await _step(stage)


async def reverse_redemption(stage: Stage) -> Effect:
    return await _step(stage, is_captured=True, **WHY)


async def _step(stage: Stage, *, is_captured: bool = False, **more: str) -> Effect:
    """Two redemptions that may take it."""
    shop = await open_shop(stage)
    ids = [await (shop.captured() if is_captured else shop.held()) for _ in range(2)]
    one, other, unknown = [
        {"redemptionId": id} | more for id in (*ids, stage.unknown_id("Redemption"))
    ]
    return Effect(shop.clerk, one, other, unknown)


EFFECTS: dict[str, Callable[[Stage], Awaitable[Effect]]] = {
    "scanCode": scan_code,
    "inviteMember": invite_member,
    "importRoster": import_roster,
    "setMemberStatus": set_member_status,
    "createProduct": create_product,
    "confirmAge": confirm_age,
    "correctAge": correct_age,
    "setProductAgeMin": set_product_age_min,
    "createCodeBatch": create_code_batch,
    "activateCodeBatch": activate_code_batch,
    "retireCodeBatch": retire_code_batch,
    "publishCampaign": publish_campaign,
    "saveCampaignDraft": save_campaign_draft,
    "deleteCampaignDraft": take_campaign_draft,
    "publishCampaignDraft": take_campaign_draft,
    "draftFromTemplate": draft_from_template,
    "simulateCampaign": simulate_campaign,
    "cancelSimulation": cancel_simulation,
    "createWebhookEndpoint": create_webhook_endpoint,
    "rotateWebhookSecret": _of_endpoint,
    "configureWebhookEndpoint": configure_webhook_endpoint,
    "replayWebhooks": replay_webhooks,
    "sendTestWebhook": _of_endpoint,
    "resendWebhook": resend_webhook,
    "createPartnerKey": create_partner_key,
    "rotatePartnerKey": _of_key,
    "configurePartnerKey": configure_partner_key,
    "revokePartnerKey": revoke_partner_key,
    "pauseCampaign": pause_campaign,
    "resumeCampaign": resume_campaign,
    "endCampaign": pause_campaign,
    "publishLadder": publish_ladder,
    "moveBalance": move_balance,
    "createPlace": create_place,
    "setPlaceStatus": set_place_status,
    "setPlaceChannel": set_place_channel,
    "setGuidePlace": set_guide_place,
    "createTill": create_till,
    "revokeTill": revoke_till,
    "createClerk": create_clerk,
    "setClerkPin": set_clerk_pin,
    "setClerkStatus": set_clerk_status,
    "createCouponTemplate": create_coupon_template,
    "setCouponTemplateStatus": set_coupon_template_status,
    "buyCoupon": buy_coupon,
    "voidCoupon": void_coupon,
    "holdCoupon": hold_coupon,
    "captureRedemption": capture_redemption,
    "voidRedemption": void_redemption,
    "reverseRedemption": reverse_redemption,
}
