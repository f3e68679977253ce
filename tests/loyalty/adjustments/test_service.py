"""Adjustments by hand: at once, or by two operators."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.actor import Actor
from loyalty.adjustments.models import Adjustment, AdjustmentStatus
from loyalty.adjustments.queries import list_adjustments
from loyalty.adjustments.service import (
    BALANCE_MAX,
    adjust_balance,
    approve_adjustment,
    reject_adjustment,
)
from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import NEVER_EXPIRES, Expiry, ExpiryKind, Unit
from loyalty.db import Database, Tx
from loyalty.errors import (
    AdjustmentStateWrong,
    AssetRetired,
    InsufficientBalance,
    InvalidInput,
    MemberClosed,
    MemberFrozen,
    NotFound,
    Refusal,
    SecondOperatorNeeded,
)
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause, ReturnPolicy
from loyalty.ledger.service import AMOUNT_MAX
from loyalty.members.service import freeze_member
from loyalty.reversals.rules import Wanted
from loyalty.reversals.service import find_credits, take_back
from tests.loyalty.bank import POINTS, Bank, open_bank, operator

GONE, TODAY, SOON, LATER = (
    date(2026, 11, 8),
    date(2026, 11, 9),
    date(2026, 12, 31),
    date(2027, 12, 31),
)


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def adjusted(bank: Bank, member: UUID, amount: int, **more: Any) -> Adjustment:
    usual: dict[str, Any] = {"asset": POINTS, "reason": "a wrong till"}
    actor = more.pop("actor", bank.actor)
    return await bank.run(adjust_balance, actor, member_id=member, amount=amount, **(usual | more))


async def listed(bank: Bank, **wanted: Any) -> list[tuple[str, int]]:
    async with bank.db.snapshot() as snapshot:
        rows = await list_adjustments(snapshot, bank.brand.id, before=None, limit=10, **wanted)
    return [(row.status, row.amount) for row in rows]


async def test_what_is_given_is_good_as_long_as_what_is_earned_today(bank: Bank) -> None:
    member = await bank.member()
    given = await adjusted(bank, member, 100)
    assert (given.status, given.decided_by_id, given.decided_at) == (
        "APPLIED",
        None,
        given.proposed_at,
    )
    assert await bank.lots(member) == {date(2028, 11, 9): 100}
    await bank.configure(expiry=Expiry(ExpiryKind.PERIOD_END, Unit.YEAR))
    await adjusted(bank, member, 7)
    assert await bank.lots(member) == {date(2028, 11, 9): 100, SOON: 7}
    assert await bank.transfers(given.id) == [("ADJUST", "POSTED", 100, None, date(2028, 11, 9))]
    assert await bank.is_clean()


async def test_what_is_given_repays_what_is_owed(bank: Bank) -> None:
    member, cause = await bank.member(), new_id()
    await bank.credit(member, 50, SOON, cause_id=cause)
    await adjusted(bank, member, -50)
    await bank.run(_owe, bank, member, cause)
    await adjusted(bank, member, 30)
    assert (await bank.lots(member), (await bank.sums(member))["RECEIVABLE"]) == ({}, -20)
    await adjusted(bank, member, 30)
    assert sum((await bank.lots(member)).values()) == 10
    assert await bank.is_clean()


async def _owe(tx: Tx, bank: Bank, member: UUID, cause_id: UUID) -> None:
    """All that a cause gave is taken back, and the member has none of it."""
    has, owes = await ledger.lock_accounts_and_debts(tx, [(bank.brand.id, member)])
    [credit] = await find_credits(tx, bank.brand.id, [(member, cause_id)])
    wanted = [Wanted(credit, credit.amount, ReturnPolicy.UNLIMITED)]
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "", tx.now)
    book = Book(new_id)
    await take_back(tx, book, wanted, cause, TODAY, has=has, owes=owes)
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)


async def test_what_is_taken_comes_from_what_expires_soonest_and_is_good(bank: Bank) -> None:
    member = await bank.member({GONE: 1_000, SOON: 30, LATER: 30})
    taken = await adjusted(bank, member, -40)
    assert await bank.lots(member) == {GONE: 1_000, LATER: 20}
    assert await bank.transfers(taken.id) == [
        ("ADJUST", "POSTED", 30, SOON, None),
        ("ADJUST", "POSTED", 10, LATER, None),
    ]
    assert (await bank.sums(bank.brand.id))["REVERSED"] == 40
    with pytest.raises(InsufficientBalance) as refused:
        await adjusted(bank, member, -21)
    assert refused.value.details == {"available": 20, "wanted": 21}
    assert await listed(bank) == [("APPLIED", -40)]
    assert await bank.is_clean()


async def test_giving_is_activity_and_taking_is_not(bank: Bank) -> None:
    await bank.configure(expiry=Expiry(ExpiryKind.ACTIVITY, count=60))
    member = await bank.member({SOON: 30})
    await adjusted(bank, member, -10)
    assert await bank.lots(member) == {SOON: 20}
    await adjusted(bank, member, 5)
    assert await bank.lots(member) == {date(2027, 1, 8): 25}
    assert await bank.is_clean()


async def test_above_the_limit_a_second_operator_decides(bank: Bank) -> None:
    await bank.configure(adjustment_limit=100)
    member, second = await bank.member({SOON: 500}), operator(bank.brand.id)
    assert (await adjusted(bank, member, 100)).status == "APPLIED"
    assert (await adjusted(bank, member, -100)).status == "APPLIED"
    lots = await bank.lots(member)
    up = await adjusted(bank, member, 101)
    down = await adjusted(bank, member, -101)
    assert (up.status, down.status) == ("PROPOSED", "PROPOSED")
    assert await bank.lots(member) == lots
    assert await bank.transfers(up.id) == []

    for alone in (approve_adjustment, _rejected):
        with pytest.raises(SecondOperatorNeeded):
            await bank.run(alone, bank.actor, up.id)
    approved = await bank.run(approve_adjustment, second, down.id)
    assert (approved.status, approved.decided_by_id) == ("APPLIED", second.id)
    rejected = await bank.run(reject_adjustment, second, up.id, "too much")
    assert (rejected.status, rejected.decision_reason) == ("REJECTED", "too much")
    assert sum((await bank.lots(member)).values()) == 399
    for adjustment, status in ((down, "APPLIED"), (up, "REJECTED")):
        for decide in (approve_adjustment, _rejected):
            with pytest.raises(AdjustmentStateWrong) as refused:
                await bank.run(decide, second, adjustment.id)
            assert refused.value.details["status"] == status
    assert await listed(bank, status=AdjustmentStatus.REJECTED) == [("REJECTED", 101)]
    assert await listed(bank, member_id=new_id()) == []
    assert await bank.is_clean()


async def _rejected(tx: Tx, actor: Actor, adjustment_id: UUID) -> Adjustment:
    return await reject_adjustment(tx, actor, adjustment_id, "no")


async def test_what_cannot_be_applied_any_more_stays_proposed(bank: Bank) -> None:
    await bank.configure(adjustment_limit=0)
    member, second = await bank.member({SOON: 10}), operator(bank.brand.id)
    down = await adjusted(bank, member, -11)
    with pytest.raises(InsufficientBalance):
        await bank.run(approve_adjustment, second, down.id)
    up = await adjusted(bank, member, 11)
    await bank.configure(adjustment_limit=0, status=AssetStatus.RETIRED)
    with pytest.raises(AssetRetired):
        await bank.run(approve_adjustment, second, up.id)
    await bank.run(freeze_member, bank.actor, member, "a thief")
    with pytest.raises(MemberFrozen):
        await bank.run(approve_adjustment, second, down.id)
    assert await listed(bank) == [("PROPOSED", 11), ("PROPOSED", -11)]
    other = await open_bank(bank.db, "other")
    with pytest.raises(NotFound):
        await other.run(approve_adjustment, other.actor, up.id)


async def test_bad_input_is_refused_and_nothing_is_written(bank: Bank) -> None:
    member, frozen = await bank.member({SOON: 10}), await bank.member(status="FROZEN")
    closed = await bank.member(status="MERGED", merged_into=member)
    before = await bank.written()
    bad: list[tuple[dict[str, Any], type[Refusal], str]] = [
        ({"amount": 0}, InvalidInput, "amount"),
        ({"amount": AMOUNT_MAX + 1}, InvalidInput, "amount"),
        ({"amount": -AMOUNT_MAX - 1}, InvalidInput, "amount"),
        ({"asset": "STARS"}, NotFound, "asset"),
        ({"asset": "CASH", "amount": -1}, InsufficientBalance, ""),
        ({"member": new_id()}, NotFound, "member"),
        ({"amount": -11}, InsufficientBalance, ""),
        ({"member": frozen}, MemberFrozen, ""),
        ({"member": frozen, "amount": -1}, MemberFrozen, ""),
        ({"member": closed}, MemberClosed, ""),
        ({"member": closed, "amount": -1}, MemberClosed, ""),
        ({"reason": "\n"}, InvalidInput, "reason"),
    ]
    for wrong, refusal, what in bad:
        asked: dict[str, Any] = {"member": member, "amount": 5} | wrong
        with pytest.raises(refusal) as refused:
            await adjusted(bank, **asked)
        assert what in refused.value.details.values() or not what
        assert await bank.written() == before
    assert (await bank.lots(member), await listed(bank)) == ({SOON: 10}, [])


async def test_no_balance_grows_past_what_can_be_counted(bank: Bank) -> None:
    member = await bank.member()
    await bank.credit(member, BALANCE_MAX - 1, asset="CASH")
    await adjusted(bank, member, 1, asset="CASH")
    with pytest.raises(InvalidInput):
        await adjusted(bank, member, 1, asset="CASH")
    assert await bank.lots(member, "CASH") == {NEVER_EXPIRES: BALANCE_MAX}


async def test_a_retired_asset_is_taken_and_no_longer_given(bank: Bank) -> None:
    await bank.configure(status=AssetStatus.RETIRED)
    member = await bank.member({SOON: 10})
    with pytest.raises(AssetRetired) as refused:
        await adjusted(bank, member, 1)
    assert refused.value.details == {"asset": POINTS}
    await adjusted(bank, member, -4)
    assert await bank.lots(member) == {SOON: 6}


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_of_two_who_decide_at_once_one_does(bank: Bank) -> None:
    await bank.configure(adjustment_limit=0)

    async def outcome(verb: Any, adjustment: Adjustment) -> str:
        try:
            return str((await bank.run(verb, operator(bank.brand.id), adjustment.id)).status)
        except AdjustmentStateWrong:
            return "late"

    for _ in range(4):
        member = await bank.member()  # without an account to wait at
        proposed = await adjusted(bank, member, 10)
        verbs = (approve_adjustment, approve_adjustment, _rejected, approve_adjustment)
        ends = await asyncio.gather(*(outcome(verb, proposed) for verb in verbs))
        assert ends.count("late") == 3
        assert sum((await bank.lots(member)).values()) == (10 if "APPLIED" in ends else 0)
    assert await bank.is_clean()
