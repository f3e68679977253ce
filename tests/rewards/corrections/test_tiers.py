"""Tiers follow what is done to growth by hand, and credits that no longer count."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

import pytest_asyncio
from sqlmodel import col, select

from loyalty.actor import MemberRole, system_actor
from loyalty.assets.rules import Unit
from loyalty.db import Database, Tx
from loyalty.holds.service import hold_balance
from loyalty.ids import new_id
from loyalty.ledger.queries import read_entries
from loyalty.ledger.rules import ReturnPolicy
from loyalty.moves.rules import Leg
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.corrections.service import (
    adjust_balance,
    approve_adjustment,
    capture_hold,
    move_balance,
    move_balances,
    reverse_transfer,
)
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank, operator
from tiers.ladders.models import PeriodKind, TierEnd, TierMetric
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderPolicy
from tiers.ladders.service import publish_ladder, starter_levels
from tiers.standings.models import QualifyingDay, Standing, StandingChange

GROWTH = "GROWTH"
SILVER, GOLD = 1, 2
YEAR = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)
FALLS = LadderPolicy(ends=TierEnd.BALANCE_DROP)
EARNED = LadderPolicy(
    metric=TierMetric.EARNED, metric_asset=POINTS, period=YEAR, ends=TierEnd.BALANCE_DROP
)


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def with_ladder(bank: Bank, policy: LadderPolicy) -> None:
    """The consumers' levels (100 is SILVER, 500 GOLD) under another policy."""
    await bank.run(
        publish_ladder,
        system_actor(bank.brand.id),
        role=MemberRole.CONSUMER,
        levels=starter_levels(),
        policy=policy,
        allow_lowering=True,
    )


async def ranks(bank: Bank, *members: UUID) -> list[int]:
    async with bank.db.snapshot() as snapshot:
        keys = [(bank.brand.id, member) for member in members]
        found = [await snapshot.session.get(Standing, key) for key in keys]
    return [standing.rank if standing else 0 for standing in found]


async def changes(bank: Bank, member: UUID) -> Sequence[StandingChange]:
    """Oldest first."""

    async def read(tx: Tx) -> Sequence[StandingChange]:
        found = await tx.session.exec(
            select(StandingChange)
            .where(col(StandingChange.member_id) == member)
            .order_by(col(StandingChange.id))
        )
        return found.all()

    return await bank.run(read)


async def newest(bank: Bank, member: UUID, kind: str) -> UUID:
    entries = await read_entries(bank.db, bank.brand.id, member, before=None, limit=10)
    return next(entry.id for entry in entries if entry.kind == kind)


async def adjust(bank: Bank, member: UUID, amount: int) -> UUID:
    done = await bank.run(
        adjust_balance, bank.actor, member_id=member, asset=GROWTH, amount=amount, reason="x"
    )
    return done.id


async def reverse(bank: Bank, transfer_id: UUID, amount: int | None = None) -> None:
    await bank.run(
        reverse_transfer,
        bank.actor,
        transfer_id,
        amount=amount,
        policy=ReturnPolicy.UNLIMITED,
        reason="x",
    )


async def test_growth_by_hand_raises_and_lowers_and_each_change_names_its_transfer(
    bank: Bank,
) -> None:
    await with_ladder(bank, FALLS)
    alice, bob = await bank.member(), await bank.member()
    await adjust(bank, alice, 600)
    assert await ranks(bank, alice) == [GOLD]
    legs = [Leg(alice, bob, GROWTH, 550), Leg(bob, alice, GROWTH, 60)]
    zone = bank.brand.timezone
    await bank.run(move_balances, bank.actor, legs, reason="x", timezone=zone, command_id=new_id())
    assert await ranks(bank, alice, bob) == [SILVER, SILVER]
    await bank.run(
        move_balance,
        bank.actor,
        from_member_id=bob,
        to_member_id=alice,
        asset=GROWTH,
        amount=400,
        reason="x",
        timezone=zone,
        command_id=new_id(),
    )
    assert await ranks(bank, alice, bob) == [GOLD, 0]
    hold = await bank.run(
        hold_balance,
        bank.actor,
        member_id=alice,
        asset=GROWTH,
        amount=300,
        ttl_seconds=60,
        reason="x",
    )
    assert await ranks(bank, alice) == [GOLD]
    await bank.run(capture_hold, bank.actor, hold.id, 20)
    assert await ranks(bank, alice) == [SILVER]
    await reverse(bank, await newest(bank, alice, "SPEND"))
    assert await ranks(bank, alice) == [GOLD]
    moved = [(c.from_rank, c.to_rank) for c in await changes(bank, alice)]
    assert moved == [(0, GOLD), (GOLD, SILVER), (SILVER, GOLD), (GOLD, SILVER), (SILVER, GOLD)]
    assert all(change.transfer_id for change in await changes(bank, alice))
    assert await bank.is_clean()


async def test_what_waits_for_approval_moves_no_tier_until_it_is_approved(bank: Bank) -> None:
    await bank.configure(GROWTH, adjustment_limit=10)
    member = await bank.member()
    proposed = await adjust(bank, member, 500)
    assert await ranks(bank, member) == [0]
    await bank.run(approve_adjustment, operator(bank.brand.id), proposed)
    assert await ranks(bank, member) == [GOLD]
    [change] = await changes(bank, member)
    assert (change.cause_kind, change.cause_id) == ("ADJUSTMENT", proposed)
    assert await bank.is_clean()


async def test_what_is_taken_back_no_longer_counts_on_its_day(
    bank: Bank, clock: SettableClock
) -> None:
    member = await bank.member()
    outcome = Outcome(MemberRole.CONSUMER, POINTS, OutcomeBasis.FIXED, 1)
    definition = CampaignDefinition("scan", "扫码", "Scan", EventKind.SCAN, (outcome,))
    campaign, _ = await bank.run(publish_campaign, system_actor(bank.brand.id), definition)
    first = await bank.credit(member, 450, campaign_id=campaign.id)
    clock.set(datetime(2026, 11, 20, 4, tzinfo=UTC))
    second = await bank.credit(member, 100, campaign_id=campaign.id)
    a_gift = await bank.credit(member, 1_000)
    await with_ladder(bank, EARNED)

    async def days() -> dict[date, int]:
        async def read(tx: Tx) -> dict[date, int]:
            rows = await tx.session.exec(
                select(QualifyingDay).where(col(QualifyingDay.member_id) == member)
            )
            return {row.day: row.amount for row in rows}

        return await bank.run(read)

    await reverse(bank, a_gift)
    await reverse(bank, second, 10)
    assert await days() == {date(2026, 11, 9): 450, date(2026, 11, 20): 90}
    assert await ranks(bank, member) == [GOLD]
    clock.set(datetime(2026, 11, 25, 4, tzinfo=UTC))
    await reverse(bank, first)
    assert await days() == {date(2026, 11, 9): 0, date(2026, 11, 20): 90}
    assert await ranks(bank, member) == [0]
    assert await bank.is_clean()
