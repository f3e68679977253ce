"""Locked rewards: what unlocks them, when they lapse, and what an operator takes back."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty.db import Database
from loyalty.errors import InvalidInput, LockedRewardEnded, NotFound
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.members.service import freeze_member
from rewards.campaigns.models import Gate
from rewards.grants.unlocking import report_action, void_locked_reward
from tests.clocks import SettableClock
from tests.rewards.grants.played import CONSUMER, GUIDE, Played, plan_of, play, waits

WEEK: dict[str, Any] = {"lapses_after": "P7D"}


async def report(played: Played, person: str, action: str = "follow") -> int:
    member = await played.member(person)
    reported = await played.db.in_transaction(report_action, played.operator, member.id, action)
    return len(reported.unlocked)


async def void(played: Played, id: UUID, reason: str = "fraud") -> None:
    await played.db.in_transaction(void_locked_reward, played.operator, id, reason)


# --- scans -------------------------------------------------------------------------------------


async def test_a_scan_pays_and_leaves_a_locked_reward_that_the_next_one_unlocks(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(waits("NEXT_SCAN", 500, count=1, **WEEK), budgets={Asset.CASH: 2000})
    played = await play(clocked_db, plan)
    paid, locked = (await played.scan("ann", 0))["rewards"]
    assert paid == {"asset": "POINTS", "amount": 3, "locked": False}
    assert locked == {
        "asset": "CASH",
        "amount": 500,
        "locked": True,
        "lock": {
            "kind": "NEXT_SCAN",
            "key": "NEXT_SCAN",
            "count": 1,
            "unlocks_at": None,
            "lapses_at": (clock.at + timedelta(days=7)).isoformat(),
        },
    }
    assert await played.has("ann") == (0, 500)
    assert await played.budget() == (0, 500)
    assert await played.facts("reward.unlocked") == []
    [waiting] = await played.locked()

    second = await played.scan("ann", 1)
    assert await played.has("ann") == (500, 500)
    assert {"asset": "CASH", "balance": 500, "locked": 500} in second["balances"]
    assert second["unlocked"] == [{"id": waiting.id.hex, "asset": "CASH", "amount": 500}]
    assert await played.budget() == (500, 500)
    assert await played.facts("reward.unlocked") == [{"asset": "CASH", "amount": 500}]
    assert await played.statuses() == ["UNLOCKED", "LOCKED"]
    assert await played.broken() == {}


async def test_only_the_members_own_paid_scans_count(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(waits("NEXT_SCAN", 500, count=2)))
    await played.scan("ann", 0)
    assert (await played.scan("ann", 0))["unpaid_reason"] == "ALREADY_CLAIMED"
    await played.scan("bob", 1)
    [first, _] = await played.locked()
    assert first.unlock_count == 2
    await played.scan("ann", 2)
    assert [row.unlock_count for row in await played.locked()] == [1, 2, 2]
    await played.scan("ann", 3)
    assert await played.statuses() == ["UNLOCKED", "LOCKED", "LOCKED", "LOCKED"]
    assert await played.has("ann") == (500, 1000)


async def test_a_reward_waits_for_a_scan_until_its_time_is_over_swept_or_not(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(waits("NEXT_SCAN", 500, count=1, **WEEK), budgets={Asset.CASH: 2000})
    played = await play(clocked_db, plan)
    await played.scan("ann", 0)
    clock.advance(days=7)
    await played.scan("ann", 1)  # at the very instant: too late
    assert await played.has("ann") == (0, 1000)
    assert await played.sweep() == 1
    assert await played.statuses() == ["LAPSED", "LOCKED"]
    assert await played.budget() == (0, 500)
    assert await played.facts("reward.lapsed") == [{"asset": "CASH", "amount": 500}]
    clock.advance(days=7, microseconds=-1)
    await played.scan("ann", 2)  # a moment before
    assert await played.has("ann") == (500, 500)
    assert await played.broken() == {}


async def test_two_scans_at_once_unlock_a_reward_once(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(waits("NEXT_SCAN", 500, count=1)))
    await played.scan("ann", 0)
    await asyncio.gather(*(played.scan("ann", serial, cache=False) for serial in (1, 2, 3)))
    # Each unlocked what the one before it had left.
    assert await played.statuses() == ["UNLOCKED"] * 3 + ["LOCKED"]
    assert await played.has("ann") == (1500, 500)
    assert await played.broken() == {}


# --- times -------------------------------------------------------------------------------------


async def test_a_reward_is_unlocked_by_its_time_and_its_points_are_good_from_then_on(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(
        waits("AFTER", 5, Asset.POINTS, after="P2D"),
        waits("ON", 7, Asset.POINTS, on="2026-11-15"),
    )
    played = await play(clocked_db, plan)
    await played.scan("ann", 0)
    by_duration, by_date = await played.locked()
    assert by_duration.unlocks_at.replace(tzinfo=UTC) == clock.at + timedelta(days=2)
    midnight_in_shanghai = datetime(2026, 11, 14, 16, tzinfo=UTC)
    assert by_date.unlocks_at.replace(tzinfo=UTC) == midnight_in_shanghai
    clock.advance(days=2, microseconds=-1)
    assert await played.sweep() == 0
    clock.set(datetime(2026, 11, 20, tzinfo=UTC))  # nobody swept for days
    assert await played.sweep() == 2
    assert await played.sweep() == 0
    assert await played.lots("ann", Asset.POINTS) == {
        date(2026, 12, 9): 3,
        date(2026, 12, 11): 5,
        date(2026, 12, 15): 7,
    }
    assert await played.statuses() == ["UNLOCKED", "UNLOCKED"]
    assert len(await played.facts("reward.unlocked")) == 2
    assert await played.broken() == {}


async def test_what_is_due_is_settled_in_chunks_each_once_however_many_sweep(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(waits("AFTER", 5, after="PT1H"), waits("ACTION", 7, action="follow", **WEEK))
    played = await play(clocked_db, plan)
    for serial, person in enumerate(("ann", "bob", "cat", "dan", "new")):
        await played.scan(person, serial)
    clock.advance(hours=1)
    assert await played.sweep(2) == 2
    assert sorted(await played.statuses()) == ["LOCKED"] * 8 + ["UNLOCKED"] * 2
    clock.advance(days=7)
    await asyncio.gather(*(played.sweep(3) for _ in range(4)))
    while await played.sweep(3):
        pass
    assert sorted(await played.statuses()) == ["LAPSED"] * 5 + ["UNLOCKED"] * 5
    assert [await played.has(name) for name in ("ann", "bob", "new")] == [(5, 0)] * 3
    assert await played.broken() == {}


# --- actions -----------------------------------------------------------------------------------


async def test_a_reported_action_unlocks_what_its_member_waits_for(
    clocked_db: Database, clock: SettableClock
) -> None:
    plan = plan_of(
        waits("ACTION", 5, action="follow"),
        waits("ACTION", 6, action="follow", **WEEK),
        waits("ACTION", 7, action="wecom_contact"),
    )
    played = await play(clocked_db, plan)
    await played.scan("ann", 0)
    await played.scan("bob", 1)
    assert await report(played, "ann") == 2
    assert await report(played, "ann") == 0
    assert await played.has("ann") == (11, 7)
    assert await played.has("bob") == (0, 18)
    clock.advance(days=7)
    assert await report(played, "bob") == 1  # the other has lapsed
    assert await report(played, "bob", "wecom_contact") == 1
    assert await played.has("bob") == (12, 6)
    assert await played.broken() == {}


async def test_nobody_who_is_frozen_or_has_nothing_that_waits_is_a_mistake(
    clocked_db: Database,
) -> None:
    played = await play(clocked_db, plan_of(waits("ACTION", 5, action="follow")))
    await played.scan("ann", 0)
    with pytest.raises(NotFound):
        await played.db.in_transaction(report_action, played.operator, new_id(), "follow")
    assert await report(played, "ann", "joined_group") == 0
    member = await played.member("ann")
    await played.db.in_transaction(freeze_member, played.operator, member.id, "fraud")
    assert await report(played, "ann") == 0
    assert await played.has("ann") == (0, 5)
    for name in ("", "Follow", "f" * 41, "关注", "item:1:consumer"):
        with pytest.raises(InvalidInput):
            await report(played, "ann", name)


# --- operators ---------------------------------------------------------------------------------


async def test_an_operator_takes_back_what_is_still_locked_once(clocked_db: Database) -> None:
    plan = plan_of(
        waits("NEXT_SCAN", 5, count=1),
        waits("ACTION", 7, action="follow"),
        budgets={Asset.CASH: 100},
    )
    played = await play(clocked_db, plan)
    await played.scan("ann", 0)
    first, second = await played.locked()
    await void(played, first.id)
    assert await played.has("ann") == (0, 7)
    assert await played.budget() == (0, 7)
    for row, status in ((first, "VOIDED"), (second, "UNLOCKED")):
        if status == "UNLOCKED":
            await report(played, "ann")
        with pytest.raises(LockedRewardEnded) as refused:
            await void(played, row.id)
        assert refused.value.details == {"status": status}
    await played.scan("ann", 1)  # nothing is left that it could unlock
    assert await played.has("ann") == (7, 12)
    with pytest.raises(NotFound):
        await void(played, new_id())
    with pytest.raises(InvalidInput):
        await void(played, second.id, " ")
    assert await played.broken() == {}


async def test_a_guides_reward_that_was_taken_back_is_not_paid_by_the_consumers_scan(
    clocked_db: Database,
) -> None:
    paying = {CONSUMER: {Asset.POINTS: 3}, GUIDE: {Asset.CASH: 5}}
    played = await play(clocked_db, plan_of(gate=Gate.CONSUMER_SCAN, outcomes=paying))
    await played.scan("gus", 0, GUIDE)
    [waiting] = await played.locked()
    assert (waiting.unlock_kind, waiting.unlock_count) == ("ITEM", 1)
    await void(played, waiting.id)
    reply = await played.scan("bob", 0)
    assert (reply["unpaid_reason"], reply["guide_unpaid_reason"]) == (None, "GUIDE_VOIDED")
    assert await played.has("gus", role=GUIDE) == (0, 0)
    assert await played.broken() == {}
