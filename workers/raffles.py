"""Raffles as periodic work: those that are over are drawn and paid, cancelled ones given back, a
step a transaction. And the news to those who won."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from loyalty.assets.models import AssetDefinition
from loyalty.assets.service import list_assets
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message
from loyalty.notifications.rules import spoken_amount
from loyalty.outbox import Leased
from rewards.coupons.models import CouponTemplate
from rewards.coupons.service import templates_by_id
from rewards.raffles.drawing import take_step
from rewards.raffles.models import Raffle
from rewards.raffles.rules import WON_TOPIC, Prize, coupons_at_most, step_of, table_from_json
from rewards.raffles.service import list_raffles_by_ids
from workers.couriers import Prepare, find_untold

CHUNK_ENTRIES = 1_000

_TemplateKey = tuple[UUID, UUID]

log = structlog.get_logger("raffles")


@dataclass(frozen=True)
class RaffleKeeper:
    """Brings raffles to their end; only who holds the keys can open a seed. ``failed``: those whose
    last step failed, tried again after all others."""

    keyring: Keyring
    failed: set[UUID] = field(default_factory=set)

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Take one step, over up to ``limit`` entries: ``limit``, as there may be more to do; 0
        where nothing is."""
        raffle = await take_step(tx, self.keyring, limit, self.failed)
        if raffle is None:
            return 0
        log.info("raffle_step", raffle_id=str(raffle.id), status=raffle.status)
        return limit


async def prepare_raffle_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``raffle.won``: which prize of which raffle, and what is given in a coupon's place."""
    facts = {event.id: event for event in events}
    by_brand: dict[UUID, set[UUID]] = {}
    for event in events:
        by_brand.setdefault(event.brand_id, set()).add(UUID(hex=event.payload["raffle_id"]))
    raffles = {
        raffle.id: raffle
        for brand_id, ids in sorted(by_brand.items())
        for raffle in await list_raffles_by_ids(snapshot, brand_id, sorted(ids))
    }
    coupons, assets = await _prizes_of(snapshot, raffles.values())
    messages = {}
    for to in await find_untold(snapshot, events):
        told = facts[to.event_id].payload
        raffle = raffles[UUID(hex=told["raffle_id"])]
        step = step_of(table_from_json(raffle.prize_table), told["entrants"])
        if step is None:
            raise LookupError("a winner of an empty pool")
        prize = step.prizes[told["prize_no"]]
        coupon, instead = None, None
        if prize.coupon_template_id is not None:
            coupon = _names(coupons[raffle.brand_id, prize.coupon_template_id])
        if told.get("no_coupon") is not None:
            asset = _names(assets[raffle.brand_id][prize.asset])
            instead = spoken_amount(prize.asset, prize.amount, asset)
        messages[to.event_id] = notifications.raffle_won(
            to, _names(raffle), _names(prize), coupon, instead
        )
    return messages


async def _prizes_of(
    snapshot: Snapshot, raffles: Iterable[Raffle]
) -> tuple[dict[_TemplateKey, CouponTemplate], dict[UUID, dict[str, AssetDefinition]]]:
    """The coupon templates that these raffles name, and the assets of their brands."""
    wanted: dict[UUID, set[UUID]] = {}
    for raffle in raffles:
        named = coupons_at_most(table_from_json(raffle.prize_table))
        wanted.setdefault(raffle.brand_id, set()).update(named)
    coupons: dict[_TemplateKey, CouponTemplate] = {}
    assets: dict[UUID, dict[str, AssetDefinition]] = {}
    for brand_id, ids in sorted(wanted.items()):
        if ids:
            found = await templates_by_id(snapshot, brand_id, ids)
            coupons.update({(brand_id, id): template for id, template in found.items()})
            assets[brand_id] = {row.code: row for row in await list_assets(snapshot, brand_id)}
    return coupons, assets


def _names(named: Raffle | Prize | CouponTemplate | AssetDefinition) -> tuple[str, str]:
    return named.name_zh, named.name_en


RAFFLE_NEWS: Mapping[str, Prepare] = {WON_TOPIC: prepare_raffle_news}
