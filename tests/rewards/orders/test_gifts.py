"""Gifts are handed out, or cancelled and everything given back where it came from."""

import asyncio
from collections import Counter
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest

from loyalty.actor import system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import (
    NotFound,
    OrderStateWrong,
    OutOfStock,
)
from loyalty.ids import new_id
from loyalty.ledger.models import NEVER_EXPIRES, AccountKind
from loyalty.outbox import list_events
from rewards.merges.service import merge_members
from rewards.offers.models import LimitWindow
from rewards.offers.queries import get_offer
from rewards.offers.terms import Part, RankLimit
from rewards.orders import ending, queries, service
from rewards.orders.models import OfferOrder, OrderStatus, PartPurpose
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.offers.malls import (
    FAR,
    Shopper,
    add_offer,
    add_shopper,
    lots_of,
)
from tests.rewards.orders.taking import assert_clean, books_of, rows_of, take, topics

TODAY = date(2026, 11, 9)


async def _order(db: Database, keyring: Keyring, shopper: Shopper, offer_id: UUID) -> OfferOrder:
    where = "王小二 13800138000 人民路1号"
    order, _ = await db.in_transaction(
        service.redeem_offer, shopper.actor, keyring, offer_id, delivery=f" {where} "
    )
    assert service.opened_delivery(keyring, order) == where
    return order


async def test_a_gift_waits_until_it_is_handed_out_once(db: Database, keyring: Keyring) -> None:
    brand = await db.in_transaction(make_brand)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 500}})
    offer = await db.in_transaction(add_offer, brand)
    admin = system_actor(brand.id)
    order = await _order(db, keyring, shopper, offer.id)
    assert order.status == OrderStatus.PLACED
    [stored] = await rows_of(db, OfferOrder, brand)
    assert "人民" not in stored.delivery_cipher
    with pytest.raises(NotFound):
        await db.in_transaction(ending.fulfil_order, admin, new_id())

    sent = await db.in_transaction(
        ending.fulfil_order, admin, order.id, carrier="顺丰", tracking_number="SF1"
    )
    assert (sent.status, sent.carrier, sent.tracking_number) == ("FULFILLED", "顺丰", "SF1")
    for wanted, again in (
        ("FULFILLED", db.in_transaction(ending.fulfil_order, admin, order.id)),
        ("CANCELLED", db.in_transaction(ending.cancel_order, admin, order.id, "late")),
    ):
        with pytest.raises(OrderStateWrong) as refused:
            await again
        assert refused.value.details == {"status": "FULFILLED", "wanted": wanted}
    assert await topics(db, brand) == {"offer.redeemed": 1, "order.fulfilled": 1}
    await assert_clean(db)


async def test_a_cancelled_order_gives_everything_back_where_it_came_from(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    points = {TODAY: 70, FAR: 100}
    lots = {"POINTS": points, "CASH": {NEVER_EXPIRES: 1000}}
    shopper = await db.in_transaction(add_shopper, brand, lots)
    more: dict[str, Any] = {"fee": Part("CASH", 600), "stock_max": 1, "per_day_max": 1}
    limits = (RankLimit(LimitWindow.ALL, 0, 1),)
    offer = await db.in_transaction(add_offer, brand, limits=limits, **more)
    admin = system_actor(brand.id)
    order = await _order(db, keyring, shopper, offer.id)
    paid = {"POINTS": {FAR: 70}, "CASH": {NEVER_EXPIRES: 400}}
    assert await lots_of(db, brand, shopper) == paid
    assert await take(db, keyring, shopper, offer) == OutOfStock.code

    clock.advance(minutes=5)
    ends = await asyncio.gather(
        *(db.in_transaction(ending.cancel_order, admin, order.id, "缺货") for _ in range(3)),
        return_exceptions=True,
    )
    assert Counter(type(end).__name__ for end in ends) == {"OfferOrder": 1, "OrderStateWrong": 2}
    assert await lots_of(db, brand, shopper) == lots
    books = await books_of(db, brand)
    assert not {kind for kind, _ in books} & {AccountKind.SPENT, AccountKind.FEES}
    async with db.snapshot() as snapshot:
        assert (await get_offer(snapshot, brand.id, offer.id)).taken == 0
        again = await queries.get_order(snapshot, brand.id, order.id)
    assert (again.status, again.reason, again.cancelled_at) == ("CANCELLED", "缺货", clock.at)
    assert await topics(db, brand) == {"offer.redeemed": 1, "order.cancelled": 1}
    await assert_clean(db)

    assert await take(db, keyring, shopper, offer) == "PLACED"
    clock.set(datetime(2026, 11, 10, tzinfo=clock.at.tzinfo))
    assert await take(db, keyring, shopper, offer) == OutOfStock.code
    await assert_clean(db)


def test_parts_are_named_as_the_audit_knows_them() -> None:
    assert [purpose.value for purpose in PartPurpose] == ["PRICE", "FEE", "GIVEN"]


async def test_what_a_merged_member_paid_is_given_back_to_whom_it_leads(
    db: Database, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    old = await db.in_transaction(add_shopper, brand, {"POINTS": {NEVER_EXPIRES: 200}})
    new = await db.in_transaction(add_shopper, brand, {"CASH": {FAR: 7}})
    offer = await db.in_transaction(add_offer, brand, stock_max=1)
    admin = system_actor(brand.id)
    order = await _order(db, keyring, old, offer.id)
    await db.in_transaction(
        merge_members,
        admin,
        from_member_id=old.member_id,
        into_member_id=new.member_id,
        reason="one person",
    )
    await db.in_transaction(ending.cancel_order, admin, order.id, "缺货")
    assert await lots_of(db, brand, new) == {
        "POINTS": {NEVER_EXPIRES: 200},
        "CASH": {FAR: 7},
    }
    async with db.snapshot() as snapshot:
        events = await list_events(snapshot, brand_id=brand.id, topic="order.cancelled")
    assert [event.subject_id for event in events] == [new.member_id]
    assert await take(db, keyring, old, offer) == "PLACED"
    await assert_clean(db)
