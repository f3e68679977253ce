"""Scans that win coupons: as many as there are, whoever scans at once; with the dates of the
brand's own day; and scans without coupons cost not a statement more."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.scans.reversing import reverse_scan
from tests.clocks import SettableClock
from tests.rewards.grants.played import play
from tests.rewards.scans.worlds import CONSUMER, GUIDE, BrandPlan, CampaignPlan, ScanPlan

ITEMS = 40


def plan(*coupons: int | None, **outcomes: int) -> BrandPlan:
    """One campaign with these coupons and points for the consumer; the guide gets chances."""
    points = {Asset.POINTS: outcomes["points"]} if outcomes else {}
    campaign = CampaignPlan(outcomes={CONSUMER: points, GUIDE: {Asset.CHANCES: 1}}, coupons=coupons)
    return BrandPlan((campaign,), frozenset(), points_valid_months=24, quantity=ITEMS)


def scan(serial: int, person: str = "bob", **more: Any) -> ScanPlan:
    usual = ScanPlan(0, person, CONSUMER, 1, serial, None, f"key {serial}", foreign=False)
    return replace(usual, **more)


async def test_batches_at_once_issue_what_is_in_stock_and_not_one_more(db: Database) -> None:
    played = await play(db, plan(None, 7))
    batches = [
        [scan(number * 5 + i, person) for i in range(5)]
        for number, person in enumerate(("ann", "bob", "cat", "dan"))
    ]
    found = await asyncio.gather(*(played.settle(*batch) for batch in batches))
    replies = [reply for batch in found for reply in batch]
    paid = [reply for reply in replies if reply["unpaid_reason"] is None]
    assert len(paid) == 7 and all(len(reply["coupons"]) == 2 for reply in paid)
    unpaid = [reply for reply in replies if reply["unpaid_reason"] is not None]
    assert all(reply["unpaid_reason"] == "BUDGET" for reply in unpaid)
    assert not any("coupons" in reply or reply["rewards"] for reply in unpaid)

    issued = await played.rows(Coupon)
    won = {coupon["id"] for reply in paid for coupon in reply["coupons"]}
    assert {coupon.id.hex for coupon in issued} == won
    assert {coupon.cause_id.hex for coupon in issued} == {reply["scan_id"] for reply in paid}
    assert [template.issued for template in await played.rows(CouponTemplate)] == [7, 7]


async def test_the_guide_has_one_with_the_consumer_or_neither_has(db: Database) -> None:
    both = CampaignPlan(
        outcomes={CONSUMER: {Asset.POINTS: 3}, GUIDE: {}},
        coupons=(3,),
        coupons_for=(CONSUMER, GUIDE),
    )
    played = await play(db, BrandPlan((both,), frozenset(), points_valid_months=24, quantity=ITEMS))
    # Ann was invited by the guide gus.
    [first, second] = await played.settle(scan(0, "ann"), scan(1, "ann"))
    assert first["guide_unpaid_reason"] is None and len(first["coupons"]) == 1
    assert second["unpaid_reason"] == "BUDGET", "one is left, and two are due"
    [ann, gus] = [await played.member("ann"), await played.member("gus", GUIDE)]
    assert {row.member_id for row in await played.rows(Coupon)} == {ann.id, gus.id}
    assert await played.broken() == {}
    scan_id = UUID(hex=first["scan_id"])
    done = await db.in_transaction(reverse_scan, played.operator, scan_id, "fraud")
    assert done.coupons_voided == 2
    assert {row.status for row in await played.rows(Coupon)} == {"VOID"}
    assert await played.broken() == {}


async def test_all_are_paid_or_nobody_is(clocked_db: Database) -> None:
    played = await play(clocked_db, plan(2, 1, points=5))
    # Ann was invited by the guide gus.
    [first, second] = await played.settle(scan(0, "ann"), scan(1, "ann"))
    assert [reward["amount"] for reward in first["rewards"]] == [5]
    assert first["guide_unpaid_reason"] is None and len(first["coupons"]) == 2
    assert (second["unpaid_reason"], second["rewards"]) == ("BUDGET", [])
    assert second["balances"] == first["balances"]
    assert [template.issued for template in await played.rows(CouponTemplate)] == [1, 1]
    [again] = await played.settle(scan(1, "bob", key="another"))
    assert again["unpaid_reason"] == "ALREADY_CLAIMED"


@pytest.mark.parametrize(
    ("at", "dates"),
    [
        (datetime(2028, 1, 31, 15, 59, 59, tzinfo=UTC), (date(2028, 1, 31), date(2028, 2, 29))),
        (datetime(2028, 1, 31, 16, 0, tzinfo=UTC), (date(2028, 2, 1), date(2028, 3, 1))),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), (date(2027, 1, 1), date(2027, 1, 30))),
    ],
)
async def test_a_coupon_won_is_dated_by_the_brands_own_day(
    clocked_db: Database, clock: SettableClock, at: datetime, dates: tuple[date, date]
) -> None:
    played = await play(clocked_db, plan(None))
    clock.set(at)
    [reply] = await played.settle(scan(0))
    [coupon] = reply["coupons"]
    assert (coupon["usable_from"], coupon["usable_until"]) == tuple(d.isoformat() for d in dates)
    [row] = await played.rows(Coupon)
    assert (row.usable_from, row.usable_until, row.issued_at) == (*dates, at)


async def test_a_coupon_past_its_last_day_is_not_won(
    clocked_db: Database, clock: SettableClock
) -> None:
    # The second template is good until 20 days after the world's beginning.
    played = await play(clocked_db, plan(None, None))
    last = datetime(2026, 11, 29, 15, 59, 59, tzinfo=UTC)
    clock.set(last)
    [reply] = await played.settle(scan(0))
    assert [coupon["usable_until"] for coupon in reply["coupons"]] == ["2026-12-28", "2026-11-29"]
    clock.set(last + timedelta(seconds=1))
    [reply] = await played.settle(scan(1))
    assert reply["unpaid_reason"] == "BUDGET"
