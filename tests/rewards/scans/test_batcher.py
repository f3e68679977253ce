"""Two writers beside one another."""

import asyncio
from uuid import UUID

import pytest

from loyalty.db import Database, Tx
from loyalty.ledger import service as ledger
from loyalty.ledger.models import Asset
from rewards.scans.batcher import FEW_MAX, LARGE_MIN, ScanBatcher, waits_for_more
from rewards.scans.world import ScanReply
from tests.rewards.scans.worlds import (
    CONSUMER,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    World,
    make_world,
)

PLAN = BrandPlan(
    campaigns=(CampaignPlan(outcomes={CONSUMER: {Asset.POINTS: 3}}),),
    frozen=frozenset(),
    points_valid_months=None,
    quantity=10**6,
)


@pytest.mark.parametrize(
    ("waiting", "under_way", "answered", "waits"),
    [
        (1, 0, 0, False),
        (1, 0, 1, False),  # who scans alone never waits
        (LARGE_MIN - 2, 0, 1, False),
        (LARGE_MIN - 1, 0, 1, True),
        (16, 0, 16, True),
        (LARGE_MIN, 0, 32, False),
        (1, 1, 0, False),
        (FEW_MAX, FEW_MAX, 0, False),  # halves of few take turns
        (FEW_MAX - 1, FEW_MAX, 0, True),
        (FEW_MAX + 1, FEW_MAX + 1, 0, True),
        (LARGE_MIN - 1, 200, 0, True),
        (LARGE_MIN, 200, 0, False),
    ],
)
def test_batches_of_many_are_large_and_few_never_wait_long(
    waiting: int, under_way: int, answered: int, waits: bool
) -> None:
    assert waits_for_more(waiting, under_way, answered) is waits


def _scan(batcher: ScanBatcher, world: World, person: str, serial: int) -> asyncio.Task[ScanReply]:
    plan = ScanPlan(0, person, CONSUMER, 1, serial, None, f"{person} {serial}", foreign=False)
    return asyncio.create_task(batcher.submit(world.request(plan)))


@pytest.mark.only_database("postgresql", reason="a file has one writer")
async def test_a_batch_that_waits_for_a_lock_keeps_nobody_waiting(db: Database) -> None:
    world = await db.in_transaction(make_world, [PLAN])
    batcher = ScanBatcher(db, batch_size_max=256, queue_size_max=1000, writers=2)
    batcher.start()
    first = (await _scan(batcher, world, "bob", 0)).reply
    bob = (world.brand_ids[0], UUID(hex=first["member_id"]))
    is_held, may_go = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await ledger.lock_accounts_and_debts(tx, [bob])
        is_held.set()
        await may_go.wait()

    holder = asyncio.create_task(db.in_transaction(hold))
    await is_held.wait()
    stuck = [_scan(batcher, world, "bob", serial) for serial in range(1, LARGE_MIN + 1)]
    await asyncio.sleep(0)
    others = [_scan(batcher, world, person, 90) for person in ("ann",)]
    async with asyncio.timeout(4):  # less than a lock is waited for
        replies = await asyncio.gather(*others)
    assert [reply.reply["rewards"][0]["amount"] for reply in replies] == [3]
    assert not any(task.done() for task in stuck)
    may_go.set()
    await holder
    assert all(reply.reply["verdict"] == "FIRST" for reply in await asyncio.gather(*stuck))
    await batcher.stop()
