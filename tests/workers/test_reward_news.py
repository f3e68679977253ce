"""What members are told of rewards that lapsed, and of a brand's own assets."""

from loyalty.assets.models import AssetDefinition
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.notifications.providers import NullProvider
from tests.workers.facts import add_event, add_member, list_notifications, states
from workers.wiring import make_relay


async def add_stars(tx: Tx, brand: Brand) -> None:
    stars = AssetDefinition(
        brand_id=brand.id,
        code="STARS",
        name_zh="星星",
        name_en="stars",
        expiry={"kind": "NEVER"},
        created_at=tx.now,
    )
    await tx.add(stars)


async def test_a_lapsed_reward_is_told_and_a_brands_own_asset_by_its_name(
    db: Database, brand: Brand
) -> None:
    member = await db.in_transaction(add_member, brand)
    await db.in_transaction(add_stars, brand)
    for topic, asset in (("reward.unlocked", "STARS"), ("reward.lapsed", "CASH")):
        await db.in_transaction(add_event, brand, topic, member, asset=asset, amount=500)
    await make_relay(db, NullProvider()).run_once()
    assert await states(db) == {"delivered": 2}
    told = {row.kind: row.content for row in await list_notifications(db)}
    assert told["REWARD_UNLOCKED"] == {
        "zh": "您在Demo的500星星已解锁到账。",
        "en": "The reward of 500 stars you were waiting for at Demo is now in your account.",
    }
    assert told["REWARD_LAPSED"] == {
        "zh": "您在Demo的5.00元红包未在期限内解锁，已失效。",
        "en": "The red packet of ¥5.00 at Demo was not unlocked in time and has lapsed.",
    }
