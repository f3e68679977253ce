"""Scans taken back: both whom they paid give back what they got, and nobody else anything."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from loyalty.actor import MemberRole
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput, NotFound, ScanNotReversible
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import Account, Asset
from loyalty.ledger.rules import Book, Cause
from rewards.campaigns.models import CapCounter, CapSubject, CapWindow, Gate
from rewards.coupons.models import Coupon
from rewards.grants.unlocking import report_action
from rewards.merges.service import merge_members
from rewards.scans.models import Claim, ScanEvent
from rewards.scans.reversing import ScanReversed, reverse_scan
from tests.clocks import SettableClock
from tests.rewards.grants.played import CONSUMER, GUIDE, Played, plan_of, play, waits
from tiers.standings.models import Standing

BOTH = {CONSUMER: {Asset.CASH: 100}, GUIDE: {Asset.CASH: 40}}
TODAY = date(2026, 11, 9)


async def reverse(played: Played, reply: dict[str, Any], reason: str = "fraud") -> ScanReversed:
    scan_id = UUID(hex=reply["scan_id"])
    return await played.db.in_transaction(reverse_scan, played.operator, scan_id, reason)


def figures(done: ScanReversed) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """(taken, owed, voided, left) by role and asset."""
    return {(leg.role, leg.asset): (leg.taken, leg.owed, leg.voided, leg.left) for leg in done.legs}


async def spend(played: Played, person: str, amount: int, role: MemberRole = CONSUMER) -> None:
    member = await played.member(person, role)

    async def verb(tx: Tx) -> None:
        book = Book(new_id)
        cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "spent", tx.now)
        owner = (played.brand_id, member.id)
        await ledger.spend_balance(tx, book, owner, Asset.CASH.value, amount, cause, TODAY)
        await ledger.write_members_side(tx, book)
        await ledger.write_brands_side(tx, book)

    await played.db.in_transaction(verb)


async def debt(played: Played, person: str) -> int:
    member = await played.member(person)
    table = Account.__table__  # type: ignore[attr-defined]
    found = await played.rows(Account, table.c.owner_id == member.id, table.c.kind == "RECEIVABLE")
    return sum(row.debits_posted - row.credits_posted for row in found)


async def test_both_give_back_each_under_its_own_policy(clocked_db: Database) -> None:
    plan = plan_of(
        outcomes=BOTH,
        budgets={Asset.CASH: 1000},
        caps={(CapSubject.MEMBER, CapWindow.DAY): 5},
        return_policies={"CONSUMER": "UNLIMITED"},  # the guide: WITHIN_BALANCE
    )
    played = await play(clocked_db, plan)
    reply = await played.scan("ann", 0)
    other = await played.scan("ann", 1)
    await spend(played, "ann", 150)
    await spend(played, "gus", 70, GUIDE)
    assert await played.budget() == (280, 0)

    assert figures(await reverse(played, reply)) == {
        ("CONSUMER", "CASH"): (50, 50, 0, 0),
        ("GUIDE", "CASH"): (10, 0, 0, 30),
    }
    assert (await played.has("ann"), await debt(played, "ann")) == ((0, 0), 50)
    assert await played.has("gus", role=GUIDE) == (0, 0)
    assert await played.budget() == (170, 0)
    assert [row.used for row in await played.rows(CapCounter)] == [1]  # the other one
    assert (await played.scan("bob", 0))["unpaid_reason"] == "ALREADY_CLAIMED"
    assert {row.outcome for row in await played.rows(Claim)} == {"PAID"}

    with pytest.raises(ScanNotReversible) as refused:
        await reverse(played, reply)
    assert refused.value.details == {"reason": "ALREADY_REVERSED"}
    assert figures(await reverse(played, other))["CONSUMER", "CASH"] == (0, 100, 0, 0)
    assert await played.broken() == {}


async def test_what_a_gate_has_unlocked_for_the_guide_is_part_of_it(clocked_db: Database) -> None:
    plan = plan_of(
        gate=Gate.CONSUMER_SCAN,
        outcomes=BOTH,
        budgets={Asset.CASH: 1000},
        return_policies={"CONSUMER": "ONLY_PENDING"},
    )
    played = await play(clocked_db, plan)
    pre_scan = await played.scan("gus", 0, GUIDE)
    with pytest.raises(ScanNotReversible) as refused:
        await reverse(played, pre_scan)
    assert refused.value.details == {"reason": "PRE_SCAN"}
    reply = await played.scan("bob", 0)
    assert await played.has("gus", role=GUIDE) == (40, 0)
    assert figures(await reverse(played, reply)) == {
        ("CONSUMER", "CASH"): (0, 0, 0, 100),  # nothing of it was pending
        ("GUIDE", "CASH"): (40, 0, 0, 0),
    }
    assert await played.has("bob") == (100, 0)
    assert await played.has("gus", role=GUIDE) == (0, 0)
    assert await played.budget() == (100, 0)
    assert await played.broken() == {}


async def test_what_it_locked_is_taken_back_but_not_what_it_unlocked_of_another_scans(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(
        waits("NEXT_SCAN", 5, count=1),
        waits("ACTION", 7, action="follow"),
        waits("AFTER", 11, after="PT1H"),
        waits("ACTION", 13, action="wecom_contact"),
        budgets={Asset.CASH: 1000},
    )
    played = await play(clocked_db, plan)
    await played.scan("ann", 0)
    clock.advance(hours=1)
    await played.sweep()  # the first scan's 11
    reply = await played.scan("ann", 1)  # which unlocks the first one's 5
    member = await played.member("ann")
    await played.db.in_transaction(report_action, played.operator, member.id, "follow")  # 7 of each
    await played.scan("ann", 2)  # which unlocks the second one's 5
    clock.advance(minutes=30)
    assert await played.has("ann") == (35, 5 + 7 + 11 + 13 + 11 + 13 + 13)
    assert figures(await reverse(played, reply)) == {
        ("CONSUMER", "CASH"): (5 + 7, 0, 11 + 13, 0),
        ("CONSUMER", "POINTS"): (3, 0, 0, 0),
    }
    assert await played.has("ann") == (23, 5 + 7 + 11 + 13 + 13)
    assert await played.budget() == (23, 49)
    assert await played.broken() == {}


async def test_coupons_that_it_won_and_nobody_has_used_are_void(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(coupons=(None, None)))
    other = await played.scan("ann", 1)
    reply = await played.scan("ann", 0)
    done = await reverse(played, reply)
    assert done.coupons_voided == 2
    by_scan = {row.cause_id.hex: row.status for row in await played.rows(Coupon)}
    assert by_scan == {reply["scan_id"]: "VOID", other["scan_id"]: "ISSUED"}
    assert await played.broken() == {}


async def test_a_tier_that_ends_when_the_balance_drops_falls(clocked_db: Database) -> None:
    growing = {CONSUMER: {Asset.POINTS: 3, Asset.GROWTH: 4}}
    plan = plan_of(outcomes=growing, tiers_end="BALANCE_DROP")
    played = await play(clocked_db, plan)
    reply = await played.scan("ann", 0)
    assert [row.rank for row in await played.rows(Standing)] == [1]
    await reverse(played, reply)
    assert [row.rank for row in await played.rows(Standing)] == [0]
    assert await played.broken() == {}


async def test_only_a_consumers_paid_scan_is_taken_back_for_a_reason(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of())
    await played.scan("ann", 0)
    again = await played.scan("ann", 0)
    before = await played.has("ann", Asset.POINTS)
    with pytest.raises(ScanNotReversible) as refused:
        await reverse(played, again)
    assert refused.value.details == {"reason": "NOT_PAID"}
    with pytest.raises(NotFound):
        await reverse(played, {"scan_id": new_id().hex})
    [first, _] = await played.rows(ScanEvent)
    with pytest.raises(InvalidInput):
        await reverse(played, {"scan_id": first.id.hex}, "")
    assert await played.has("ann", Asset.POINTS) == before == (3, 0)


async def test_it_is_taken_back_once_however_many_ask_at_once(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(outcomes=BOTH, budgets={Asset.CASH: 1000}))
    reply = await played.scan("ann", 0)
    answers = await asyncio.gather(
        *(reverse(played, reply) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == (
        ["ScanNotReversible"] * 3 + ["ScanReversed"]
    )
    assert (await played.has("ann"), await played.budget()) == ((0, 0), (0, 0))
    assert await played.broken() == {}


async def test_who_took_the_consumers_place_gives_back_what_it_has_of_the_scan(
    clocked_db: Database,
) -> None:
    plan = plan_of(waits("ACTION", 7, action="follow"), waits("ACTION", 9, action="join"))
    played = await play(clocked_db, plan)
    reply = await played.scan("ann", 0)
    await played.scan("cat", 1)
    ann, cat = await played.member("ann"), await played.member("cat")
    await played.db.in_transaction(
        merge_members, played.operator, from_member_id=ann.id, into_member_id=cat.id, reason="one"
    )
    # Told of the one that is closed: the other's is unlocked, of both scans.
    reported = await played.db.in_transaction(report_action, played.operator, ann.id, "follow")
    assert len(reported.unlocked) == 2
    assert figures(await reverse(played, reply)) == {
        ("CONSUMER", "CASH"): (7, 0, 9, 0),
        ("CONSUMER", "POINTS"): (3, 0, 0, 0),
    }
    assert await played.has("cat") == (7, 9)
    assert await played.has("cat", Asset.POINTS) == (3, 0)
    assert await played.broken() == {}
