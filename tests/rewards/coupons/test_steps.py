"""A coupon takes legal steps alone, each under its guard, and expires by its brand's calendar."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand
from loyalty.db import Database, RetryTransaction, Tx
from loyalty.errors import CouponNotUsable, NotFound
from loyalty.ids import new_id
from rewards.coupons import service
from rewards.coupons.models import Coupon, CouponStatus, CouponTemplate
from rewards.issues import service as issues
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.coupons.wallets import add_template, coupon_of, issue

OURS, OTHERS = new_id(), new_id()
TODAY, TOMORROW = date(2026, 11, 9), date(2026, 11, 10)
HOLD = timedelta(minutes=5)


@dataclass
class Till:
    """Does steps to one coupon, each in a transaction of its own."""

    db: Database
    brand: Brand
    coupon_id: UUID

    async def hold(self, redemption_id: UUID) -> bool:
        async def step(tx: Tx) -> bool:
            coupon = await service.lock_coupon(tx, self.brand.id, self.coupon_id)
            return await service.hold(tx, coupon, redemption_id, tx.now + HOLD)

        return await self.db.in_transaction(step)

    async def release(self, redemption_id: UUID) -> bool:
        return await self.db.in_transaction(
            service.release, self.brand.id, self.coupon_id, redemption_id
        )

    async def redeem(self, redemption_id: UUID) -> bool:
        return await self.db.in_transaction(
            service.redeem, self.brand.id, self.coupon_id, redemption_id
        )

    async def give_back(self, redemption_id: UUID, today: date = TODAY) -> CouponStatus | None:
        async def step(tx: Tx) -> CouponStatus | None:
            coupon = await service.lock_coupon(tx, self.brand.id, self.coupon_id)
            return await service.give_back(tx, coupon, redemption_id, today)

        return await self.db.in_transaction(step)

    async def void(self, _: UUID) -> bool:
        try:
            await self.db.in_transaction(
                service.void_coupon, system_actor(self.brand.id), self.coupon_id, "a mistake"
            )
        except CouponNotUsable:
            return False
        return True


State = Callable[[Till, SettableClock], Awaitable[Any]]


async def _issued(till: Till, clock: SettableClock) -> None:
    pass


async def _held(till: Till, clock: SettableClock) -> None:
    assert await till.hold(OURS)


async def _lapsed(till: Till, clock: SettableClock) -> None:
    assert await till.hold(OURS)
    clock.at += HOLD


async def _redeemed(till: Till, clock: SettableClock) -> None:
    assert await till.hold(OURS)
    assert await till.redeem(OURS)


async def _void(till: Till, clock: SettableClock) -> None:
    assert await till.void(OURS)


STATES: dict[State, set[str]] = {
    _issued: {"hold OTHERS", "void OTHERS", "void OURS", "hold OURS"},
    _held: {"release OURS", "redeem OURS"},
    _lapsed: {"hold OTHERS", "hold OURS", "release OURS", "void OTHERS", "void OURS"},
    _redeemed: {"give_back OURS"},
    _void: set(),
}
"""Each state of a coupon, and what may be done to it there."""

STEPS = ("hold", "release", "redeem", "give_back", "void")


async def test_a_coupon_takes_legal_steps_alone(clocked_db: Database, clock: SettableClock) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    template = await clocked_db.in_transaction(add_template, brand)
    begins_at = clock()
    for state, legal in STATES.items():
        done = set()
        for name in STEPS:
            for who, redemption_id in (("OURS", OURS), ("OTHERS", OTHERS)):
                clock.set(begins_at)
                coupon_id = await clocked_db.in_transaction(issue, brand, template)
                till = Till(clocked_db, brand, coupon_id)
                await state(till, clock)
                before = await coupon_of(clocked_db, brand, coupon_id)
                if await getattr(till, name)(redemption_id):
                    done.add(f"{name} {who}")
                else:
                    assert await coupon_of(clocked_db, brand, coupon_id) == before
        assert done == legal, state.__name__


async def test_a_step_leaves_behind_who_has_the_coupon_and_until_when(
    clocked_db: Database, clock: SettableClock
) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    template = await clocked_db.in_transaction(add_template, brand)
    coupon_id = await clocked_db.in_transaction(issue, brand, template)
    till = Till(clocked_db, brand, coupon_id)

    def said(coupon: Coupon) -> tuple[Any, ...]:
        return (coupon.status, coupon.redemption_id, coupon.held_until, coupon.ended_at)

    await till.hold(OURS)
    held = await coupon_of(clocked_db, brand, coupon_id)
    assert said(held) == ("HELD", OURS, clock() + HOLD, None)
    await till.redeem(OURS)
    redeemed = await coupon_of(clocked_db, brand, coupon_id)
    assert said(redeemed) == ("REDEEMED", OURS, None, clock())
    assert await till.give_back(OURS) is CouponStatus.ISSUED
    assert said(await coupon_of(clocked_db, brand, coupon_id)) == ("ISSUED", None, None, None)

    await till.hold(OTHERS)
    await till.redeem(OTHERS)
    last_day = (await coupon_of(clocked_db, brand, coupon_id)).usable_until
    clock.advance(days=30)
    assert await till.give_back(OTHERS, last_day + timedelta(1)) is CouponStatus.EXPIRED
    assert said(await coupon_of(clocked_db, brand, coupon_id)) == ("EXPIRED", None, None, clock())


async def test_of_many_who_hold_at_once_one_has_it(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    template = await db.in_transaction(add_template, brand)
    coupon_id = await db.in_transaction(issue, brand, template)
    seen = await coupon_of(db, brand, coupon_id)

    async def hold(tx: Tx, redemption_id: UUID) -> bool:
        return await service.hold(tx, seen, redemption_id, tx.now + HOLD)

    ids = [new_id() for _ in range(8)]
    taken = await asyncio.gather(*(db.in_transaction(hold, id) for id in ids))
    assert sum(taken) == 1
    assert (await coupon_of(db, brand, coupon_id)).redemption_id == ids[taken.index(True)]


async def test_a_coupon_is_found_by_its_number_in_its_own_brand(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    template = await db.in_transaction(add_template, brand)
    coupon_id = await db.in_transaction(issue, brand, template, code="1234567890123456")
    async with db.snapshot() as snapshot:
        for typed, owner, found in (
            ("1234 5678 9012 3456", brand, coupon_id),
            ("1234 5678 9012 3456", other, None),
            ("1234 5678 9012 3457", brand, None),
            ("1234", brand, None),
        ):
            coupon = await service.find_by_code(snapshot, owner.id, typed)
            assert (coupon.id if coupon else None) == found
        with pytest.raises(NotFound):
            await service.get_coupon(snapshot, other.id, coupon_id)
        with pytest.raises(NotFound):
            await service.get_template(snapshot, other.id, template.id)
    with pytest.raises(NotFound):
        await db.in_transaction(service.lock_coupon, other.id, coupon_id)
    await db.in_transaction(_same_number_again, brand, template)


async def _same_number_again(tx: Tx, brand: Brand, template: CouponTemplate) -> None:
    with pytest.raises(RetryTransaction):
        await issue(tx, brand, template, code="1234567890123456")


async def test_coupons_expire_when_the_day_is_over_where_their_brand_is(
    clocked_db: Database, clock: SettableClock
) -> None:
    shanghai = await clocked_db.in_transaction(make_brand)
    lima = await clocked_db.in_transaction(make_brand, "lima")
    template = await clocked_db.in_transaction(add_template, shanghai)

    async def move(tx: Tx) -> None:
        brand = await get_brand(tx, lima.id)
        brand.timezone = "America/Lima"
        tx.session.add(brand)
        await tx.session.flush()

    await clocked_db.in_transaction(move)

    async def add(brand: Brand, until: date) -> UUID:
        return await clocked_db.in_transaction(issue, brand, template, usable_until=until)

    ours, later = await add(shanghai, TODAY), await add(shanghai, TOMORROW)
    theirs = await add(lima, TODAY)
    held, lapsed, redeemed = [await add(shanghai, TODAY) for _ in range(3)]
    clock.set(datetime(2026, 11, 9, 15, 54, 59, tzinfo=UTC))
    await Till(clocked_db, shanghai, lapsed).hold(OURS)
    await Till(clocked_db, shanghai, redeemed).hold(OURS)
    await Till(clocked_db, shanghai, redeemed).redeem(OURS)
    clock.advance(seconds=3)
    await Till(clocked_db, shanghai, held).hold(OURS)

    async def statuses() -> list[str]:
        every = ((shanghai, ours), (shanghai, later), (lima, theirs), (shanghai, held))
        more = ((shanghai, lapsed), (shanghai, redeemed))
        return [(await coupon_of(clocked_db, *which)).status for which in (*every, *more)]

    clock.set(datetime(2026, 11, 9, 15, 59, 59, tzinfo=UTC))  # a second before midnight
    assert await clocked_db.in_transaction(issues.expire_coupons, 100) == 0
    clock.advance(seconds=1)
    assert await clocked_db.in_transaction(issues.expire_coupons, 100) == 2
    assert await statuses() == ["EXPIRED", "ISSUED", "ISSUED", "HELD", "EXPIRED", "REDEEMED"]
    expired = await coupon_of(clocked_db, shanghai, lapsed)
    assert (expired.ended_at, expired.redemption_id) == (clock(), None)

    clock.set(datetime(2026, 11, 10, 5, 0, tzinfo=UTC))  # midnight in Lima
    assert await clocked_db.in_transaction(issues.expire_coupons, 1) == 1
    assert await clocked_db.in_transaction(issues.expire_coupons, 100) == 1
    assert await statuses() == ["EXPIRED", "ISSUED", "EXPIRED", "EXPIRED", "EXPIRED", "REDEEMED"]


async def test_a_coupon_that_somebody_works_on_is_left_for_the_next_time(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    template = await db.in_transaction(add_template, brand)
    past = {"usable_until": date(2026, 1, 1)}
    busy, free = [await db.in_transaction(issue, brand, template, **past) for _ in range(2)]

    async def expire_meanwhile(tx: Tx) -> None:
        await service.lock_coupon(tx, brand.id, busy)
        if db.dialect == "postgresql":  # SQLite's writer is alone
            assert await db.in_transaction(issues.expire_coupons, 100) == 1

    await db.in_transaction(expire_meanwhile)
    await db.in_transaction(issues.expire_coupons, 100)
    for coupon_id in (busy, free):
        assert (await coupon_of(db, brand, coupon_id)).status == "EXPIRED"
