"""Single transfers taken back: what moves, what is refused, and what campaigns may give again."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.actor import MemberRole, system_actor
from loyalty.adjustments.service import adjust_balance
from loyalty.db import Database, Tx
from loyalty.errors import (
    InvalidInput,
    NotFound,
    ReversalTooLarge,
    TransferNotReversible,
)
from loyalty.holds.service import capture_hold, hold_balance, release_hold
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.queries import read_entries
from loyalty.ledger.rules import Book, Cause, ReturnPolicy
from loyalty.members.service import freeze_member
from loyalty.reversals.service import Reversal
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import find_budgets, publish_campaign, write_budgets
from rewards.corrections.service import reverse_transfer
from rewards.merges.service import merge_members
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank

TODAY, SOON, LATER = date(2026, 11, 9), date(2026, 12, 31), date(2027, 12, 31)
BUDGET = 1_000


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def reversed_(
    bank: Bank,
    transfer_id: UUID,
    amount: int | None = None,
    policy: ReturnPolicy = ReturnPolicy.WITHIN_BALANCE,
    reason: str = "a mistake",
) -> Reversal:
    return await bank.run(
        reverse_transfer, bank.actor, transfer_id, amount=amount, policy=policy, reason=reason
    )


def figures(reversal: Reversal) -> tuple[int, int, int]:
    assert reversal.taken is not None
    return reversal.taken.taken, reversal.taken.owed, reversal.taken.left


async def spent(bank: Bank, member: UUID, amount: int) -> None:
    """At once, as whoever sells something takes it."""

    async def spend(tx: Tx) -> None:
        book = Book(new_id)
        cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "spent", tx.now)
        owner = (bank.brand.id, member)
        await ledger.spend_balance(tx, book, owner, POINTS, amount, cause, TODAY)
        await ledger.write_members_side(tx, book)
        await ledger.write_brands_side(tx, book)

    await bank.run(spend)


async def entry(bank: Bank, member: UUID, **wanted: Any) -> UUID:
    """The newest entry of a member that has these values."""
    entries = await read_entries(bank.db, bank.brand.id, member, before=None, limit=100)
    return next(
        row.id
        for row in entries
        if all(getattr(row, name) == value for name, value in wanted.items())
    )


# --- credits -----------------------------------------------------------------------------------


async def campaign_with_budget(tx: Tx, bank: Bank, spent: int) -> UUID:
    outcome = Outcome(MemberRole.CONSUMER, POINTS, OutcomeBasis.FIXED, 10)
    definition = CampaignDefinition(
        "scan", "扫码", "Scan", EventKind.SCAN, (outcome,), budgets={POINTS: BUDGET}
    )
    campaign, _ = await publish_campaign(tx, system_actor(bank.brand.id), definition)
    await write_budgets(tx, {(bank.brand.id, campaign.id, POINTS): (spent, 0)})
    return campaign.id


async def test_what_is_taken_or_owed_of_a_campaigns_credit_it_may_give_again(bank: Bank) -> None:
    campaign_id = await bank.run(campaign_with_budget, bank, 200)
    member = await bank.member()
    first = await bank.credit(member, 150, SOON, campaign_id=campaign_id)
    await bank.credit(member, 50, SOON, campaign_id=campaign_id)
    await spent(bank, member, 170)

    async def budget() -> int:
        [left] = (await bank.run(find_budgets, [(bank.brand.id, campaign_id)])).values()
        return left

    assert figures(await reversed_(bank, first, 40)) == (30, 0, 10)
    assert await budget() == BUDGET - 200 + 30
    assert await bank.is_clean()
    assert figures(await reversed_(bank, first, 120, ReturnPolicy.UNLIMITED)) == (0, 120, 0)
    assert await budget() == BUDGET - 50
    assert (await bank.sums(member))["RECEIVABLE"] == -120
    with pytest.raises(ReversalTooLarge) as refused:
        await reversed_(bank, first)
    assert refused.value.details == {"left": 0, "wanted": 150}
    assert await bank.is_clean()


async def test_each_policy_takes_what_it_may_also_of_who_is_frozen(bank: Bank) -> None:
    member = await bank.member()
    transfer = await bank.credit(member, 100, SOON)
    await spent(bank, member, 30)
    await bank.run(freeze_member, bank.actor, member, "a thief")
    assert figures(await reversed_(bank, transfer, policy=ReturnPolicy.ONLY_PENDING)) == (0, 0, 100)
    assert figures(await reversed_(bank, transfer)) == (70, 0, 30)
    assert figures(await reversed_(bank, transfer, policy=ReturnPolicy.UNLIMITED)) == (0, 30, 0)
    assert await bank.is_clean()


async def test_what_was_given_by_hand_is_taken_back_and_what_is_held_is_not(bank: Bank) -> None:
    member = await bank.member()
    await bank.run(
        adjust_balance, bank.actor, member_id=member, asset=POINTS, amount=100, reason="sorry"
    )
    await bank.run(
        hold_balance,
        bank.actor,
        member_id=member,
        asset=POINTS,
        amount=60,
        ttl_seconds=600,
        reason="a cart",
    )
    given = await entry(bank, member, kind="ADJUST")
    assert figures(await reversed_(bank, given)) == (40, 0, 60)
    assert await bank.sums(member) == {"MAIN": 60, "HELD": 60}
    assert await bank.is_clean()


# --- spends ------------------------------------------------------------------------------------


async def test_what_was_spent_goes_back_to_its_lots_in_any_number_of_steps(bank: Bank) -> None:
    member = await bank.member({SOON: 30, LATER: 100})
    await spent(bank, member, 50)
    of_soon = await entry(bank, member, kind="SPEND", expires_on=SOON)
    of_later = await entry(bank, member, kind="SPEND", expires_on=LATER)
    assert (await reversed_(bank, of_soon)).given_back == 30
    assert (await reversed_(bank, of_later, 5)).given_back == 5
    assert await bank.lots(member) == {SOON: 30, LATER: 85}
    with pytest.raises(ReversalTooLarge) as refused:
        await reversed_(bank, of_later, 16)
    assert refused.value.details == {"left": 15, "wanted": 16}
    assert (await reversed_(bank, of_later)).given_back == 15
    assert await bank.lots(member) == {SOON: 30, LATER: 100}
    assert (await bank.sums(bank.brand.id))["SPENT"] == 0
    assert await bank.is_clean()


async def test_a_captured_hold_is_given_back_and_repays_what_is_owed(bank: Bank) -> None:
    member = await bank.member()
    transfer = await bank.credit(member, 100, SOON)
    hold = await bank.run(
        hold_balance,
        bank.actor,
        member_id=member,
        asset=POINTS,
        amount=100,
        ttl_seconds=600,
        reason="a cart",
    )
    held = await entry(bank, member, phase="PENDING")
    with pytest.raises(TransferNotReversible) as refused:
        await reversed_(bank, held)
    assert refused.value.details == {"reason": "HELD"}
    await bank.run(capture_hold, bank.actor, hold.id)
    await reversed_(bank, transfer, 60, ReturnPolicy.UNLIMITED)
    # Asked for by the entry that began it or by the one that ended it.
    assert (await reversed_(bank, held, 50)).given_back == 50
    assert (await bank.lots(member), (await bank.sums(member))["RECEIVABLE"]) == ({}, -10)
    assert (await reversed_(bank, await entry(bank, member, phase="POST"))).given_back == 50
    assert (await bank.lots(member), (await bank.sums(member))["RECEIVABLE"]) == ({SOON: 40}, 0)
    assert await bank.is_clean()


async def test_what_comes_back_past_its_date_is_not_good_and_repays_nothing(
    bank: Bank, clock: SettableClock
) -> None:
    member = await bank.member({TODAY: 100})
    owing = await bank.credit(member, 40, LATER)
    await spent(bank, member, 140)
    clock.set(datetime(2026, 11, 10, 4, tzinfo=UTC))
    await reversed_(bank, owing, policy=ReturnPolicy.UNLIMITED)
    await reversed_(bank, await entry(bank, member, kind="SPEND", expires_on=TODAY))
    assert await bank.lots(member) == {TODAY: 100}
    assert (await bank.sums(member))["RECEIVABLE"] == -40
    assert await bank.is_clean()


# --- members that were merged --------------------------------------------------------------------


async def test_of_a_merged_member_the_other_one_gives_and_gets(bank: Bank) -> None:
    old, new = await bank.member({SOON: 20}), await bank.member({LATER: 5})
    transfer = await bank.credit(old, 100, LATER)
    await spent(bank, old, 30)
    spend = await entry(bank, old, kind="SPEND", expires_on=SOON)
    await bank.run(
        merge_members, bank.actor, from_member_id=old, into_member_id=new, reason="one person"
    )
    assert await bank.lots(new) == {LATER: 95}
    assert figures(await reversed_(bank, transfer, 98, ReturnPolicy.UNLIMITED)) == (95, 3, 0)
    assert (await reversed_(bank, spend)).given_back == 20
    assert (await bank.lots(old), await bank.lots(new)) == ({}, {SOON: 17})
    assert (await bank.sums(new))["RECEIVABLE"] == 0
    assert await bank.is_clean()


# --- what cannot be reversed ---------------------------------------------------------------------


async def test_what_never_counted_or_still_waits_is_not_reversed(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    hold = await bank.run(
        hold_balance,
        bank.actor,
        member_id=member,
        asset=POINTS,
        amount=1,
        ttl_seconds=600,
        reason="x",
    )
    await bank.run(release_hold, bank.actor, hold.id)
    spent_by_hold = await entry(bank, member, kind="SPEND", phase="PENDING")
    earned = await entry(bank, member, kind="EARN")
    await reversed_(bank, earned, 1)
    refusals = {
        await entry(bank, member, kind="REVERSE"): "KIND",
        spent_by_hold: "VOIDED",
        await entry(bank, member, kind="SPEND", phase="VOID"): "VOIDED",
        await bank.credit(member, 20, locked=True): "LOCKED_REWARD",
    }
    for transfer, reason in refusals.items():
        with pytest.raises(TransferNotReversible) as refused:
            await reversed_(bank, transfer)
        assert refused.value.details == {"reason": reason}


async def test_bad_input_is_refused_and_nothing_is_written(bank: Bank) -> None:
    member = await bank.member()
    transfer = await bank.credit(member, 100, SOON)
    for amount in (0, -1, 10**15 + 1):
        with pytest.raises(InvalidInput):
            await reversed_(bank, transfer, amount)
    with pytest.raises(ReversalTooLarge):
        await reversed_(bank, transfer, 101)
    with pytest.raises(InvalidInput):
        await reversed_(bank, transfer, reason=" ")
    with pytest.raises(NotFound):
        await reversed_(bank, new_id())
    other = await open_bank(bank.db, "other")
    with pytest.raises(NotFound):
        await reversed_(other, transfer)
    assert await bank.lots(member) == {SOON: 100}


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_at_once_no_more_is_given_back_than_was_spent(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    await spent(bank, member, 100)
    spend = await entry(bank, member, kind="SPEND")

    async def once() -> int:
        try:
            return (await reversed_(bank, spend, 40)).given_back
        except ReversalTooLarge:
            return 0

    assert sorted(await asyncio.gather(*(once() for _ in range(6)))) == [0, 0, 0, 0, 40, 40]
    assert await bank.lots(member) == {SOON: 80}
    assert await bank.is_clean()
