"""A brand with one of everything, and who may do what in it by docs/permissions.md."""

from dataclasses import dataclass

from graphql_schema.export import CALLERS, MAY, PERMISSIONS_FILE
from graphql_schema.nodes import local_id
from loyalty.actor import CLERK_ROLE, PARTNER_ROLE, MemberRole, OperatorRole, Scope
from loyalty.notifications.providers import NullProvider
from loyalty.partner_keys.service import add_uses
from tests.api import Caller
from tests.graphql_schema.allied import agreed, cleared, issued
from tests.graphql_schema.effects_of_value import MALL_TERMS
from tests.graphql_schema.netted import run_of
from tests.graphql_schema.programs import ANSWERS, SURVEY
from tests.graphql_schema.raffling import RAFFLE
from tests.graphql_schema.shop import ALICE, Shop, open_shop
from tests.graphql_schema.stage import BOTH_PAID, SCAN_CAMPAIGN, Stage, outcome
from tests.rewards.payouts.stores import drain
from workers.wiring import make_relay

CERTAIN = {
    "prizes": [
        {"code": "PACKET", "nameZh": "红包", "nameEn": "Packet", "asset": "CASH", "amount": 100},
        {"code": "THANKS", "nameZh": "谢谢", "nameEn": "Thanks"},
    ],
    "stages": [{"oddsFromPpm": 1_000_000, "entries": [{"prize": "PACKET", "weight": 1}]}],
    "consolation": "THANKS",
}
"""A draw that always wins one yuan."""
STOCKED = {"stockMax": 100, "perDayMax": 50}
BOB, WANG = "13800138002", "13900139001"
CONNECTIONS = {
    **dict.fromkeys(
        ("members", "codeBatches", "packings", "scans", "campaigns", "products"), "ADMIN"
    ),
    **dict.fromkeys(("campaignDrafts", "simulations"), "ADMIN"),
    **dict.fromkeys(("webhookEndpoints", "webhookDeliveries", "agreements"), "ADMIN"),
    **dict.fromkeys(("clearingStatements", "clearingEntries"), "ADMIN"),
    **dict.fromkeys(("partnerKeys", "partnerIssues", "issueLists"), "ADMIN"),
    **dict.fromkeys(("clearingAdjustments", "nettingRuns"), "ADMIN"),
    **dict.fromkeys(("places", "couponTemplates", "redemptions", "payouts"), "ADMIN"),
    **dict.fromkeys(("purchases", "holds", "adjustments", "tierChanges"), "ADMIN"),
    **dict.fromkeys(("mallOffers", "offerOrders"), "ADMIN"),
    "memberEvents": "ADMIN",
    "surveyAnswers": "ADMIN",
    "referrals": "ADMIN",
    "raffles": "CONSUMER",
    **dict.fromkeys(("withholdings", "auditLog"), "ADMIN"),
    **dict.fromkeys(("offers", "mall"), "CONSUMER"),
    "myRedemptions": CLERK_ROLE,
    "myPayouts": "STORE",
}
"""The lists among the root fields, and who asks for each."""


@dataclass
class Lived:
    """``ids`` are global, by type: Alice's are the member, its coupon and, as a store, the place
    and its payout. ``coupon_code`` is of the coupon, ``fresh_code`` of an item not yet scanned."""

    stage: Stage
    shop: Shop
    partner: Caller
    ids: dict[str, str]
    coupon_code: str
    fresh_code: str

    @property
    def alice(self) -> Caller:
        return self.shop.customer

    async def people(self, phone: str = BOB, clerk: Caller | None = None) -> dict[str, Caller]:
        """A caller of every kind, as ``graphql_schema.export.CALLERS`` names them; members are
        one person in all roles."""
        found = {"anonymous": self.stage.api.nobody}
        for role in MemberRole:
            found[role.value] = await self.stage.member(phone, role.value)
        found[CLERK_ROLE] = clerk or self.shop.clerk
        found[PARTNER_ROLE] = self.partner
        for operator_role in OperatorRole:
            found[operator_role.value] = self.stage.operator(operator_role)
        return found


def page_cells() -> dict[str, list[str]]:
    """The cells after each field's name, as docs/permissions.md has them."""
    rows = {}
    for line in PERMISSIONS_FILE.read_text().splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows[name.strip("`")] = cells
    return rows


def who_may(field_name: str) -> str:
    """A kind of caller who may call a field by docs/permissions.md."""
    cells = dict(zip(CALLERS, page_cells()[field_name], strict=False))
    return next(
        role
        for role in ("CONSUMER", CLERK_ROLE, "STORE", "ADMIN", PARTNER_ROLE)
        if cells[role] == MAY
    )


async def live(stage: Stage) -> Lived:
    """A guide sells and Alice buys; a coupon for one yuan is redeemed and settled, the store is
    paid, all is taken back, and the coupon is held again. Each brand is made alike."""
    shop = await open_shop(stage, storePhone=ALICE, payee="wallet-1", latitude=31.2, longitude=121)
    behind = {"placeId": shop.place_id, "dealerPhone": WANG, "salespersonPhone": WANG}
    for role in ("DEALER", "SALESPERSON"):
        await stage.admin.done("importRoster", role=role, entries=[{"phone": WANG, "name": "王"}])
    await stage.admin.done("setPlaceChannel", **behind)
    ids = await stage.order(2, "INNER", "OUTER")
    [inner, fresh], [outer, _] = [await stage.print(id, 2) for id in ids]
    await stage.admin.done("activateCodeBatch", id=ids[0])
    await (await stage.guide(WANG)).done("scanCode", code=outer)
    scanned = await shop.customer.done("scanCode", code=inner, scene="shelf")

    product = {"productId": stage.product_id, "productIds": [stage.product_id]}
    one_yuan = {"kind": "PAY_N", "amountOffFen": None, "payFen": 100, "placeIds": [shop.place_id]}
    template_id = await shop.template("one-yuan", **one_yuan, **product)
    coupon = await shop.coupon(template_id)
    basket = {"code": coupon["code"], "basketFen": 900, "productIds": [stage.product_id]}
    held = (await shop.clerk.done("holdCoupon", **basket))["redemption"]["id"]
    await shop.clerk.done("captureRedemption", redemptionId=held)
    await drain(make_relay(stage.database, NullProvider()))
    await shop.clerk.done("reverseRedemption", redemptionId=held, reason="wrong bottle")
    await shop.clerk.done("holdCoupon", **basket)

    value = await live_by_hand(stage, shop.customer, shop.place_id)
    listed = await stage.admin.ask(
        "{ campaigns { nodes { id code } } payouts { nodes { id status } } }"
    )
    [campaign_id] = [c["id"] for c in listed["campaigns"]["nodes"] if c["code"] == "scan"]
    [payout] = listed["payouts"]["nodes"]
    written = SCAN_CAMPAIGN | {"outcomes": list(BOTH_PAID), "condition": "member.isNew"}
    draft = (await stage.admin.done("saveCampaignDraft", **written))["draft"]
    tried = {"draftId": draft["id"], "madeUp": {"people": 1, "eventsPerDay": 1, "days": 1}}
    run = (await stage.admin.done("simulateCampaign", **tried))["simulation"]
    assert payout["status"] == "PAID"
    key_id, partner = await live_partner_key(stage)
    found = {
        "Product": stage.product_id,
        "Member": (await shop.customer.me())["id"],
        **(await live_boxes(stage)),
        "Campaign": campaign_id,
        "CampaignDraft": draft["id"],
        "Simulation": run["id"],
        **await live_webhooks(stage),
        "Agreement": await agreed(stage),
        **(await cleared(stage) | await run_of(stage)),
        "PartnerKey": key_id,
        **(await issued(stage) | await act_of_a_key(stage)),
        "ScanEvent": scanned["scanId"],
        "CouponTemplate": template_id,
        "Coupon": coupon["id"],
        "Place": shop.place_id,
        "Till": shop.till_id,
        "Clerk": shop.clerk_id,
        "Redemption": held,
        "Payout": payout["id"],
        **value,
    }
    return Lived(stage, shop, partner, found, coupon["code"], fresh)


async def live_boxes(stage: Stage) -> dict[str, str]:
    """A box of two bottles: global ids by type."""
    [bottles], [box] = await stage.order(2), await stage.order(1, "BOX_INNER")
    line = {"firstSerial": 0, "count": 2, "perBox": 2, "firstBoxSerial": 0}
    batches = {"bottleBatchId": bottles, "boxBatchId": box}
    packed = await stage.admin.done("packBoxes", **line, **batches)
    return {"CodeBatch": bottles, "Packing": packed["packing"]["id"]}


async def live_partner_key(stage: Stage) -> tuple[str, Caller]:
    """A key that may do everything, rotated and called with: its global id, and who calls."""
    wanted = {"name": "ERP", "scopes": [scope.name for scope in Scope]}
    everywhere = {"networks": ["0.0.0.0/0", "::/0"]}
    made = await stage.admin.done("createPartnerKey", **wanted, **everywhere)
    id = made["partnerKey"]["id"]
    rotated = await stage.admin.done("rotatePartnerKey", keyId=id)
    used = {(stage.brand_id, local_id("PartnerKey", id), "myPartnerKey"): 1}
    await stage.database.in_transaction(add_uses, used)
    return id, stage.api.signed_in(rotated["key"])


async def act_of_a_key(stage: Stage) -> dict[str, str]:
    """The global id of what a partner's key did, by its type."""
    asked = '{ auditLog(action: "partner.issuePartnersCoupon") { nodes { id } } }'
    [act] = (await stage.admin.ask(asked))["auditLog"]["nodes"]
    return {"AuditLogEntry": act["id"]}


async def live_webhooks(stage: Stage) -> dict[str, str]:
    """An endpoint, and a test that waits to be sent there."""
    asked = {"url": "https://hooks.example/in", "eventTypes": ["scan.paid"], "description": "ERP"}
    endpoint = (await stage.admin.done("createWebhookEndpoint", **asked))["endpoint"]
    await stage.admin.done("rotateWebhookSecret", endpointId=endpoint["id"])
    test = await stage.admin.done("sendTestWebhook", endpointId=endpoint["id"])
    return {"WebhookEndpoint": endpoint["id"], "WebhookDelivery": test["delivery"]["id"]}


async def live_by_hand(stage: Stage, alice: Caller, place_id: str) -> dict[str, str]:
    """Alice takes a cup from the mall, buys at a till, has points held, some proposed to be given
    to her by hand, and a level; a reward of hers waits. Their global ids, by type."""
    admin, member_id = stage.admin, (await alice.me())["id"]
    await alice.done("setBirthday", month=5, day=17)
    await alice.done("confirmAge", age=30)
    cup = {"code": "cup", "gives": {"kind": "GIFT"}, "terms": MALL_TERMS | STOCKED}
    offer = (await admin.done("createOffer", **cup))["offer"]
    take = {"offerId": offer["id"], "delivery": "王小二 13800138000 人民路1号"}
    order = (await alice.done("redeemOffer", **take))["order"]
    bought = {"purchaseRef": "till-1", "occurredAt": "2026-11-09T12:00:00+08:00", "source": "TILL"}
    sold = {"memberId": member_id, "amountFen": 10_000, "quantity": 2, "placeId": place_id}
    purchase = (await admin.done("recordPurchase", **bought, **sold))["purchase"]
    hold = {"memberId": member_id, "asset": "POINTS", "amount": 1, "reason": "a basket"}
    held = (await admin.done("holdBalance", **hold, ttlSeconds=86_400))["hold"]
    chances = {"code": "CHANCES", "expiry": {"kind": "NEVER"}, "status": "ACTIVE"}
    await admin.done("configureAsset", **chances, adjustmentLimit=0)
    given = {"memberId": member_id, "asset": "CHANCES", "amount": 1, "reason": "sorry"}
    proposed = (await admin.done("adjustBalance", **given))["adjustment"]
    grant = {"memberId": member_id, "rank": 3, "until": "2099-12-31", "reason": "a friend"}
    await admin.done("grantTier", **grant)
    follow = {"kind": "ACTION", "action": "follow"}
    waits = outcome("CONSUMER", 5, "CHANCES") | {"lock": follow}
    await stage.publish([outcome("CONSUMER", 1000), outcome("GUIDE", 30), waits])
    await alice.done("scanCode", code=await stage.code())
    await admin.done("setWithholding", thresholdFen=1, ratePercent=20)
    await stage.publish([], code="prize", priority=9, draw=CERTAIN)
    await alice.done("scanCode", code=await stage.code())
    [locked] = (await alice.ask("{ me { lockedRewards { nodes { id } } } }"))["me"][
        "lockedRewards"
    ]["nodes"]
    await admin.done("createSurvey", **SURVEY)
    await alice.done("answerSurvey", code=SURVEY["code"], **ANSWERS)
    own = (await alice.done("openReferralCode"))["code"]
    await alice.done("useReferralCode", code=own)
    event = (await alice.done("checkIn", scene="home"))["event"]
    raffle = (await admin.done("createRaffle", **RAFFLE))["raffle"]
    await alice.done("enterRaffle", raffleId=raffle["id"])
    entries = (await alice.ask("{ me { entries { nodes { id kind } } } }"))["me"]["entries"][
        "nodes"
    ]
    return {
        "MallOffer": offer["id"],
        "OfferOrder": order["id"],
        "Purchase": purchase["id"],
        "EarningEvent": event["id"],
        "Raffle": raffle["id"],
        "Hold": held["id"],
        "LockedReward": locked["id"],
        "Adjustment": proposed["id"],
        "Entry": next(entry["id"] for entry in entries if entry["kind"] == "EARN"),
    }
