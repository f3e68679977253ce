"""A brand as ``loyalty brand create`` leaves it, for tests that begin with one."""

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.service import create_brand
from loyalty.db import Tx
from loyalty.ledger.service import open_brand_books
from rewards.campaigns.service import publish_campaign, purchase_campaign
from tiers.ladders.service import publish_ladder, starter_levels


async def make_brand(tx: Tx, slug: str = "demo") -> Brand:
    """A brand with its books, the campaign for purchases, and the consumers' four levels."""
    brand = await create_brand(tx, slug=slug, name=slug.title())
    actor = system_actor(brand.id)
    await open_brand_books(tx, brand.id)
    await publish_campaign(tx, actor, purchase_campaign())
    await publish_ladder(tx, actor, role=MemberRole.CONSUMER, levels=starter_levels())
    return brand
