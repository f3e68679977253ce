"""Rewards that wait for bottles of a box: what unlocks them, whoever scans."""

from dataclasses import replace
from typing import Any

from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.grants.models import BoxCount
from rewards.merges.service import merge_members
from rewards.scans.reversing import reverse_scan
from tests.clocks import SettableClock
from tests.rewards.grants.played import CONSUMER, GUIDE, Played, plan_of, play, waits
from tests.rewards.scans.boxed import pack
from tests.rewards.scans.worlds import ScanPlan

WEEK: dict[str, Any] = {"lapses_after": "P7D"}
BOTTLES = "BOX_BOTTLES"


async def boxed(db: Database, *locked: Any, first: int = 0, count: int = 4) -> Played:
    """A brand with one box; those of its bottles that are told are in it."""
    plan = replace(plan_of(*locked, budgets={Asset.CASH: 5000}), quantity=12)
    played = await play(db, plan)
    await db.in_transaction(pack, played.world, first, count, count)
    return played


async def counts(played: Played) -> list[int]:
    return [row.bottles for row in await played.rows(BoxCount)]


async def left(played: Played) -> list[int]:
    return [row.unlock_count for row in await played.locked()]


async def test_the_kth_bottle_of_a_box_unlocks_what_waits_for_it_whoever_scans(
    clocked_db: Database, clock: SettableClock
) -> None:
    played = await boxed(clocked_db, waits(BOTTLES, 500, count=3, **WEEK))
    _, locked = (await played.scan("ann", 0))["rewards"]
    assert (locked["locked"], locked["lock"]["count"]) == (True, 2)
    assert (await played.scan("ann", 0))["unpaid_reason"] == "ALREADY_CLAIMED"
    await played.scan("ann", 6)  # of no known box: it counts for nobody, and waits for two more
    await played.scan("gus", 3, GUIDE)  # a pre-scan is no consumer's
    second = await played.scan("bob", 1)
    assert "unlocked" not in second
    assert await left(played) == [1, 2, 1]
    assert await counts(played) == [2]
    third = await played.scan("cat", 2)
    assert [each["locked"] for each in third["rewards"]] == [False, False], "it is the third"
    assert "unlocked" not in third, "what it opened is others'"
    assert await played.statuses() == ["UNLOCKED", "LOCKED", "UNLOCKED", "UNLOCKED"]
    assert await played.has("ann") == (500, 500)
    assert await played.has("bob") == await played.has("cat") == (500, 0)
    assert await played.budget() == (1500, 500)
    assert len(await played.facts("reward.unlocked")) == 3
    fourth = await played.scan("ann", 3)
    assert [each["locked"] for each in fourth["rewards"]] == [False, False], "enough were there"
    assert await counts(played) == [4]
    assert await played.broken() == {}
    clock.advance(days=8)
    await played.sweep()
    assert (await played.statuses())[1] == "LAPSED"
    assert await played.broken() == {}


async def test_two_bottles_in_one_batch_count_twice_and_the_last_pays_its_own(
    clocked_db: Database,
) -> None:
    played = await boxed(clocked_db, waits(BOTTLES, 500, count=3, **WEEK))
    people = ("ann", "bob", "ann")
    replies = await played.settle(
        *(
            ScanPlan(0, who, CONSUMER, 1, serial, None, f"key {serial}", foreign=False)
            for serial, who in enumerate(people)
        )
    )
    assert [reply.get("unlocked", []) != [] for reply in replies] == [False, False, True]
    assert await played.statuses() == ["UNLOCKED"] * 3
    assert await counts(played) == [3]
    assert await played.broken() == {}


async def test_bottles_that_were_scanned_stay_scanned_when_a_scan_is_taken_back(
    clocked_db: Database,
) -> None:
    played = await boxed(clocked_db, waits(BOTTLES, 500, count=3, **WEEK))
    await played.scan("ann", 0)
    await played.scan("bob", 1)
    [first, _] = await played.locked()
    await clocked_db.in_transaction(reverse_scan, played.operator, first.cause_id, "fraud")
    third = await played.scan("cat", 2)
    assert await played.statuses() == ["VOIDED", "UNLOCKED", "UNLOCKED"]
    assert await played.has("ann") == (0, 0)
    [scan] = [row for row in await played.locked() if row.member_id.hex == third["member_id"]]
    reversed = await clocked_db.in_transaction(
        reverse_scan, played.operator, scan.cause_id, "fraud"
    )
    assert [(leg.asset, leg.taken) for leg in reversed.legs] == [("CASH", 500), ("POINTS", 3)]
    assert await counts(played) == [3]
    assert await played.broken() == {}


async def test_bottles_count_that_were_scanned_before_anybody_told_of_their_box(
    clocked_db: Database, clock: SettableClock
) -> None:
    played = await boxed(clocked_db, waits(BOTTLES, 500, count=3, **WEEK), first=8)
    await played.scan("ann", 0)
    await played.scan("bob", 1)
    await clocked_db.in_transaction(pack, played.world, 0, 4, 4, 1)
    await played.scan("cat", 2)
    assert await played.statuses() == ["LOCKED", "LOCKED", "UNLOCKED"]
    clock.advance(days=7)
    await played.scan("dan", 8)
    await played.scan("dan", 9)
    clock.advance(days=7)
    await played.scan("dan", 10)  # the third, and too late for the first two
    await played.sweep()
    assert await played.statuses() == 2 * ["LAPSED", "LAPSED", "UNLOCKED"]
    assert await played.broken() == {}


async def test_what_waits_for_a_box_goes_with_its_member(clocked_db: Database) -> None:
    played = await boxed(clocked_db, waits(BOTTLES, 500, count=3, **WEEK))
    await played.scan("ann", 0)
    await played.scan("bob", 1)
    members = [(await played.member(who)).id for who in ("ann", "bob")]
    merged = dict(zip(("from_member_id", "into_member_id"), members, strict=True))
    await clocked_db.in_transaction(merge_members, played.operator, **merged, reason="one person")
    third = await played.scan("ann", 2)
    assert len(third["unlocked"]) == 2
    assert await played.has("bob") == (1500, 0)
    assert await played.broken() == {}
