"""What members are told of their orders in the points mall: in their words, once."""

from loyalty.actor import system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from rewards.offers.models import OfferKind
from rewards.offers.terms import OfferGives
from rewards.orders import ending, service
from tests.brands_made import make_brand
from tests.rewards.coupons.wallets import add_template
from tests.rewards.offers.malls import FAR, GIFT, add_offer, add_shopper
from tests.workers.facts import list_notifications, states
from workers.wiring import make_relay


async def test_what_became_of_an_order_is_told_once_by_the_offers_name(
    db: Database, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 900}})
    template = await db.in_transaction(add_template, brand)
    coupon = OfferGives(OfferKind.COUPON, template_id=template.id)
    chances = OfferGives(OfferKind.ASSET, asset="CHANCES", amount=1)
    offers = [
        (await db.in_transaction(add_offer, brand, gives)).id
        for gives in (GIFT, GIFT, GIFT, coupon, chances)
    ]
    orders = []
    for offer_id, quantity in zip(offers, (1, 1, 1, 2, 1), strict=True):
        order, _ = await db.in_transaction(
            service.redeem_offer, shopper.actor, keyring, offer_id, quantity=quantity
        )
        orders.append(order.id)
    admin = system_actor(brand.id)
    sent = {"carrier": "顺丰", "tracking_number": "SF1"}
    await db.in_transaction(ending.fulfil_order, admin, orders[0], **sent)
    await db.in_transaction(ending.fulfil_order, admin, orders[1])
    await db.in_transaction(ending.cancel_order, admin, orders[2], "缺货")

    await make_relay(db, NullProvider()).run_once()
    assert await states(db) == {"delivered": 10}  # two of them are of the coupons
    told = sorted(await list_notifications(db), key=lambda row: row.id)
    assert {row.member_id for row in told} == {shopper.member_id}
    waits, given = "您已在Demo兑换「茶杯」，我们会尽快为您发放。", "已发放到您的账户。"
    assert [row.content["zh"] for row in told] == [
        *[waits] * 3,
        f"您已在Demo兑换2份「茶杯」，{given}",
        f"您已在Demo兑换「茶杯」，{given}",
        "您在Demo兑换的「茶杯」已发放（顺丰 SF1）。",
        "您在Demo兑换的「茶杯」已发放。",
        "您在Demo兑换的「茶杯」已取消（缺货），所付已退回您的账户。",
    ]
    assert [row.content["en"] for row in told[2:]] == [
        "You have redeemed A cup at Demo. We will get it to you soon.",
        "You have redeemed 2 x A cup at Demo. It is in your account.",
        "You have redeemed A cup at Demo. It is in your account.",
        "A cup from Demo has been handed out (顺丰 SF1).",
        "A cup from Demo has been handed out.",
        "Your order of A cup at Demo was cancelled (缺货). What you paid is back in your account.",
    ]
    assert [row.kind for row in told[-3:]] == ["ORDER_FULFILLED"] * 2 + ["ORDER_CANCELLED"]
