"""Tasks: what counts, when, for whom; completed once, whatever happens to the worker."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty.db import Database, Tx
from loyalty.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    NotOpen,
    Refusal,
    TooManyOpen,
)
from loyalty.notifications.providers import NullProvider
from rewards.activities.models import Activity
from rewards.activities.service import check_in, note_scans, settle_activities
from rewards.events.models import EarningEvent
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from rewards.scans.reversing import reverse_scan
from rewards.tasks.models import TaskCounts, TaskPeriod
from rewards.tasks.rules import OPEN_TASKS_MAX
from rewards.tasks.service import end_task
from tests.clocks import SettableClock
from tests.rewards.merges.families import CONSUMER, GUIDE, make_family
from tests.rewards.payouts.stores import drain
from tests.rewards.tasks.work import (
    REWARD,
    completions,
    pay_tasks,
    sell,
    set_task,
    standing,
    take,
    work_off,
)
from tests.statement_log import statements_told
from workers.wiring import make_relay


async def test_sales_since_it_was_taken_complete_a_task_once(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_family(clocked_db)
    await set_task(family, "three", TaskCounts.GUIDED_SCANS, 3)
    await pay_tasks(family, "event.task == 'three'")
    await sell(family, "gus", "ann", 1)
    clock.advance(hours=1)
    assert await take(family, "gus", "three")
    assert not await take(family, "gus", "three"), "once is enough"
    gus = (await family.member("gus", GUIDE)).id
    clock.advance(hours=1)
    await family.scan("gus", 2, GUIDE)
    assert (await standing(family, "gus")).counted == 0, "not before the consumer scans"
    bad = UUID(hex=(await family.scan("ann", 2))["scan_id"])
    await sell(family, "gus", "bea", 3)
    await sell(family, "gil", "bea", 4)
    await work_off(clocked_db)
    assert ((await standing(family, "gus")).counted, await completions(family)) == (2, {})
    await family.run(reverse_scan, family.operator, bad, "a mistake")
    assert (await standing(family, "gus")).counted == 1
    await sell(family, "gus", "ann", 5)
    await sell(family, "gus", "cat", 6)
    await sell(family, "gus", "cat", 7)  # past the target before any worker looks
    points = (await family.holdings(gus))["POINTS"].balance

    async def die(tx: Tx) -> None:
        await settle_activities(tx, 100)
        raise ZeroDivisionError

    await drain(make_relay(clocked_db, NullProvider()))
    with pytest.raises(ZeroDivisionError):
        await family.run(die)
    assert await completions(family) == {}
    await work_off(clocked_db)
    await sell(family, "gus", "ann", 8)
    await work_off(clocked_db)
    assert await completions(family) == {(gus, "ONCE"): None}
    assert (await family.holdings(gus))["POINTS"].balance == points + REWARD + 4
    done = await standing(family, "gus")
    assert (done.counted, done.event_id is None) == (5, False)
    assert await family.rows(Activity) == []
    await family.check()


async def test_each_week_anew_for_everybody_and_late_news_count_for_their_week(
    clocked_db: Database, clock: SettableClock
) -> None:
    """The clock begins on a Monday."""
    family = await make_family(clocked_db)
    weekly = {"role": CONSUMER, "period": TaskPeriod.WEEK, "for_everybody": True}
    await set_task(family, "twice", TaskCounts.CHECK_INS, 2, **weekly)
    for days in (0, 1, 5, 1, 1):  # Monday, Tuesday, Sunday; Monday, Tuesday
        clock.advance(days=days)
        await family.run(check_in, family.actor("ann"), None)
        if days != 5:
            await work_off(clocked_db)
    ann = (await family.member("ann")).id
    assert await completions(family) == dict.fromkeys(
        ((ann, "2026-W46"), (ann, "2026-W47")), "NO_CAMPAIGN"
    )
    await family.run(check_in, family.actor("bea"), None)
    clock.advance(days=1)
    await family.run(check_in, family.actor("bea"), None)
    clock.advance(hours=1)
    await family.run(end_task, family.operator, "twice")
    clock.advance(days=1)
    await family.run(check_in, family.actor("cat"), None)
    clock.advance(days=1)
    await family.run(check_in, family.actor("cat"), None)
    await work_off(clocked_db)
    bea = (await family.member("bea")).id
    assert set(await completions(family)) == {
        *((ann, "2026-W46"), (ann, "2026-W47")),
        (bea, "2026-W47"),
    }
    assert (await standing(family, "cat", CONSUMER)).counted == 0, "it was over"
    await family.check()


async def test_members_that_become_one_have_one_task_and_one_count(db: Database) -> None:
    family = await make_family(db)
    await set_task(family, "three", TaskCounts.GUIDED_SCANS, 3)
    await pay_tasks(family)
    assert await take(family, "gus", "three")
    await sell(family, "gus", "ann", 1)
    await sell(family, "gus", "ann", 2)
    await sell(family, "gil", "ann", 3)
    await work_off(db)
    await family.merge("gus", "gil", GUIDE)
    assert (await standing(family, "gus")).counted == 3
    await work_off(db)
    completed = {((await family.member("gil", GUIDE)).id, "ONCE"): None}
    assert await completions(family) == completed, "by becoming one, without another sale"
    for serial, seller in ((4, "gus"), (5, "gil")):
        await sell(family, seller, "ann", serial)
        await work_off(db)
    assert await completions(family) == completed
    await family.check()


async def test_whatever_is_counted_the_auditor_counts_as_much(
    clocked_db: Database, clock: SettableClock
) -> None:
    family = await make_family(clocked_db)
    for kind in (TaskCounts.OWN_SCANS, TaskCounts.PURCHASES):
        code = kind.value.lower().replace("_", "-")
        await set_task(family, code, kind, 1, role=CONSUMER, for_everybody=True)
    clock.advance(days=1)  # purchases are of their day's noon
    await family.scan("ann", 1)
    till = PurchaseFact("1", "ann", clock.at.date(), 1, 500, source=PurchaseSource.TILL)
    await family.run(settle_purchases, family.brand.id, family.operator, [till])
    await work_off(clocked_db)
    assert len(await family.rows(EarningEvent, kind="TASK_COMPLETED")) == 2
    await family.check()


async def test_what_cannot_be_set_or_taken_is_refused(db: Database) -> None:
    family = await make_family(db)
    await set_task(family, "three", TaskCounts.GUIDED_SCANS, 3)
    ways: list[tuple[type[Refusal], TaskCounts, dict[str, object]]] = [
        (AlreadyExists, TaskCounts.GUIDED_SCANS, {"code": "three"}),
        (InvalidInput, TaskCounts.GUIDED_SCANS, {"role": CONSUMER}),
        (InvalidInput, TaskCounts.CHECK_INS, {"target": 0}),
        (InvalidInput, TaskCounts.CHECK_INS, {"code": "Three"}),
    ]
    for refusal, counts, more in ways:
        wanted = {"code": "other", "target": 3} | more
        with pytest.raises(refusal):
            await set_task(family, counts=counts, **wanted)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await take(family, "ann", "three", CONSUMER)
    async with db.snapshot() as snapshot:
        later = snapshot.now + timedelta(days=1)
    await set_task(family, "later", TaskCounts.CHECK_INS, 1, starts_at=later)
    with pytest.raises(NotOpen):
        await take(family, "gus", "later")
    for number in range(OPEN_TASKS_MAX - 2):
        await set_task(family, f"task-{number}", TaskCounts.CHECK_INS, 1)
    with pytest.raises(TooManyOpen):
        await set_task(family, "other", TaskCounts.CHECK_INS, 1)
    await family.run(end_task, family.operator, "later")
    # As many connections as will be wanted: making one takes longer than setting a task.
    await asyncio.gather(*(db.in_transaction(_linger) for _ in range(6)))
    late = [set_task(family, f"late-{n}", TaskCounts.CHECK_INS, 1) for n in range(6)]
    ends = await asyncio.gather(*late, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, TooManyOpen)]
    assert len(refused) == len(late) - 1, "of six at once, one has the last place"


async def _linger(_tx: Tx) -> None:
    await asyncio.sleep(0.2)


async def test_a_batch_of_scans_is_as_many_statements_as_one_and_one_where_nothing_waits(
    db: Database,
) -> None:
    family = await make_family(db)
    scans = []
    for serial in range(1, 9):
        sold = await sell(family, "gus", "ann", serial)
        scans.append((family.brand.id, UUID(hex=sold["scan_id"])))

    async def told(tx: Tx, count: int) -> tuple[int, int]:
        async with statements_told(tx) as noting:
            await note_scans(tx, scans[:count])
        async with statements_told(tx) as settling:
            await settle_activities(tx, 100)
        return len(noting), len(settling)

    assert await db.in_transaction(told, 8) == (1, 1)
    await set_task(family, "one", TaskCounts.GUIDED_SCANS, 1)
    await set_task(family, "two", TaskCounts.OWN_SCANS, 1)
    for person in ("gus", "gil"):
        await take(family, person, "one")
        await take(family, person, "two")
    one = await db.in_transaction(told, 1)
    for serial in range(20, 26):
        sold = await sell(family, ("gus", "gil")[serial % 2], "bea", serial)
        scans.append((family.brand.id, UUID(hex=sold["scan_id"])))
    noting, settling = await db.in_transaction(told, len(scans))
    assert noting == one[0] == 4
    assert settling < 40, "one set of events, however many complete"
