"""Templates stay inside their brand, and coupons are bought for points: however many buy at once,
no more than there are."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand
from loyalty.db import Database
from loyalty.errors import (
    AlreadyExists,
    InsufficientBalance,
    MemberFrozen,
    MemberLimitReached,
    NotForSale,
    NotFound,
    OutOfStock,
    Refusal,
)
from loyalty.ids import new_id
from loyalty.ledger.models import NEVER_EXPIRES
from loyalty.members.service import freeze_member
from rewards.coupons import service
from rewards.coupons.models import Coupon, CouponTemplateStatus
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.coupons.wallets import (
    Buyer,
    add_buyer,
    add_template,
    coupon_of,
    lots_of,
)

PAUSED, ACTIVE = CouponTemplateStatus.PAUSED, CouponTemplateStatus.ACTIVE
TODAY, TOMORROW = date(2026, 11, 9), date(2026, 11, 10)
FAR = date(2028, 1, 1)


async def test_a_template_stays_inside_its_brand_and_is_paused_on_record(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    template = await db.in_transaction(add_template, brand, code="five")
    with pytest.raises(AlreadyExists):
        await db.in_transaction(add_template, brand, code="five")
    assert await db.in_transaction(add_template, other, code="five")
    for foreign, noun in (("place_ids", "place"), ("product_ids", "product")):
        with pytest.raises(NotFound) as refused:
            await db.in_transaction(add_template, brand, **{foreign: (new_id(),)})
        assert refused.value.details == {"noun": noun}

    async def set_status(owner: Brand, status: CouponTemplateStatus) -> tuple[str, int]:
        actor = system_actor(owner.id)
        changed = await db.in_transaction(service.set_template_status, actor, template.id, status)
        async with db.snapshot() as snapshot:
            return changed.status, (await get_brand(snapshot, brand.id)).revision

    _, at_first = await set_status(brand, ACTIVE)
    assert await set_status(brand, PAUSED) == ("PAUSED", at_first + 1)
    assert await set_status(brand, PAUSED) == ("PAUSED", at_first + 1)
    assert await set_status(brand, ACTIVE) == ("ACTIVE", at_first + 2)
    with pytest.raises(NotFound):
        await set_status(other, PAUSED)
    assert await _acts(db, brand, "coupon_template.set_status") == 2


async def _acts(db: Database, brand: Brand, action: str) -> int:
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        table = AuditLogEntry.__table__  # type: ignore[attr-defined]
        found = await connection.execute(
            table.select().where(table.c.brand_id == brand.id, table.c.action == action)
        )
        return len(found.all())


# --- buying ------------------------------------------------------------------------------------


async def _buy(db: Database, buyer: Buyer, template_id: UUID) -> str:
    """What comes of it: the refusal's code, or BOUGHT."""
    try:
        await db.in_transaction(service.buy_coupon, buyer.actor, template_id)
    except Refusal as refusal:
        return refusal.code
    return "BOUGHT"


async def _count(db: Database, brand: Brand, template_id: UUID) -> tuple[int, int]:
    """How many coupons a template counts, and how many there are."""
    async with db.snapshot() as snapshot:
        template = await service.get_template(snapshot, brand.id, template_id)
        connection = await snapshot.session.connection()
        table = Coupon.__table__  # type: ignore[attr-defined]
        rows = await connection.execute(table.select().where(table.c.template_id == template_id))
        return template.issued, len(rows.all())


async def test_buying_spends_what_expires_soonest_and_dates_the_coupon(
    clocked_db: Database, clock: SettableClock
) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    template = await clocked_db.in_transaction(add_template, brand, points_price=120)
    yesterday = TODAY - timedelta(1)
    lots = {NEVER_EXPIRES: 100, FAR: 100, TODAY: 30, yesterday: 500}
    buyer = await clocked_db.in_transaction(add_buyer, brand, lots)

    bought = await clocked_db.in_transaction(service.buy_coupon, buyer.actor, template.id)
    left = {yesterday: 500, FAR: 10, NEVER_EXPIRES: 100}
    assert await lots_of(clocked_db, brand, buyer) == left
    coupon = await coupon_of(clocked_db, brand, bought.id)
    assert (coupon.member_id, coupon.cause_kind) == (buyer.member_id, "BOUGHT")
    assert (coupon.usable_from, coupon.usable_until) == (TODAY, date(2026, 12, 8))

    with pytest.raises(InsufficientBalance) as refused:
        await clocked_db.in_transaction(service.buy_coupon, buyer.actor, template.id)
    assert refused.value.details == {"available": 110, "wanted": 120}
    clock.set(datetime(2026, 11, 9, 16, 0, tzinfo=UTC))  # midnight: another local day
    cheap = await clocked_db.in_transaction(add_template, brand, usable_days=1)
    later = await clocked_db.in_transaction(service.buy_coupon, buyer.actor, cheap.id)
    assert (later.usable_from, later.usable_until) == (TOMORROW, TOMORROW)
    assert await _count(clocked_db, brand, template.id) == (1, 1)


async def test_what_is_not_on_offer_is_not_sold(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    buyer = await db.in_transaction(add_buyer, brand, {FAR: 1000})
    stranger = await db.in_transaction(add_buyer, other, {FAR: 1000})
    template = await db.in_transaction(add_template, brand, stock_max=1)
    unpriced = await db.in_transaction(add_template, brand, points_price=None)
    today_only = await db.in_transaction(add_template, brand, usable_until=TODAY)

    assert await _buy(db, buyer, unpriced.id) == NotForSale.code
    assert await _buy(db, stranger, template.id) == NotFound.code
    admin = system_actor(brand.id)
    await db.in_transaction(service.set_template_status, admin, template.id, PAUSED)
    assert await _buy(db, buyer, template.id) == NotForSale.code
    await db.in_transaction(service.set_template_status, admin, template.id, ACTIVE)
    assert await _buy(db, buyer, template.id) == "BOUGHT"
    assert await _buy(db, buyer, template.id) == OutOfStock.code
    assert await _buy(db, buyer, today_only.id) == "BOUGHT"
    clock.set(datetime(2026, 11, 9, 16, 0, tzinfo=UTC))
    assert await _buy(db, buyer, today_only.id) == NotForSale.code
    await db.in_transaction(freeze_member, admin, buyer.member_id, "farming")
    assert await _buy(db, buyer, today_only.id) == MemberFrozen.code
    assert await lots_of(db, brand, buyer) == {FAR: 800}


async def test_one_balance_one_limit_and_the_last_in_stock_hold_against_many_at_once(
    db: Database,
) -> None:
    brand = await db.in_transaction(make_brand)
    buyers = [await db.in_transaction(add_buyer, brand, {FAR: 350}) for _ in range(4)]
    plenty = await db.in_transaction(add_template, brand)
    limited = await db.in_transaction(add_template, brand, points_price=1, bought_per_member_max=2)
    scarce = await db.in_transaction(add_template, brand, points_price=1, stock_max=5)

    async def all_at_once(template_id: UUID, *who: Buyer) -> Counter[str]:
        answers = await asyncio.gather(*(_buy(db, buyer, template_id) for buyer in who))
        return Counter(answers)

    alice = buyers[0]
    balance = await all_at_once(plenty.id, *[alice] * 6)
    assert balance == {"BOUGHT": 3, InsufficientBalance.code: 3}
    limit = await all_at_once(limited.id, *[alice] * 3, *[buyers[1]] * 3)
    assert limit == {"BOUGHT": 4, MemberLimitReached.code: 2}
    stock = await all_at_once(scarce.id, *buyers, *buyers)
    assert stock == {"BOUGHT": 5, OutOfStock.code: 3}
    assert await _count(db, brand, plenty.id) == (3, 3)
    assert await _count(db, brand, limited.id) == (4, 4)
    assert await _count(db, brand, scarce.id) == (5, 5)
