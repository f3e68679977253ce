"""A brand whose members earn by what they do, and what the rows say afterwards."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.ids import new_id
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, CouponOutcome, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.event_types.models import FieldKind
from rewards.event_types.rules import FieldSpec, TypeDefinition
from rewards.event_types.service import register_type
from rewards.events.models import EarningEvent
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from tests.rewards.returns.shopping import POINTS, Shop

COFFEE = TypeDefinition("coffee", "咖啡", "Coffee", (FieldSpec("cups", FieldKind.INT, True),))
POINT = Outcome(MemberRole.CONSUMER, POINTS, OutcomeBasis.FIXED, 1)


async def run_campaign(
    shop: Shop,
    event: EventKind,
    outcomes: Sequence[Outcome | CouponOutcome] = (POINT,),
    **more: Any,
) -> None:
    """A campaign of this kind, by its own name."""
    name = event.value
    definition = CampaignDefinition(name, "活动", "Campaign", event, tuple(outcomes), **more)
    await shop.run(publish_campaign, shop.actor, definition)


async def sell_coffee(shop: Shop, **more: Any) -> None:
    """The type, and a campaign for it: a point each."""
    await shop.run(register_type, shop.actor, COFFEE)
    await run_campaign(shop, EventKind.CUSTOM, event_type="coffee", **more)


async def join(shop: Shop, *people: str, fen: int = 0) -> list[UUID]:
    """Members who have bought for so much."""
    on = date(2026, 11, 2)
    facts = [PurchaseFact(new_id().hex, who, on, 1, fen) for who in people]
    results = await shop.run(settle_purchases, shop.brand.id, shop.actor, facts)
    return [result.member_id for result in results if result.member_id is not None]


async def events(db: Database, kind: EventKind) -> list[EarningEvent]:
    """As they were recorded."""
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(EarningEvent)
            .where(col(EarningEvent.kind) == kind.value)
            .order_by(col(EarningEvent.id))
        )
        return list(found)
