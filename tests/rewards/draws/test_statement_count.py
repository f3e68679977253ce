"""What a draw costs a batch of scans: two statements, whatever its size, and none where no campaign
draws."""

from loyalty.actor import MemberRole, system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ledger.models import Asset
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.draws.terms import AmountAward, DrawTerms, Entry, Prize, Stage
from rewards.scans.service import ConfigurationCache, settle_scans
from rewards.scans.world import ScanReply, ScanRequest
from tests.rewards.scans.test_statement_count import PLAN
from tests.rewards.scans.worlds import CONSUMER, ScanPlan, make_world
from tests.statement_log import statements_told

DRAW = DrawTerms(
    (
        Prize("A", "一", "A", AmountAward("POINTS", 1), stock=10**6, quota_per_day=10**6),
        Prize("B", "二", "B", AmountAward("POINTS", 2)),
    ),
    (Stage(10**6, 10**6, (Entry("A", 1), Entry("B", 1))),),
    "B",
)


async def _settle(
    tx: Tx, requests: list[ScanRequest], cache: ConfigurationCache, keyring: Keyring
) -> list[str]:
    async with statements_told(tx) as told:
        answers = await settle_scans(tx, requests, cache, keyring)
    assert all(isinstance(answer, ScanReply) for answer in answers)
    return list(told)


async def _statements(
    db: Database, keyring: Keyring, draw: DrawTerms | None, size: int
) -> list[str]:
    world = await db.in_transaction(make_world, [PLAN])
    definition = CampaignDefinition(
        code="first",
        name_zh="抽奖",
        name_en="Draw",
        event=EventKind.SCAN,
        outcomes=(Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.FIXED, 3),),
        priority=1000,
        draw=draw,
    )
    await db.in_transaction(publish_campaign, system_actor(world.brand_ids[0]), definition, keyring)
    cache: ConfigurationCache = {}
    first, *plans = (
        ScanPlan(0, ("ann", "bob", "off")[i % 3], CONSUMER, 1, i, None, f"k{i}", foreign=False)
        for i in range(size + 1)
    )
    await db.in_transaction(_settle, [world.request(first)], cache, keyring)
    requests = [world.request(plan) for plan in plans]
    return await db.in_transaction(_settle, requests, cache, keyring)


async def test_a_draw_costs_two_statements_a_batch(clocked_db: Database, keyring: Keyring) -> None:
    for size in (3, 48):
        await _statements(clocked_db, keyring, DRAW, size)
        drawing = await _statements(clocked_db, keyring, DRAW, size)
        usual = await _statements(clocked_db, keyring, None, size)
        counting = [each for each in usual if "cap_counters" in each]
        assert not [each for each in usual if "draw" in each]
        assert len([each for each in drawing if " draw" in each]) == 2
        more = len([each for each in drawing if "cap_counters" in each]) - len(counting)
        assert len(drawing) == len(usual) + 2 + more and more <= 1, "prizes are counted with caps"
