"""Coupons that wait: in stock they are taken, and issued once what they wait for has come."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from loyalty.actor import MemberRole
from loyalty.db import Database
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import UnlockKind
from rewards.campaigns.rules import CouponOutcome
from rewards.coupons.models import Coupon, CouponTemplate, CouponTemplateStatus
from rewards.coupons.service import set_template_status
from rewards.grants.models import LockedReward
from rewards.grants.unlocking import report_action, settle_due, void_locked_reward
from rewards.merges.service import merge_members
from rewards.scans.reversing import reverse_scan
from tests.clocks import SettableClock
from tests.rewards.coupons.test_won import stock, template, wallet
from tests.rewards.grants.played import plan_of, play
from tests.rewards.grants.test_outcomes import LOCKS, NOT_THEIRS, WHO, bring_about
from tests.rewards.purchases.backed import open_backed
from tests.rewards.returns.shopping import fixed, open_shop
from tests.rewards.scans.boxed import pack

CONSUMER, STORE = MemberRole.CONSUMER, MemberRole.STORE
FOLLOW = Lock(UnlockKind.ACTION, action="follow", lapses_after=timedelta(days=30))


@pytest.mark.parametrize("kind", LOCKS, ids=str)
async def test_everybody_gets_a_coupon_when_its_lock_says(
    clocked_db: Database, clock: SettableClock, kind: UnlockKind
) -> None:
    roles = tuple(role for role in WHO if (kind, role) not in NOT_THEIRS)
    lock = {"kind": kind.value, **LOCKS[kind]}
    plan = plan_of(coupons=(9,), coupons_for=roles, coupon_lock=lock)
    played = await play(clocked_db, replace(plan, quantity=12))
    await clocked_db.in_transaction(pack, played.world, 0, 4, 4)
    first = await played.scan("ann", 0)
    waiting = [reward for reward in first["rewards"] if reward["asset"] == "COUPON"]
    assert [reward["locked"] for reward in waiting] == [True] * (CONSUMER in roles)
    locked = {row.id: row.member_id for row in await played.rows(LockedReward)}
    assert len(locked) == len(roles)
    assert await played.rows(Coupon) == []
    assert [row.issued for row in await played.rows(CouponTemplate)] == [len(roles)]
    assert await played.broken() == {}
    await bring_about(played, clock, kind)
    coupons = {row.cause_id: row for row in await played.rows(Coupon) if row.cause_id in locked}
    assert {id: row.member_id for id, row in coupons.items()} == locked
    assert {row.usable_from for row in coupons.values()} == {clock.at.date()}
    assert await played.broken() == {}
    scan_id = UUID(hex=first["scan_id"])
    done = await clocked_db.in_transaction(reverse_scan, played.operator, scan_id, "fraud")
    assert done.coupons_voided == len(roles)
    assert await played.broken() == {}


async def test_what_lapses_or_is_taken_back_goes_back_into_stock(
    clocked_db: Database, clock: SettableClock
) -> None:
    backed = await open_backed(clocked_db)
    shop = backed.shop
    milk = await template(shop, "milk", stock_max=4)
    await shop.publish(
        [
            fixed("POINTS", 5),
            CouponOutcome(CONSUMER, milk, FOLLOW),
            CouponOutcome(STORE, milk, FOLLOW),
        ]
    )
    await backed.buy("1")
    await backed.buy("2")
    assert (await stock(shop), await wallet(shop)) == ({"milk": 4}, [])
    third = await backed.buy("3")
    assert third.earned == (), "what waits is taken"
    await shop.check_books()
    await shop.give_back("1", "R1", 500)
    assert await stock(shop) == {"milk": 4}, "whole as long as anything is kept"
    await shop.give_back("1", "R2")
    assert await stock(shop) == {"milk": 2}
    await shop.run(report_action, shop.actor, shop.members["ann"], "follow")
    assert await wallet(shop) == [("CONSUMER", "milk", "LOCK", "ISSUED")]
    [waiting] = [row for row in await shop.locked() if row[1] == "LOCKED"]
    assert waiting[0] == 1, "the store's"
    await shop.run(set_template_status, shop.actor, milk, CouponTemplateStatus.PAUSED)
    clock.advance(days=31)
    await shop.run(settle_due, 10)
    assert await stock(shop) == {"milk": 1}, "given back also while the template is paused"
    await shop.give_back("2", "R3")
    assert await wallet(shop) == [("CONSUMER", "milk", "LOCK", "VOID")]
    await shop.check_books()


async def test_a_coupon_that_waits_goes_over_with_its_member_and_can_be_voided(
    db: Database,
) -> None:
    shop = await open_shop(db)
    tea = await template(shop, "tea", stock_max=2)
    await shop.publish([fixed("POINTS", 5), CouponOutcome(CONSUMER, tea, FOLLOW)])
    ann = await shop.buy("1", 1_000, "ann")
    ben = await shop.buy("2", 1_000, "ben")
    pair: dict[str, Any] = {"from_member_id": ann.member_id, "into_member_id": ben.member_id}
    await shop.run(merge_members, shop.actor, **pair, reason="one person")
    await shop.check_books()
    async with db.snapshot() as snapshot:
        rows = list(await snapshot.session.exec(select(LockedReward)))
    assert {row.member_id for row in rows} == {ben.member_id}
    await shop.run(void_locked_reward, shop.actor, rows[0].id, "a mistake")
    assert await stock(shop) == {"tea": 1}
    await shop.publish([fixed("POINTS", 5)])  # no campaign that runs names the tea any more
    await shop.run(report_action, shop.actor, ann.member_id, "follow")
    assert await wallet(shop) == [("CONSUMER", "tea", "LOCK", "ISSUED")]
    await shop.check_books()
