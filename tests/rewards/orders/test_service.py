"""Offers of the mall are taken for what they cost, within stock, limits, rank and time, or refused
and nothing is spent. The books are audited after each."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from loyalty.actor import system_actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import Expiry, ExpiryKind, Unit
from loyalty.assets.service import configure_asset
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import (
    InsufficientBalance,
    InvalidInput,
    MemberFrozen,
    MemberLimitReached,
    NotForSale,
    NotFound,
    NotOpenYet,
    OutOfStock,
    RankTooLow,
)
from loyalty.ledger.models import NEVER_EXPIRES
from loyalty.members.service import freeze_member
from rewards.coupons.models import Coupon, CouponTemplateStatus
from rewards.coupons.service import set_template_status
from rewards.offers.models import LimitWindow, Offer, OfferKind, OfferStatus
from rewards.offers.service import update_offer
from rewards.offers.terms import OfferGives, Part, RankLimit
from rewards.orders import service
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.coupons.wallets import add_template
from tests.rewards.offers.malls import (
    FAR,
    Shopper,
    add_offer,
    add_shopper,
    lots_of,
    priced,
    set_rank,
    terms,
)
from tests.rewards.orders.taking import assert_clean, books_of, parts_of, rows_of, take, topics

TODAY = date(2026, 11, 9)
CHANCES = OfferGives(OfferKind.ASSET, asset="CHANCES", amount=3)


# --- what is paid and given --------------------------------------------------------------------


async def test_two_parts_and_a_fee_are_paid_by_what_expires_soonest_and_chances_are_given(
    clocked_db: Database, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    yesterday, tomorrow = TODAY - timedelta(1), TODAY + timedelta(1)
    points = {yesterday: 900, TODAY: 60, tomorrow: 500, FAR: 1000}
    shopper = await db.in_transaction(
        add_shopper, brand, {"POINTS": points, "CASH": {NEVER_EXPIRES: 2000}}
    )
    price = priced(("POINTS", 500), ("CASH", 990))
    offer = await db.in_transaction(add_offer, brand, CHANCES, price, fee=Part("POINTS", 30))

    order, _ = await db.in_transaction(
        service.redeem_offer, shopper.actor, keyring, offer.id, quantity=2
    )
    assert await lots_of(db, brand, shopper) == {
        "POINTS": {yesterday: 900, FAR: 530},
        "CASH": {NEVER_EXPIRES: 20},
        "CHANCES": {NEVER_EXPIRES: 6},
    }
    assert await parts_of(db, order) == {
        ("PRICE", "POINTS"): 1000,
        ("PRICE", "CASH"): 1980,
        ("FEE", "POINTS"): 30,
        ("GIVEN", "CHANCES"): 6,
    }
    books = await books_of(db, brand)
    assert (books["SPENT", "POINTS"], books["FEES", "POINTS"]) == (1000, 30)
    assert (order.status, order.ordered_on, order.rank) == ("FULFILLED", TODAY, 0)
    assert await topics(db, brand) == {"offer.redeemed": 1}

    with pytest.raises(InsufficientBalance) as refused:
        await db.in_transaction(service.redeem_offer, shopper.actor, keyring, offer.id)
    assert refused.value.details == {"asset": "CASH", "available": 20, "wanted": 990}
    await assert_clean(db)


async def test_what_is_given_repays_debts_first_and_lives_as_long_as_its_asset_does(
    clocked_db: Database, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 300}})

    async def prepare(tx: Tx) -> None:
        admin = system_actor(brand.id)
        days = Expiry(ExpiryKind.AFTER, Unit.DAY, 7)
        more: dict[str, Any] = {"adjustment_limit": None, "status": AssetStatus.ACTIVE}
        await configure_asset(tx, admin, "CHANCES", expiry=days, **more)
        active = Expiry(ExpiryKind.ACTIVITY, count=30)
        await configure_asset(tx, admin, "POINTS", expiry=active, **more)

    await db.in_transaction(prepare)
    offer = await db.in_transaction(add_offer, brand, CHANCES)
    assert await take(db, keyring, shopper, offer) == "FULFILLED"
    assert await lots_of(db, brand, shopper) == {
        "POINTS": {FAR: 200},  # good for longer than the activity gives
        "CHANCES": {TODAY + timedelta(7): 3},
    }
    await assert_clean(db)


async def test_coupons_are_issued_as_many_as_were_taken_and_count_in_their_template(
    clocked_db: Database, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 1000}})
    template = await db.in_transaction(add_template, brand, points_price=None, stock_max=3)
    offer = await db.in_transaction(
        add_offer, brand, OfferGives(OfferKind.COUPON, template_id=template.id)
    )
    order, issues = await db.in_transaction(
        service.redeem_offer, shopper.actor, keyring, offer.id, quantity=2
    )
    coupons = await rows_of(db, Coupon, brand)
    assert {c.id for c in coupons} == {issue.id for issue in issues}
    assert {(c.cause_kind, c.cause_id, c.member_id) for c in coupons} == {
        ("ORDER", order.id, shopper.member_id)
    }
    assert await topics(db, brand) == {"offer.redeemed": 1, "coupon.issued": 2}

    assert await take(db, keyring, shopper, offer, quantity=2) == OutOfStock.code
    assert await take(db, keyring, shopper, offer) == "FULFILLED"
    assert await take(db, keyring, shopper, offer) == OutOfStock.code
    paused = CouponTemplateStatus.PAUSED
    await db.in_transaction(set_template_status, system_actor(brand.id), template.id, paused)
    assert await take(db, keyring, shopper, offer) == NotForSale.code
    assert await lots_of(db, brand, shopper) == {"POINTS": {FAR: 700}}
    await assert_clean(db)


async def test_a_rank_may_pay_less_or_nothing(clocked_db: Database, keyring: Keyring) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    prices = (
        priced(("POINTS", 100)),
        priced(("POINTS", 40), rank_min=1),
        priced(rank_min=3),
    )
    offer = await db.in_transaction(add_offer, brand, CHANCES, *prices)
    left = []
    for rank in range(4):
        shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 100}})
        await db.in_transaction(set_rank, brand, shopper, rank)
        assert await take(db, keyring, shopper, offer) == "FULFILLED"
        left.append((await lots_of(db, brand, shopper)).get("POINTS", {}).get(FAR, 0))
    assert left == [0, 60, 60, 100]


# --- what is refused ---------------------------------------------------------------------------


async def test_what_is_closed_to_a_member_is_refused_and_nothing_is_spent(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 1000}})
    stranger = await db.in_transaction(add_shopper, other, {"POINTS": {FAR: 1000}})
    hour = timedelta(hours=1)
    opens_at = clock.at + 3 * hour
    early: dict[str, Any] = {"opens_at": opens_at, "early_hours": 2, "early_rank_min": 1}
    offer = await db.in_transaction(
        add_offer, brand, CHANCES, ends_at=clock.at + 9 * hour, starts_at=clock.at + hour, **early
    )
    golden = await db.in_transaction(add_offer, brand, CHANCES, rank_min=2)

    assert await take(db, keyring, stranger, offer) == NotFound.code
    assert await take(db, keyring, shopper, offer) == NotForSale.code
    clock.advance(hours=2)
    with pytest.raises(NotOpenYet) as refused:
        await db.in_transaction(service.redeem_offer, shopper.actor, keyring, offer.id)
    assert refused.value.details == {"opens_at": "2026-11-09T15:00:00+08:00"}
    with pytest.raises(RankTooLow) as low:
        await db.in_transaction(service.redeem_offer, shopper.actor, keyring, golden.id)
    assert (low.value.details["rank_min"], low.value.details["rank"]) == (2, 0)
    assert low.value.message("en") == "This is for members from Gold up; your level is Basic."
    assert low.value.message("zh-CN") == "该商品仅限金卡会员及以上等级兑换，您当前为普通会员。"
    for quantity in (0, -1, 11):
        assert await take(db, keyring, shopper, golden, quantity=quantity) == InvalidInput.code
    assert await take(db, keyring, shopper, golden, delivery="人民路1号") == InvalidInput.code

    await db.in_transaction(set_rank, brand, shopper, 1)
    assert await take(db, keyring, shopper, offer) == "FULFILLED"  # an hour early
    assert await take(db, keyring, shopper, golden) == RankTooLow.code
    clock.advance(hours=7)
    assert await take(db, keyring, shopper, offer) == NotForSale.code
    admin = system_actor(brand.id)
    await db.in_transaction(update_offer, admin, golden.id, terms(), OfferStatus.PAUSED)
    assert await take(db, keyring, shopper, golden) == NotForSale.code
    await db.in_transaction(update_offer, admin, golden.id, terms(), OfferStatus.ACTIVE)
    await db.in_transaction(
        configure_asset,
        admin,
        "CHANCES",
        expiry=Expiry(),
        adjustment_limit=None,
        status=AssetStatus.RETIRED,
    )
    assert await take(db, keyring, shopper, golden) == NotForSale.code
    await db.in_transaction(freeze_member, admin, shopper.member_id, "farming")
    assert await take(db, keyring, shopper, golden) == MemberFrozen.code
    assert (await lots_of(db, brand, shopper))["POINTS"] == {FAR: 900}
    await assert_clean(db)


async def test_limits_count_by_rank_and_window_also_what_was_taken_before_there_was_one(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 5000}})
    offer = await db.in_transaction(add_offer, brand, CHANCES)
    assert await take(db, keyring, shopper, offer, quantity=2) == "FULFILLED"
    limits = (
        RankLimit(LimitWindow.DAY, 0, 3),
        RankLimit(LimitWindow.MONTH, 0, 5),
        RankLimit(LimitWindow.YEAR, 0, 6),
        RankLimit(LimitWindow.ALL, 0, 7),
        RankLimit(LimitWindow.ALL, 2, 9),
    )
    admin = system_actor(brand.id)
    active = OfferStatus.ACTIVE
    await db.in_transaction(update_offer, admin, offer.id, terms(limits=limits), active)

    async def refused(quantity: int = 1) -> dict[str, Any]:
        with pytest.raises(MemberLimitReached) as refusal:
            await db.in_transaction(
                service.redeem_offer, shopper.actor, keyring, offer.id, quantity=quantity
            )
        return refusal.value.details

    assert await refused(2) == {"window": "DAY", "times_max": 3}
    assert await refused(6) == {"window": "ALL", "times_max": 7}
    assert await take(db, keyring, shopper, offer) == "FULFILLED"
    clock.advance(days=1)
    assert await take(db, keyring, shopper, offer, quantity=2) == "FULFILLED"
    assert await refused() == {"window": "MONTH", "times_max": 5}
    clock.advance(days=31)
    assert await take(db, keyring, shopper, offer) == "FULFILLED"
    assert await refused() == {"window": "YEAR", "times_max": 6}
    clock.advance(days=31)
    assert await take(db, keyring, shopper, offer) == "FULFILLED"
    assert await refused() == {"window": "ALL", "times_max": 7}
    await db.in_transaction(set_rank, brand, shopper, 2)
    assert await take(db, keyring, shopper, offer, quantity=2) == "FULFILLED"
    assert await refused() == {"window": "ALL", "times_max": 9}
    await assert_clean(db)


async def test_the_last_pieces_in_all_and_of_a_day_hold_against_many_at_once(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    shoppers = [
        await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 900}}) for _ in range(6)
    ]
    scarce = await db.in_transaction(add_offer, brand, CHANCES, stock_max=3)
    daily = await db.in_transaction(add_offer, brand, CHANCES, per_day_max=4)
    limits = (RankLimit(LimitWindow.ALL, 0, 1),)
    limited = await db.in_transaction(add_offer, brand, CHANCES, limits=limits)

    async def all_at_once(offer: Offer, who: list[Shopper]) -> Counter[str]:
        return Counter(await asyncio.gather(*(take(db, keyring, one, offer) for one in who)))

    assert await all_at_once(scarce, shoppers) == {"FULFILLED": 3, OutOfStock.code: 3}
    assert await all_at_once(daily, shoppers) == {"FULFILLED": 4, OutOfStock.code: 2}
    assert await take(db, keyring, shoppers[0], daily, quantity=5) == OutOfStock.code
    once = {"FULFILLED": 1, MemberLimitReached.code: 2}
    assert await all_at_once(limited, shoppers[:1] * 3) == once
    clock.advance(days=1)
    assert await all_at_once(daily, shoppers[:5]) == {"FULFILLED": 4, OutOfStock.code: 1}
    await assert_clean(db)
