"""Many live campaigns beside the one that pays: those of twenty products, ten each, all of them for
scans, all of them with conditions. A scan's own product has nine that are asked before the one that
pays, and none of which holds."""

import asyncio

from benchmarks.stage import Stage
from loyalty.actor import MemberRole, system_actor
from loyalty.clock import utc_now
from loyalty.db import Database, Tx
from loyalty.ledger.models import Asset
from loyalty.products.service import create_product
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import live_campaigns, publish_campaign

PRODUCTS = 20
OF_EACH = 10
OTHERS = PRODUCTS * OF_EACH - 1
_CONDITIONS = (
    "event.scene == 'kiosk {n}'",
    "tier.rank >= 2 && event.scene.startsWith('shelf {n}')",
    "event.located && event.latitude > 60.0 && event.scene == 'north {n}'",
    "member.isNew && event.scene == 'fair {n}'",
)


class NotAsked(Exception):
    """A scan would not ask what it is to ask: its speed would say nothing of many campaigns."""


def publish_others(url: str, stage: Stage) -> int:
    """Publish them; how many conditions a scan then asks."""
    return asyncio.run(_publish(url, stage))


async def _publish(url: str, stage: Stage) -> int:
    database = Database(url)
    try:
        asked = await database.in_transaction(_publish_all, stage)
    finally:
        await database.close()
    if asked != OF_EACH - 1:
        raise NotAsked(f"{asked} conditions, and not {OF_EACH - 1}")
    return asked


async def _publish_all(tx: Tx, stage: Stage) -> int:
    actor = system_actor(stage.brand_id)
    products = [stage.inner.product_id]
    for number in range(1, PRODUCTS):
        product = await create_product(
            tx, actor, sku=f"TEA-{number}", name_zh=f"茶{number}", name_en=f"Tea {number}"
        )
        products.append(product.id)
    points = Outcome(MemberRole.CONSUMER, Asset.POINTS.value, OutcomeBasis.FIXED, 1)
    for number in range(OTHERS):
        await publish_campaign(
            tx,
            actor,
            CampaignDefinition(
                code=f"other-{number}",
                name_zh=f"活动{number}",
                name_en=f"Campaign {number}",
                event=EventKind.SCAN,
                outcomes=(points,),
                priority=1 + number % OF_EACH,
                # The first product has one less: the campaign of all products is its tenth.
                product_id=products[(number + 1) // OF_EACH],
                condition=_CONDITIONS[number % len(_CONDITIONS)].format(n=number),
            ),
        )
    live = await live_campaigns(tx, stage.brand_id)
    found = live.candidates(EventKind.SCAN, stage.inner.product_id, utc_now())
    return sum(1 for campaign in found if campaign.condition is not None)
