"""A scan wins a thing: its coupon is exchanged for it, an operator sends it, and nobody has it
twice."""

from tests.scenarios.shop import BRAND, Shop, coupon_outcome

WHERE = "王小二 13800138000 人民路1号"
MINE = """
{ me { orders { nodes { id status couponId delivery trackingNumber offer { code } } } } }
"""


async def test_a_scooter_won_by_a_scan_is_sent_once(shop: Shop) -> None:
    price = {"rankMin": 0, "parts": [{"asset": "POINTS", "amount": 10**6}]}
    terms = {"nameZh": "滑板车", "nameEn": "Scooter", "prices": [price]}
    offer = await shop.admin.done(
        "createOffer", code="scooter", gives={"kind": "GIFT"}, terms=terms
    )
    offer_id = offer["offer"]["id"]
    template_id = await shop.template(
        "win-a-scooter",
        "GIFT",
        nameZh="滑板车兑换券",
        nameEn="A scooter",
        productId=None,
        offerId=offer_id,
        stockMax=1,
    )
    await shop.publish([coupon_outcome(template_id)])
    [codes] = await shop.print_codes(2, "INNER")
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")
    [coupon] = (await ann.done("scanCode", code=codes[0]))["coupons"]
    assert [each["name"] for each in await ann.wallet()] == ["A scooter"]
    assert (await bob.done("scanCode", code=codes[1]))["unpaidReason"] == "BUDGET"

    # No till takes it, nobody else has it.
    store = await shop.store("SH-001", "南京东路店", "13700137001")
    seen = await store.tills[0].clerk.look_up(coupon["code"])
    assert seen["notUsableReason"] == "GIFT"
    held = await store.tills[0].clerk.do("holdCoupon", code=coupon["code"])
    assert (held["code"], held["details"]) == ("COUPON_NOT_USABLE", {"reason": "GIFT"})
    assert (await bob.do("orderGift", couponId=coupon["id"]))["details"] == {"noun": "coupon"}

    wanted = {"couponId": coupon["id"], "delivery": WHERE, "idempotencyKey": "tapped"}
    order = await ann.done("orderGift", **wanted)
    assert await ann.done("orderGift", **wanted) == order | {"replayed": True}
    again = await ann.do("orderGift", couponId=coupon["id"])
    assert again["details"] == {"reason": "ORDERED"}
    assert [each["status"] for each in await ann.wallet()] == ["ORDERED"]

    await shop.admin.done(
        "fulfilOrder", orderId=order["order"]["id"], carrier="顺丰", trackingNumber="SF1"
    )
    [sent] = (await ann.ask(MINE))["me"]["orders"]["nodes"]
    assert (sent["status"], sent["couponId"]) == ("FULFILLED", coupon["id"])
    assert (sent["delivery"], sent["trackingNumber"]) == (WHERE, "SF1")
    assert sent["offer"] == {"code": "scooter"}
    assert (await shop.host.run("audit", "--brand", BRAND))["broken"] == 0
