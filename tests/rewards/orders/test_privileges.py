"""What a level grants in the mall is honoured: offers of its own, hours before others, more pieces,
and fees waived as often as its quota says."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import MemberLimitReached, NotOpenYet, PrivilegeUsedUp, RankTooLow
from rewards.offers.models import LimitWindow, OfferKind
from rewards.offers.service import find_buyer
from rewards.offers.terms import OfferGives, Part, RankLimit
from rewards.orders.models import OfferOrder
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.offers.malls import FAR, add_offer, add_shopper, member_of, set_rank
from tests.rewards.orders.taking import assert_clean, parts_of, rows_of, take
from tiers.ladders.rules import Level
from tiers.ladders.service import publish_ladder
from tiers.privileges.rules import Privilege, PrivilegeKind, QuotaPeriod

TODAY = date(2026, 11, 9)
CHANCES = OfferGives(OfferKind.ASSET, asset="CHANCES", amount=1)


def privilege(kind: PrivilegeKind, **more: Any) -> Privilege:
    return Privilege(kind.value, kind, "权益", "Privilege", **more)


async def publish(tx: Tx, brand: Brand, *privileges: Privilege) -> None:
    """The brand's first level above none grants these."""
    levels = [
        Level(0, "BASIC", "普通会员", "Basic", 0, 100),
        Level(1, "SILVER", "银卡会员", "Silver", 100, 100, False, privileges),
        Level(2, "GOLD", "金卡会员", "Gold", 500, 100),
        Level(3, "DIAMOND", "钻石会员", "Diamond", 2000, 100),
    ]
    await publish_ladder(tx, system_actor(brand.id), role=MemberRole.CONSUMER, levels=levels)


async def test_a_level_opens_offers_sooner_for_more_pieces_and_without_fees(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    fee, once = Part("POINTS", 10), (RankLimit(LimitWindow.ALL, 0, 1),)
    soon = clock.at + timedelta(hours=5)
    early = await db.in_transaction(add_offer, brand, CHANCES, opens_at=soon)
    golden = await db.in_transaction(add_offer, brand, CHANCES, rank_min=2, limits=once, fee=fee)
    other = await db.in_transaction(add_offer, brand, CHANCES, rank_min=2)
    await db.in_transaction(
        publish,
        brand,
        privilege(PrivilegeKind.OFFER_ACCESS, offer_codes=(golden.code,)),
        privilege(PrivilegeKind.EARLY_ACCESS, count=5),
        privilege(PrivilegeKind.HIGHER_LIMIT, count=1),
        privilege(PrivilegeKind.FEE_WAIVER, quota_count=1, quota_period=QuotaPeriod.MONTH),
    )
    plain = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 1000}})
    silver = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 1000}})
    await db.in_transaction(set_rank, brand, silver, 1)

    assert await take(db, keyring, plain, early) == NotOpenYet.code
    assert await take(db, keyring, plain, golden) == RankTooLow.code
    assert await take(db, keyring, silver, early) == "FULFILLED"
    assert await take(db, keyring, silver, other) == RankTooLow.code
    assert await take(db, keyring, silver, golden) == "FULFILLED"
    assert await take(db, keyring, silver, golden) == "FULFILLED"
    assert await take(db, keyring, silver, golden) == MemberLimitReached.code
    paid = [
        await parts_of(db, OfferOrder(**row._mapping))
        for row in await rows_of(db, OfferOrder, brand)
        if row.offer_id == golden.id
    ]
    # The month's one waiver is used up by the first.
    assert sorted(("FEE", "POINTS") in parts for parts in paid) == [False, True]
    await assert_clean(db)


async def test_one_waiver_waives_one_fee_of_many_at_once(db: Database, keyring: Keyring) -> None:
    brand = await db.in_transaction(make_brand)
    quota: dict[str, Any] = {"quota_count": 1, "quota_period": QuotaPeriod.YEAR}
    await db.in_transaction(publish, brand, privilege(PrivilegeKind.FEE_WAIVER, **quota))
    offer = await db.in_transaction(add_offer, brand, CHANCES, fee=Part("POINTS", 10))
    silver = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 1000}})
    await db.in_transaction(set_rank, brand, silver, 1)
    ends = Counter(await asyncio.gather(*(take(db, keyring, silver, offer) for _ in range(4))))
    assert set(ends) <= {"FULFILLED", PrivilegeUsedUp.code}
    orders = [OfferOrder(**row._mapping) for row in await rows_of(db, OfferOrder, brand)]
    free = [("FEE", "POINTS") not in await parts_of(db, order) for order in orders]
    assert free.count(True) == 1
    assert len(orders) == ends["FULFILLED"]

    async def look(tx: Tx) -> tuple[bool, bool]:
        buyer = await find_buyer(tx, await member_of(tx, silver), TODAY)
        return buyer.privileges.waives_fees, buyer.waiver is None

    assert await db.in_transaction(look) == (False, True)
    await assert_clean(db)


async def test_what_a_level_grants_is_honoured_in_its_window_and_its_quota_begins_anew(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    """From the 10th to the 12th; the waiver once a month."""
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    once, fee = (RankLimit(LimitWindow.ALL, 0, 1),), Part("POINTS", 10)
    golden = await db.in_transaction(add_offer, brand, CHANCES, rank_min=2)
    once_each = await db.in_transaction(add_offer, brand, CHANCES, limits=once)
    posted = await db.in_transaction(add_offer, brand, CHANCES, fee=fee)
    early = await db.in_transaction(
        add_offer, brand, CHANCES, opens_at=clock.at + timedelta(days=9)
    )
    days: dict[str, Any] = {"starts_on": TODAY + timedelta(1), "ends_on": TODAY + timedelta(3)}
    await db.in_transaction(
        publish,
        brand,
        privilege(PrivilegeKind.OFFER_ACCESS, offer_codes=(golden.code,), **days),
        privilege(PrivilegeKind.EARLY_ACCESS, count=240, **days),
        privilege(PrivilegeKind.HIGHER_LIMIT, count=1, **days),
        privilege(PrivilegeKind.FEE_WAIVER, quota_count=1, quota_period=QuotaPeriod.MONTH),
    )
    silver = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 2000}})
    await db.in_transaction(set_rank, brand, silver, 1)
    seen = []
    for _ in range(5):
        seen.append(
            [await take(db, keyring, silver, offer) for offer in (golden, early, once_each)]
        )
        clock.advance(days=1)
    refused = [RankTooLow.code, NotOpenYet.code]
    done, over = "FULFILLED", MemberLimitReached.code
    assert seen == [
        [*refused, done],
        [done, done, done],
        *[[done, done, over]] * 2,
        [*refused, over],
    ]
    free = []
    for _ in range(2):
        for _ in range(2):
            assert await take(db, keyring, silver, posted) == done
            row = max(await rows_of(db, OfferOrder, brand), key=lambda row: row.id)
            free.append(("FEE", "POINTS") not in await parts_of(db, OfferOrder(**row._mapping)))
        clock.advance(days=30)
    assert free == [True, False, True, False]
    await assert_clean(db)
