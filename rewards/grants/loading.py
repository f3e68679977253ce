"""What events may need, read by set: of purchases and of everything but scans, and draws' seeds."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

import structlog

from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import MemberClosed
from rewards.campaigns.rules import LiveCampaign
from rewards.draws.folding import member_keys, prize_keys
from rewards.draws.folding import stock_keys as prize_stock_keys
from rewards.draws.service import SeedDay, open_seeds
from rewards.grants import service as grants
from rewards.grants.channel import caps_of_store
from rewards.grants.rules import caps_of
from rewards.grants.world import CounterKey, GrantWorld, MemberState, StockKey

log = structlog.get_logger("grants")


async def load_for_events(
    tx: Tx,
    world: GrantWorld,
    events: Iterable[tuple[MemberState, datetime, Iterable[LiveCampaign]]],
    backers: Iterable[tuple[MemberState, datetime, Iterable[LiveCampaign]]] = (),
    keyring: Keyring | None = None,
) -> None:
    """What events of any day, each of a member and with its candidates, may need: accounts and
    ranks, locked; budgets, counters and coupons in stock. ``backers``: who may be paid beside, the
    same way. ``keyring`` opens the seeds of draws. RetryTransaction when one was merged meanwhile.
    """
    first_days: dict[tuple[UUID, UUID], date] = {}
    new: set[tuple[UUID, UUID]] = set()
    campaign_keys: set[tuple[UUID, UUID]] = set()
    counters: set[CounterKey] = set()
    stock: set[StockKey] = set()
    drawing: dict[tuple[UUID, UUID], LiveCampaign] = {}
    for member, at, candidates in events:
        brand, key = world.brands[member.brand_id], (member.brand_id, member.id)
        day = local_date(at, brand.timezone)
        first_days[key] = min(day, first_days.get(key, day))
        if member.is_new:
            new.add(key)
        for campaign in candidates:
            campaign_keys.add((brand.id, campaign.id))
            counters.update(key for key, _ in caps_of(brand, campaign, member.id, at))
            stock.update((brand.id, template_id) for template_id in campaign.coupon_template_ids())
            if campaign.draw is not None:
                drawing[brand.id, campaign.id] = campaign
                counters.update(prize_keys(world, campaign, brand.id))
                counters.update(member_keys(campaign, brand.id, member.id))
                stock.update(prize_stock_keys(campaign, brand.id))
    for member, at, campaigns_for in backers:
        key = (member.brand_id, member.id)
        day = local_date(at, world.brands[member.brand_id].timezone)
        first_days[key] = min(day, first_days.get(key, day))
        for campaign in campaigns_for:
            counters.update(key for key, _ in caps_of_store(world, campaign, member, at))
            counters.update(member_keys(campaign, member.brand_id, member.id))
    try:
        await grants.load_members_side(tx, world, first_days, new, first_days)
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up
    await grants.load_brands_side(tx, world, campaign_keys, counters, stock)
    await load_seeds(tx, world, drawing, keyring)


async def load_seeds(
    tx: Tx,
    world: GrantWorld,
    drawing: Mapping[tuple[UUID, UUID], LiveCampaign],
    keyring: Keyring | None,
) -> None:
    """The seeds of today's draws of (brand_id, campaign_id) campaigns; no statement where there are
    none."""
    days: dict[SeedDay, str] = {}
    for (brand_id, campaign_id), campaign in drawing.items():
        today = local_date(tx.now, world.brands[brand_id].timezone)
        days[brand_id, campaign_id, today] = campaign.code
    if not days:
        return
    if keyring is not None:
        world.seeds = await open_seeds(tx, keyring, days)
    for (brand_id, campaign_id, on), code in days.items():
        if (brand_id, campaign_id) not in world.seeds:
            log.warning(
                "draw_without_seed", brand_id=str(brand_id), campaign=code, on=on.isoformat()
            )
