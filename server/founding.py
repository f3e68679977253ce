"""Founding a brand: its books, its first campaign and ladder."""

from dataclasses import dataclass

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.rules import HOLD_SECONDS, PRIZE_CEILING_FEN, REVERSAL_WINDOW_SECONDS
from loyalty.brands.service import create_brand
from loyalty.db import Tx
from loyalty.ledger.service import open_brand_books
from rewards.campaigns.service import publish_campaign, purchase_campaign
from tiers.ladders.service import publish_ladder, starter_levels


@dataclass(frozen=True, slots=True)
class BrandWanted:
    """A brand to be made. ``points_valid_months`` is None for points that never expire."""

    slug: str
    name: str
    timezone: str = "Asia/Shanghai"
    currency: str = "CNY"
    points_valid_months: int | None = 24
    hold_seconds: int = HOLD_SECONDS
    reversal_window_seconds: int = REVERSAL_WINDOW_SECONDS
    prize_ceiling_fen: int = PRIZE_CEILING_FEN


async def found_brand(tx: Tx, wanted: BrandWanted) -> Brand:
    """Make a brand that can earn at once: one point and one growth per whole unit of currency
    spent, and four levels."""
    brand = await create_brand(
        tx,
        slug=wanted.slug,
        name=wanted.name,
        timezone=wanted.timezone,
        currency=wanted.currency,
        hold_seconds=wanted.hold_seconds,
        reversal_window_seconds=wanted.reversal_window_seconds,
        prize_ceiling_fen=wanted.prize_ceiling_fen,
    )
    actor = system_actor(brand.id)
    await open_brand_books(tx, brand.id, wanted.points_valid_months)
    await publish_campaign(tx, actor, purchase_campaign())
    await publish_ladder(tx, actor, role=MemberRole.CONSUMER, levels=starter_levels())
    return brand
