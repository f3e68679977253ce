"""Scans under conditions: what they cost, what fails, and what is counted under whose lock."""

import asyncio
from dataclasses import replace
from uuid import UUID

from structlog.testing import capture_logs

from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.campaigns.lives import move_campaign
from rewards.campaigns.models import Campaign, CampaignStatus, CapCounter
from rewards.campaigns.rules import COUNTED_MAX
from rewards.scans.models import Claim
from tests.rewards.grants.played import CONSUMER, INNER, Played, plan_of, play
from tests.rewards.scans.test_statement_count import PLAN, statements_of
from tests.rewards.scans.worlds import ScanPlan

CONDITION = (
    "member.daysSinceJoined >= 0 && tier.rank >= 0 && calendar.hour >= 0 && event.scene == ''"
    " && product.sku != '' && counters.memberToday < 1000 && counters.memberTotal < 1000"
)


async def test_conditions_cost_no_statement(clocked_db: Database) -> None:
    [campaign] = PLAN.campaigns
    asking = replace(PLAN, campaigns=(replace(campaign, condition=CONDITION),))
    for size in (4, 64):
        await statements_of(clocked_db, asking, size)
        told = await statements_of(clocked_db, asking, size)
        assert len(told) == len(await statements_of(clocked_db, PLAN, size))


async def test_where_no_condition_counts_nothing_is_counted(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(condition="tier.rank >= 0"))
    assert (await played.scan("bob", 0))["unpaid_reason"] is None
    assert await played.rows(CapCounter) == []

    counting = await play(clocked_db, plan_of(condition="counters.memberTotal < 2"))
    replies = [await counting.scan("bob", serial) for serial in range(3)]
    assert [reply["unpaid_reason"] for reply in replies] == [None, None, "NO_CAMPAIGN"]
    [counter] = await counting.rows(CapCounter)
    assert (counter.window_key, counter.used, counter.times_max) == ("ALL", 2, COUNTED_MAX)
    assert await counting.broken() == {}


async def test_earlier_scans_of_a_batch_are_counted_by_the_later_ones(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of(condition="counters.memberToday < 2"))
    replies = await played.settle(*(scan_of("ann", serial) for serial in range(3)))
    assert [reply["unpaid_reason"] for reply in replies] == [None, None, "NO_CAMPAIGN"]


async def test_a_condition_that_fails_pays_nothing_and_is_told_of_once_a_batch(
    clocked_db: Database,
) -> None:
    played = await play(clocked_db, plan_of(condition="1 / counters.memberToday > 0"))
    with capture_logs() as logs:
        replies = await played.settle(*(scan_of("bob", serial) for serial in range(3)))
    assert {reply["unpaid_reason"] for reply in replies} == {"NO_CAMPAIGN"}
    assert await played.rows(Claim) == []
    [told] = [line for line in logs if line["event"] == "condition_failed"]
    assert (told["log_level"], told["condition"]) == ("error", "1 / counters.memberToday > 0")
    assert told["error_id"]
    assert "zero" in told["problem"]


async def test_scans_at_once_are_counted_one_after_the_other(clocked_db: Database) -> None:
    """Each on a server of its own: the lock of the member's accounts keeps them apart."""
    played = await play(clocked_db, plan_of(condition="counters.memberToday < 1"))
    await played.settle(scan_of("ann", 4))
    batches = [[scan_of(person, serial)] for person, serial in (("bob", 0), ("bob", 1), ("bob", 2))]
    replies = await asyncio.gather(*(played.settle(*batch) for batch in batches))
    reasons = [reply["unpaid_reason"] or "PAID" for [reply] in replies]
    assert sorted(reasons) == ["NO_CAMPAIGN", "NO_CAMPAIGN", "PAID"]
    assert await played.broken() == {}


async def test_another_server_sees_a_pause_with_its_next_batch(clocked_db: Database) -> None:
    played = await play(clocked_db, plan_of((CONSUMER, Asset.CASH, 7, NEXT)))
    assert (await played.scan("bob", 0))["unpaid_reason"] is None  # its cache knows it running
    [campaign] = await played.rows(Campaign)
    await move(played, campaign.id, CampaignStatus.PAUSED)
    assert (await played.scan("bob", 1))["unpaid_reason"] == "NO_CAMPAIGN"
    assert len(await played.rows(Claim)) == 2  # of the first scan, and its guide's
    await move(played, campaign.id, CampaignStatus.RUNNING)
    assert (await played.scan("bob", 1))["unpaid_reason"] is None
    assert await played.has("bob") == (7, 7)
    await move(played, campaign.id, CampaignStatus.ENDED)
    [ended] = await played.rows(Campaign)
    assert (ended.status, ended.ended_at is None) == ("ENDED", False)
    assert await played.broken() == {}


NEXT = {"kind": "NEXT_SCAN", "count": 1}


def scan_of(person: str, serial: int) -> ScanPlan:
    return ScanPlan(0, person, CONSUMER, INNER, serial, None, f"{person} {serial}", foreign=False)


async def move(played: Played, campaign_id: UUID, wanted: CampaignStatus) -> None:
    await played.db.in_transaction(move_campaign, played.operator, campaign_id, wanted, "why")
