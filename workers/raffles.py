"""Raffles as periodic work: those that are over are drawn and paid, cancelled ones given back, a
step a transaction. And the news to those who won."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message
from loyalty.outbox import Leased
from rewards.raffles.drawing import take_step
from rewards.raffles.rules import WON_TOPIC, step_of, table_from_json
from rewards.raffles.service import list_raffles_by_ids
from workers.couriers import Prepare, find_untold

CHUNK_ENTRIES = 1_000

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
    """``raffle.won``: which prize of which raffle."""
    facts = {event.id: event for event in events}
    by_brand: dict[UUID, set[UUID]] = {}
    for event in events:
        by_brand.setdefault(event.brand_id, set()).add(UUID(hex=event.payload["raffle_id"]))
    raffles = {
        raffle.id: raffle
        for brand_id, ids in sorted(by_brand.items())
        for raffle in await list_raffles_by_ids(snapshot, brand_id, sorted(ids))
    }
    messages = {}
    for to in await find_untold(snapshot, events):
        told = facts[to.event_id].payload
        raffle = raffles[UUID(hex=told["raffle_id"])]
        step = step_of(table_from_json(raffle.prize_table), told["entrants"])
        if step is None:
            raise LookupError("a winner of an empty pool")
        prize = step.prizes[told["prize_no"]]
        messages[to.event_id] = notifications.raffle_won(
            to, (raffle.name_zh, raffle.name_en), (prize.name_zh, prize.name_en)
        )
    return messages


RAFFLE_NEWS: Mapping[str, Prepare] = {WON_TOPIC: prepare_raffle_news}
