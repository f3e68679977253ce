"""A coupon for a gift is exchanged for it once, and given back when the order is cancelled."""

import asyncio
from datetime import date
from uuid import UUID

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import CouponNotUsable, InvalidInput, NotFound, OrderStateWrong, Refusal
from rewards.coupons.models import CouponKind, CouponStatus
from rewards.coupons.queries import get_coupon
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import buy_coupon, create_template
from rewards.offers.models import Offer, OfferKind
from rewards.offers.queries import get_offer
from rewards.offers.terms import OfferGives
from rewards.orders import ending, service
from rewards.orders.models import OfferOrder
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.offers.malls import FAR, Shopper, add_offer, add_shopper
from tests.rewards.orders.taking import assert_clean, rows_of, topics

WHERE = "王小二 13800138000 人民路1号"
LAST_DAY = date(2026, 11, 30)


def _definition(offer_id: object, **more: object) -> TemplateDefinition:
    terms: dict[str, object] = {
        "code": "scooter",
        "name_zh": "滑板车",
        "name_en": "Scooter",
        "kind": CouponKind.GIFT,
        "offer_id": offer_id,
        "usable_until": LAST_DAY,
        "points_price": 5,
        "stock_max": 4,
    }
    return TemplateDefinition(**terms | more)  # type: ignore[arg-type]


async def _winner(db: Database) -> tuple[Brand, Shopper, Offer, list[UUID]]:
    """A brand, whose shopper has two coupons for a gift of the mall."""
    brand = await db.in_transaction(make_brand)
    admin = system_actor(brand.id)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 100}})
    offer = await db.in_transaction(add_offer, brand, stock_max=1)
    template = await db.in_transaction(create_template, admin, _definition(offer.id))

    async def buy(tx: Tx) -> UUID:
        return (await buy_coupon(tx, shopper.actor, template.id)).id

    return brand, shopper, offer, [await db.in_transaction(buy) for _ in range(2)]


async def _status(db: Database, brand: Brand, coupon_id: UUID) -> str:
    async with db.snapshot() as snapshot:
        return (await get_coupon(snapshot, brand.id, coupon_id)).status


async def test_a_coupon_becomes_a_gift_once_and_comes_back_with_the_order(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand, shopper, offer, [one, other] = await _winner(db)
    admin = system_actor(brand.id)

    async def order(tx: Tx, coupon_id: UUID) -> OfferOrder:
        return await service.order_gift(tx, shopper.actor, keyring, coupon_id, delivery=WHERE)

    first = await db.in_transaction(order, one)
    assert (first.status, first.coupon_id, first.quantity) == ("PLACED", one, 1)
    assert service.opened_delivery(keyring, first) == WHERE
    assert await _status(db, brand, one) == CouponStatus.ORDERED
    with pytest.raises(CouponNotUsable) as refused:
        await db.in_transaction(order, one)
    assert refused.value.details == {"reason": "ORDERED"}
    stranger = await db.in_transaction(add_shopper, brand, {})
    with pytest.raises(NotFound):
        await db.in_transaction(service.order_gift, stranger.actor, keyring, other)
    await assert_clean(db)

    await db.in_transaction(ending.cancel_order, admin, first.id, "缺货")
    assert await _status(db, brand, one) == CouponStatus.ISSUED
    again = await db.in_transaction(order, one)
    sent = await db.in_transaction(
        ending.fulfil_order, admin, again.id, carrier="顺丰", tracking_number="SF1"
    )
    assert (sent.status, sent.tracking_number) == ("FULFILLED", "SF1")
    with pytest.raises(OrderStateWrong):
        await db.in_transaction(ending.cancel_order, admin, again.id, "late")

    late = await db.in_transaction(order, other)
    clock.advance(days=30)
    await db.in_transaction(ending.cancel_order, admin, late.id, "缺货")
    assert await _status(db, brand, other) == CouponStatus.EXPIRED
    with pytest.raises(CouponNotUsable) as refused:
        await db.in_transaction(order, other)
    assert refused.value.details == {"reason": "EXPIRED"}
    async with db.snapshot() as snapshot:
        assert (await get_offer(snapshot, brand.id, offer.id)).taken == 0
    assert (await topics(db, brand))["offer.redeemed"] == 3
    await assert_clean(db)


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_of_many_orders_for_one_coupon_at_once_one_is_placed(
    db: Database, keyring: Keyring
) -> None:
    brand, shopper, _, [one, _] = await _winner(db)

    async def order() -> str:
        try:
            await db.in_transaction(service.order_gift, shopper.actor, keyring, one)
        except Refusal as refusal:
            return refusal.code
        return "placed"

    ends = await asyncio.gather(*(order() for _ in range(8)))
    assert sorted(ends) == ["COUPON_NOT_USABLE"] * 7 + ["placed"]
    assert len(await rows_of(db, OfferOrder, brand)) == 1
    await assert_clean(db)


async def test_a_template_for_a_gift_names_one_of_the_malls(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    admin = system_actor(brand.id)
    cup = await db.in_transaction(add_offer, brand)
    fen = await db.in_transaction(
        add_offer, brand, OfferGives(OfferKind.ASSET, asset="CHANCES", amount=1)
    )
    elsewhere = await db.in_transaction(make_brand, "elsewhere")
    foreign = await db.in_transaction(add_offer, elsewhere)
    with pytest.raises(NotFound) as unknown:
        await db.in_transaction(create_template, admin, _definition(foreign.id))
    assert unknown.value.details == {"noun": "offer"}
    with pytest.raises(InvalidInput) as no_gift:
        await db.in_transaction(create_template, admin, _definition(fen.id))
    assert no_gift.value.details["field"] == "offerId"
    wrong: dict[str, dict[str, object]] = {
        "offerId": {"offer_id": None},
        "productId": {"product_id": cup.id},
        "costFen": {"cost_fen": 1},
        "feeFen": {"fee_fen": 1},
        "placeIds": {"place_ids": (cup.id,)},
        "productIds": {"product_ids": (cup.id,)},
    }
    for path, more in wrong.items():
        definition = _definition(**{"offer_id": cup.id, **more})
        with pytest.raises(InvalidInput) as refused:
            await db.in_transaction(create_template, admin, definition)
        assert refused.value.details["field"] == path
