"""Members' tiers read and written by set: guards, and days filled from what others wrote."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlmodel import col

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Transfer, TransferReversal
from loyalty.members.models import Member
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from rewards.scans.models import ScanEvent, ScanReversal
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.statement_log import statements_told
from tests.tiers.standings.members import (
    ROLE,
    add_members,
    bought,
    brand_with,
    fold,
    publish,
    rows,
    rules_of,
)
from tests.tiers.standings.timelines import (
    MONTH,
    NEXT_PERIOD_END,
    PERIOD_END,
    YEAR,
    levels,
    noon,
)
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderPolicy
from tiers.standings.folding import MemberTier, TierEvent, after_event, put_grant
from tiers.standings.loading import BrandTiers, load_tiers, write_tiers
from tiers.standings.models import Basis, QualifyingDay, Standing, StandingChange
from tiers.standings.reevaluation import re_evaluate
from tiers.standings.rules import TierGrant

LEVELS = levels(0, 100, 300)
SPEND = LadderPolicy(TierMetric.SPEND, None, YEAR, ends=NEXT_PERIOD_END)
NOV_9 = date(2026, 11, 9)


async def test_what_is_written_is_read_again(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, LEVELS, SPEND)
    [id] = await db.in_transaction(add_members, brand.id, [clock.at])
    transfer_id, cause_id = new_id(), new_id()

    async def rise(tx: Tx) -> MemberTier:
        tier = (await load_tiers(tx, {brand.id: rules}, [(brand.id, id, NOV_9)]))[brand.id, id]
        event = TierEvent(clock.at, "PURCHASE", cause_id, transfer_id, spend_fen=120)
        after_event(tier, event, new_id)
        grant = TierGrant(2, Basis.GRANTED, date(2026, 12, 24), "for the feast")
        put_grant(tier, grant, NOV_9, clock.at, new_id, note="for the feast")
        await write_tiers(tx, [tier])
        return tier

    written = await db.in_transaction(rise)
    found = await db.in_transaction(load_tiers, {brand.id: rules}, [(brand.id, id, NOV_9)])
    read = found[brand.id, id]
    assert (read.held, read.since, read.days) == (written.held, clock.at, {NOV_9: 120})
    [row] = await rows(db, Standing, member_id=id)
    assert (row.rank, row.earned_rank, row.earned_until) == (2, 1, date(2027, 12, 31))
    assert (row.basis, row.held_until, row.due_on) == (
        "GRANTED",
        row.grant_until,
        date(2026, 12, 25),
    )
    changes = await rows(db, StandingChange, member_id=id)
    assert [(c.to_rank, c.reason, c.transfer_id, c.cause_id, c.note) for c in changes] == [
        (1, "EARNED", transfer_id, cause_id, ""),
        (2, "GRANTED", None, None, "for the feast"),
    ]


async def test_a_standing_that_moved_meanwhile_is_not_written_over(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, LEVELS, SPEND)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 2)
    wanted = [(brand.id, id, NOV_9) for id in ids]
    await db.in_transaction(fold, brand.id, rules, [(ids[0], bought(clock.at, 10))])
    stale = await db.in_transaction(load_tiers, {brand.id: rules}, wanted)
    for id in ids:  # one that was there and one that is new, by somebody else
        await db.in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 100))])
    for tier in stale.values():
        after_event(tier, bought(clock.at, 300), new_id)

        async def write(tx: Tx, tier: MemberTier = tier) -> None:
            with pytest.raises(RetryTransaction):
                await write_tiers(tx, [tier])

        await db.in_transaction(write)
    assert {row.rank for row in await rows(db, Standing)} == {1}


async def test_loading_is_the_same_statements_for_any_number_of_members(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    counts = {}
    for policy in (LadderPolicy(), SPEND):
        brand, rules = await brand_with(db, LEVELS, policy)
        ids = await db.in_transaction(add_members, brand.id, [clock.at] * 30)
        await db.in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 1)) for id in ids])
        for size in (1, 30):
            wanted = [(brand.id, id, NOV_9) for id in ids[:size]]

            async def load(
                tx: Tx, id: UUID = brand.id, rules: BrandTiers = rules, wanted: Any = wanted
            ) -> int:
                async with statements_told(tx) as told:
                    await load_tiers(tx, {id: rules}, wanted)
                return len(told)

            counts[policy.metric, size] = await db.in_transaction(load)
    assert counts == {
        (TierMetric.GROWTH, 1): 1,  # the default ladder costs no further statement
        (TierMetric.GROWTH, 30): 1,
        (TierMetric.SPEND, 1): 2,
        (TierMetric.SPEND, 30): 2,
    }


# --- history -----------------------------------------------------------------------------------


async def lived(db: Database, brand: Brand) -> UUID:
    """A member with purchases in two months, of 120 and 250 yuan, and scans on two days."""
    facts = [
        PurchaseFact("1", "ann", date(2026, 3, 31), 1, 12_000),
        PurchaseFact("2", "ann", date(2026, 4, 1), 1, 20_000),
        PurchaseFact("3", "ann", date(2026, 4, 1), 1, 5_000),
    ]
    results = await db.in_transaction(settle_purchases, brand.id, system_actor(brand.id), facts)
    member_id = results[0].member_id
    assert member_id is not None
    # 23:30 in Shanghai on the 1st, and half an hour into the 2nd; and one that paid nothing.
    at = datetime(2026, 4, 1, 15, 30, tzinfo=UTC)
    scans = [(at, None), (at + timedelta(hours=1), None), (at + timedelta(days=5), "CAP")]

    async def scan(tx: Tx) -> None:
        connection = await tx.session.connection()
        for when, unpaid in scans:
            row = ScanEvent(
                brand_id=brand.id,
                item_no=1,
                code_kind="INNER",
                batch_id=new_id(),
                product_id=new_id(),
                identity_id=member_id,
                member_id=member_id,
                role=ROLE.value,
                verdict="FIRST",
                unpaid_reason=unpaid,
                guide_member_id=None,
                guide_unpaid_reason=None,
                campaign_version_id=None,
                device_hash=None,
                latitude=None,
                longitude=None,
                scene=None,
                occurred_at=when,
                created_at=when,
            )
            await connection.execute(insert(ScanEvent).values(row.model_dump()))

    await db.in_transaction(scan)
    return member_id


MARCH_31, APRIL_1, APRIL_2 = date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2)


@pytest.mark.parametrize(
    ("metric", "asset", "days"),
    [
        (TierMetric.SPEND, None, {MARCH_31: 12_000, APRIL_1: 25_000}),
        (TierMetric.EARNED, "POINTS", {MARCH_31: 120, APRIL_1: 250}),
        (TierMetric.SCANS, None, {APRIL_1: 1, APRIL_2: 1}),
        (TierMetric.VISITS, None, {MARCH_31: 1, APRIL_1: 1, APRIL_2: 1}),
    ],
)
async def test_days_are_filled_from_history_when_a_ladder_begins_to_count_them(
    db: Database, metric: TierMetric, asset: str | None, days: dict[date, int]
) -> None:
    brand = await db.in_transaction(make_brand)
    member_id = await lived(db, brand)
    assert await rows(db, QualifyingDay) == []
    policy = LadderPolicy(metric, asset, MONTH, ends=PERIOD_END)
    await publish(db, brand, LEVELS, policy)
    rules = await rules_of(db, brand)
    # The next event counts on top of all that was before, once.
    at = noon(date(2026, 4, 20))
    event = TierEvent(at, "SCAN", new_id(), earned={"POINTS": 7}, spend_fen=7, scans=7, visit=True)
    tiers = await db.in_transaction(fold, brand.id, rules, [(member_id, event)])
    more = 1 if metric is TierMetric.VISITS else 7
    wanted = days | {date(2026, 4, 20): more}
    assert tiers[brand.id, member_id].days == wanted
    assert {row.day: row.amount for row in await rows(db, QualifyingDay)} == wanted
    # A version that counts the same goes on with what is there; another counts anew.
    await publish(db, brand, levels(0, 5, 6), policy)
    rules = await rules_of(db, brand)
    await db.in_transaction(fold, brand.id, rules, [(member_id, event)])
    counted = {row.day: row.amount for row in await rows(db, QualifyingDay)}
    assert counted == wanted | {date(2026, 4, 20): 1 if more == 1 else 14}


async def test_what_was_taken_back_was_not_earned(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    member_id = await lived(db, brand)
    [bigger] = [t for t in await rows(db, Transfer) if (t.asset, t.amount) == ("POINTS", 200)]

    async def take_back(tx: Tx) -> None:
        await tx.add(
            TransferReversal(brand_id=brand.id, transfer_id=bigger.id, amount=200, reversed=150)
        )

    await db.in_transaction(take_back)
    policy = LadderPolicy(TierMetric.EARNED, "POINTS", MONTH)
    await publish(db, brand, LEVELS, policy)
    rules = await rules_of(db, brand)
    found = await db.in_transaction(load_tiers, {brand.id: rules}, [(brand.id, member_id, APRIL_1)])
    assert found[brand.id, member_id].days == {MARCH_31: 120, APRIL_1: 100}


async def test_a_scan_that_was_taken_back_is_a_visit_and_no_scan(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    member_id = await lived(db, brand)
    [first, *_] = sorted(await rows(db, ScanEvent), key=lambda scan: scan.occurred_at)
    reversal = ScanReversal(
        brand_id=brand.id,
        scan_id=first.id,
        reason="why",
        reversed_by=new_id(),
        created_at=first.occurred_at,
    )
    await db.in_transaction(lambda tx: tx.add(reversal))
    for metric, april_1 in ((TierMetric.SCANS, {}), (TierMetric.VISITS, {APRIL_1: 1})):
        await publish(db, brand, LEVELS, LadderPolicy(metric, None, MONTH))
        rules = await rules_of(db, brand)
        wanted = [(brand.id, member_id, APRIL_1)]
        days = (await db.in_transaction(load_tiers, {brand.id: rules}, wanted))[brand.id, member_id]
        assert {day: n for day, n in days.days.items() if day > MARCH_31} == {APRIL_2: 1} | april_1


async def test_what_a_merged_member_did_is_its_successors_history(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    member_id = await lived(db, brand)
    [successor] = await db.in_transaction(add_members, brand.id, [noon(APRIL_1)])

    async def merge(tx: Tx) -> None:
        await tx.session.exec(
            update(Member)
            .where(col(Member.id) == member_id)
            .values(status="MERGED", merged_into_id=successor)
        )

    await db.in_transaction(merge)
    await publish(db, brand, LEVELS, LadderPolicy(TierMetric.SPEND, None, MONTH))
    while (chunk := await db.in_transaction(re_evaluate, 10)) and chunk.is_more_to_do:
        pass
    days = {(row.member_id, row.day): row.amount for row in await rows(db, QualifyingDay)}
    assert days == {(successor, MARCH_31): 12_000, (successor, APRIL_1): 25_000}


async def test_a_ladder_that_counted_nothing_in_between_makes_days_count_anew(
    db: Database,
) -> None:
    brand = await db.in_transaction(make_brand)
    member_id = await lived(db, brand)
    spend = LadderPolicy(TierMetric.SPEND, None, MONTH)
    first = await publish(db, brand, LEVELS, spend)
    rules = await rules_of(db, brand)
    await db.in_transaction(fold, brand.id, rules, [(member_id, bought(noon(APRIL_2), 1))])
    await publish(db, brand, LEVELS)
    # Bought while the balance counted: no day was written.
    fact = PurchaseFact("4", "ann", APRIL_2, 1, 900)
    await db.in_transaction(settle_purchases, brand.id, system_actor(brand.id), [fact])
    second = await publish(db, brand, LEVELS, spend)
    assert second.counting_id not in (None, first.counting_id)
    rules = await rules_of(db, brand)
    found = await db.in_transaction(load_tiers, {brand.id: rules}, [(brand.id, member_id, APRIL_2)])
    assert found[brand.id, member_id].days == {MARCH_31: 12_000, APRIL_1: 25_000, APRIL_2: 900}
