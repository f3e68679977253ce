"""Every move of a level names the transfer behind it: of ladders that count growth, and of those
that count what was spent; of levels that begin later, and of growth that expires at night."""

from datetime import date, timedelta

from loyalty.actor import MemberRole
from loyalty.assets.rules import Unit
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.models import Account, Transfer
from tests.clocks import SettableClock
from tests.rewards.offers.malls import add_shopper
from tests.rewards.returns.shopping import open_shop
from tests.tiers.standings.members import add_members, bought, brand_with, fold, publish, rows
from tests.tiers.standings.timelines import MONTH, NEXT_PERIOD, levels
from tiers.ladders.models import PeriodKind, TierEnd, TierMetric
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderPolicy
from tiers.ladders.service import publish_ladder
from tiers.standings.models import Standing, StandingChange
from tiers.standings.reevaluation import re_evaluate

YEAR = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)


async def test_what_was_spent_and_given_back_names_transfers_of_both(db: Database) -> None:
    shop = await open_shop(db)
    await shop.run(
        publish_ladder,
        shop.actor,
        role=MemberRole.CONSUMER,
        levels=levels(0, 10_000),
        policy=LadderPolicy(TierMetric.SPEND, None, YEAR, ends=TierEnd.BALANCE_DROP),
    )
    await shop.buy("1", 12_000)
    await shop.give_back("1", "R1", 6_000)
    changes = await rows(db, StandingChange, brand_id=shop.brand.id)
    assert [(c.from_rank, c.to_rank, c.cause_kind) for c in changes] == [
        *[(0, 1, "PURCHASE"), (1, 0, "PURCHASE_RETURN")]
    ]
    for change in changes:
        assert change.transfer_id is not None
        [named] = await rows(db, Transfer, id=change.transfer_id)
        assert named.cause_id == change.cause_id
        owners = await rows(db, Account, owner_id=shop.members["ann"], asset=named.asset)
        assert {a.id for a in owners} & {named.debit_account_id, named.credit_account_id}
    await shop.check_books()


async def test_what_begins_next_period_is_put_down_to_what_earned_it(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    policy = LadderPolicy(TierMetric.SPEND, None, MONTH, NEXT_PERIOD)
    brand, rules = await brand_with(db, levels(0, 100), policy)
    [member] = await db.in_transaction(add_members, brand.id, [clock.at])
    first, second = new_id(), new_id()
    for fen, transfer_id in ((60, first), (60, second), (60, new_id())):
        event = bought(clock.at, fen, transfer_id=transfer_id)
        await db.in_transaction(fold, brand.id, rules, [(member, event)])
    [standing] = await rows(db, Standing)
    assert (standing.rank, standing.pending_rank) == (0, 1)
    assert standing.pending_transfer_id == second
    clock.advance(days=31)
    await db.in_transaction(re_evaluate, 10)
    [change] = await rows(db, StandingChange)
    assert (change.to_rank, change.transfer_id) == (1, second)
    [standing] = await rows(db, Standing)
    assert (standing.pending_rank, standing.pending_transfer_id) == (None, None)


async def test_growth_that_expired_is_what_a_level_fell_for(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _ = await brand_with(db, levels(0, 100), LadderPolicy())
    until = clock.at.date() + timedelta(days=1)
    shopper = await db.in_transaction(
        add_shopper, brand, {"GROWTH": {until: 70, date(2030, 1, 1): 60}}
    )
    await publish(db, brand, levels(0, 100), LadderPolicy(ends=TierEnd.BALANCE_DROP))
    await db.in_transaction(re_evaluate, 10)
    assert [s.rank for s in await rows(db, Standing)] == [1]
    clock.advance(days=2)
    await db.in_transaction(sweep_chunk, brand.id, 100)
    while await db.in_transaction(re_evaluate, 10) is not None:
        pass
    *_, change = await rows(db, StandingChange, member_id=shopper.member_id)
    [expired] = await rows(db, Transfer, kind="EXPIRE")
    assert (change.from_rank, change.to_rank, change.reason) == (1, 0, "DROPPED")
    assert (change.transfer_id, change.cause_kind) == (expired.id, "EXPIRY")
    assert change.cause_id == expired.cause_id
