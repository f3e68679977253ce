"""A batch of scans costs the same number of SQL statements whatever its size."""

from dataclasses import replace

from loyalty.db import Database, Tx
from loyalty.errors import Refusal
from loyalty.ledger.models import Asset
from rewards.campaigns.models import CapSubject, CapWindow, Gate
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply, ScanRequest
from tests.rewards.scans.boxed import pack
from tests.rewards.scans.worlds import (
    CONSUMER,
    DEALER,
    GUIDE,
    SALESPERSON,
    STORE,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    make_world,
)
from tests.statement_log import statements_told

STATEMENTS_MAX = 36
"""As many as the scan path has, each once."""
WAYS_MAX = 7
"""In so many goes they are sent to PostgreSQL, the transaction's own left out; one more where who
stands behind guides is read."""

PLAN = BrandPlan(
    campaigns=(
        CampaignPlan(
            gate=Gate.CONSUMER_SCAN,
            outcomes={
                CONSUMER: {Asset.POINTS: 3, Asset.GROWTH: 4},
                GUIDE: {Asset.POINTS: 2, Asset.CASH: 5},
            },
            caps={
                (CapSubject.MEMBER, CapWindow.DAY): 10**6,
                (CapSubject.GUIDE, CapWindow.DAY): 10**6,
            },
            budgets={Asset.CASH: 10**6},
        ),
    ),
    frozen=frozenset(),
    points_valid_months=24,
    quantity=10**6,
)


async def _settle(
    tx: Tx, requests: list[ScanRequest], cache: ConfigurationCache
) -> tuple[list[str], list[ScanReply | Refusal]]:
    async with statements_told(tx) as told:
        answers = await settle_scans(tx, requests, cache)
    behind = any("guide_places" in statement for statement in told)
    assert tx.dialect == "sqlite" or told.ways <= WAYS_MAX + behind
    return list(told), answers


MIX = (("gus", GUIDE, 2), ("ann", CONSUMER, 1), ("cat", CONSUMER, 3), ("bob", CONSUMER, 0))


def _scans(size: int) -> list[ScanPlan]:
    """A guide who pre-scans, consumers who scan what was and what was not, and no code at all."""
    plans = []
    for i in range(size):
        item, turn = divmod(i, len(MIX))
        device, key = f"device {i}", f"key {i}"
        plans.append(ScanPlan(0, *MIX[turn], item, device, key, foreign=False))
    return plans


async def statements_of(db: Database, plan: BrandPlan, size: int) -> list[str]:
    """What a batch of this size runs in a fresh world that has settled a scan already."""
    world = await db.in_transaction(make_world, [plan])
    cache: ConfigurationCache = {}
    nothing = ScanPlan(0, "bob", CONSUMER, 0, 0, None, "nothing", foreign=False)
    await db.in_transaction(settle_scans, [world.request(nothing)], cache)
    requests = [world.request(plan) for plan in _scans(size)]
    told, answers = await db.in_transaction(_settle, requests, cache)
    assert len(answers) == size
    return told


async def test_a_batch_costs_the_same_number_of_statements(clocked_db: Database) -> None:
    counts: dict[int, int] = {}
    for size in (4, 1, 4, 64, 256):  # twice 4: a new connection asks what it may be told
        counts[size] = len(await statements_of(clocked_db, PLAN, size))
    assert counts[256] == counts[64] == counts[4] <= STATEMENTS_MAX
    assert counts[1] <= counts[4]


async def test_coupons_cost_three_statements_a_batch_and_none_where_none_are_won(
    clocked_db: Database,
) -> None:
    [campaign] = PLAN.campaigns
    winning = replace(PLAN, campaigns=(replace(campaign, coupons=(None, 10**6)),))
    for size in (4, 64):
        await statements_of(clocked_db, winning, size)
        told = await statements_of(clocked_db, winning, size)
        usual = await statements_of(clocked_db, PLAN, size)
        assert len(told) == len(usual) + len(("read the stock", "issue", "take from the stock"))
        tables = (" coupons", " coupon_templates")
        assert not [each for each in usual if any(table in each for table in tables)]


async def test_who_stands_behind_guides_costs_one_statement_a_batch_and_none_where_nobody_is_paid(
    clocked_db: Database,
) -> None:
    [campaign] = PLAN.campaigns
    behind = {role: {Asset.POINTS: 1} for role in (STORE, DEALER, SALESPERSON)}
    paying = replace(PLAN, campaigns=(replace(campaign, outcomes=campaign.outcomes | behind),))
    for size in (4, 64):
        await statements_of(clocked_db, paying, size)
        told = await statements_of(clocked_db, paying, size)
        usual = await statements_of(clocked_db, PLAN, size)
        assert len(told) == len(usual) + len(("read who stands behind the guides",))
        assert not [statement for statement in usual if "guide_places" in statement]


async def test_segments_cost_one_statement_a_batch_and_none_where_nothing_asks(
    clocked_db: Database,
) -> None:
    [campaign] = PLAN.campaigns
    asking = replace(
        PLAN, campaigns=(replace(campaign, condition="size(segment.codes) == 0 || true"),)
    )
    for size in (4, 64):
        await statements_of(clocked_db, asking, size)
        told = await statements_of(clocked_db, asking, size)
        usual = await statements_of(clocked_db, PLAN, size)
        assert len(told) == len(usual) + len(("read the segments",))
        assert not [statement for statement in usual if "segment_members" in statement]


async def _told_later(db: Database, plan: BrandPlan, size: int, boxes: int = 0) -> list[str]:
    """What a batch of this size runs whose people have scanned before; of bottles in so many
    boxes of ten."""
    world = await db.in_transaction(make_world, [plan])
    if boxes:
        await db.in_transaction(pack, world, 0, 10 * boxes, 10)
    cache: ConfigurationCache = {}
    first = [world.request(scan) for scan in _scans(len(MIX))]
    await db.in_transaction(settle_scans, first, cache)
    later = [
        replace(scan, serial=scan.serial + 1, key=f"later {scan.key}") for scan in _scans(size)
    ]
    requests = [world.request(scan) for scan in later]
    told, _ = await db.in_transaction(_settle, requests, cache)
    return told


async def test_what_waits_for_scans_costs_three_statements_a_batch_and_none_where_nothing_does(
    clocked_db: Database,
) -> None:
    [campaign] = PLAN.campaigns
    locked = tuple((CONSUMER, Asset.CASH, n, {"kind": "NEXT_SCAN", "count": n}) for n in (1, 999))
    locking = replace(PLAN, campaigns=(replace(campaign, locked=locked),))
    for size in (4, 64):
        await _told_later(clocked_db, locking, size)
        told = await _told_later(clocked_db, locking, size)
        usual = await _told_later(clocked_db, PLAN, size)
        assert len(told) == len(usual) + len(("read what waits", "unlock", "count down"))


async def test_boxes_cost_two_statements_a_batch_and_none_where_nothing_waits_for_them(
    clocked_db: Database,
) -> None:
    [campaign] = PLAN.campaigns
    plans = {}
    for kind in ("NEXT_SCAN", "BOX_BOTTLES"):
        locked = tuple(
            (CONSUMER, Asset.CASH, n, {"kind": kind, "count": n, "lapses_after": "P7D"})
            for n in (2, 999)
        )
        plans[kind] = replace(PLAN, campaigns=(replace(campaign, locked=locked),))
    for size in (4, 64):
        for plan in plans.values():
            await _told_later(clocked_db, plan, size, boxes=10)
        boxed = await _told_later(clocked_db, plans["BOX_BOTTLES"], size, boxes=10)
        waiting = await _told_later(clocked_db, plans["NEXT_SCAN"], size, boxes=10)
        told = [statement for statement in boxed if "box_counts" in statement]
        assert len(told) == len(("read the boxes", "count bottles"))
        assert len(boxed) <= len(waiting) + len(told)
        assert not [statement for statement in waiting if "box_counts" in statement]
