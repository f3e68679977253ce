"""What scans leave for the workers to tell members: coupons won and rewards unlocked."""

from typing import Any

from loyalty.db import Database
from loyalty.ledger.models import Asset
from loyalty.members.models import Member
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import Gate
from rewards.coupons.models import Coupon
from rewards.scans.service import ConfigurationCache, settle_scans
from tests.rewards.scans.worlds import (
    CONSUMER,
    GUIDE,
    BrandPlan,
    CampaignPlan,
    ScanPlan,
    make_world,
)

PLAN = BrandPlan(
    campaigns=(
        CampaignPlan(
            gate=Gate.CONSUMER_SCAN,
            outcomes={CONSUMER: {Asset.POINTS: 3}, GUIDE: {Asset.POINTS: 2, Asset.CASH: 5}},
            coupons=(1,),
        ),
    ),
    frozen=frozenset(),
    points_valid_months=24,
)


async def _rows(db: Database, model: Any, *conditions: Any) -> list[Any]:
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        table = model.__table__
        found = await connection.execute(table.select().where(*conditions).order_by(table.c.id))
        return list(found)


async def test_who_is_told_of_a_coupon_won_and_of_a_reward_unlocked(clocked_db: Database) -> None:
    world = await clocked_db.in_transaction(make_world, [PLAN])
    cache: ConfigurationCache = {}
    for batch, person, role, serial in (
        *((2, "gus", GUIDE, serial) for serial in (0, 1)),
        (1, "bob", CONSUMER, 0),
        (1, "bob", CONSUMER, 1),  # out of coupons: what the guide waited for is void
    ):
        key = f"{person} {serial}"
        scan = ScanPlan(0, person, role, batch, serial, None, key, foreign=False)
        await clocked_db.in_transaction(settle_scans, [world.request(scan)], cache)

    members = {
        row.role: row.id
        for row in await _rows(clocked_db, Member)
        if row.identity_id in (world.people[0, "gus"], world.people[0, "bob"])
    }
    [coupon] = await _rows(clocked_db, Coupon)
    topic = OutboxEvent.__table__.c.topic  # type: ignore[attr-defined]
    [won] = await _rows(clocked_db, OutboxEvent, topic == "coupon.issued")
    assert won.subject_id == members["CONSUMER"] == coupon.member_id
    assert won.payload == {
        "coupon_id": coupon.id.hex,
        "template_id": coupon.template_id.hex,
        "cause": "SCAN",
    }
    unlocked = await _rows(clocked_db, OutboxEvent, topic == "reward.unlocked")
    assert [row.subject_id for row in unlocked] == [members["GUIDE"]] * 2
    assert [row.payload for row in unlocked] == [
        {"asset": "POINTS", "amount": 2},
        {"asset": "CASH", "amount": 5},
    ]
