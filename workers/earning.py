"""What facts earn themselves: enrolments and levels reached, by the campaigns of their time. And
what they may lead to, noted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty.crypto import Keyring
from loyalty.db import Tx
from loyalty.outbox import Leased
from rewards.activities.service import note_enrolments, note_members
from rewards.events import sources
from rewards.events.rules import EventFact
from rewards.events.service import settle_where_paid
from rewards.purchases.rules import RECORDED_TOPIC
from rewards.purchases.service import ConfigurationCache
from workers.relay import Earn


def earning(keyring: Keyring | None = None) -> Mapping[str, Earn]:
    """By topic; configurations are held between the sets of one process. ``keyring`` opens draws'
    seeds."""
    cache = ConfigurationCache(keyring)

    async def settle_enrolments(tx: Tx, brand_id: UUID, events: Sequence[Leased]) -> None:
        """``member.enrolled``: a sign-up."""
        facts = [sources.signed_up(event.subject_id, event.created_at) for event in events]
        await settle_where_paid(tx, brand_id, facts, cache)
        await note_enrolments(tx, [(brand_id, event.subject_id) for event in events])

    async def settle_levels(tx: Tx, brand_id: UUID, events: Sequence[Leased]) -> None:
        """``tier.reached``: as of the time of what led to it."""
        await settle_where_paid(tx, brand_id, [_level_reached(event) for event in events], cache)

    async def note_purchases(tx: Tx, brand_id: UUID, events: Sequence[Leased]) -> None:
        """``purchase.recorded``: for what waits for purchases of these members."""
        await note_members(tx, [(brand_id, event.subject_id) for event in events])

    return {
        "member.enrolled": settle_enrolments,
        "tier.reached": settle_levels,
        RECORDED_TOPIC: note_purchases,
    }


def _level_reached(event: Leased) -> EventFact:
    told = event.payload
    at = told.get("occurred_at")  # facts of before it was told are of when they were written
    return sources.tier_reached(
        event.subject_id,
        told["change_id"],
        told["code"],
        told["to_rank"],
        told["from_rank"],
        event.created_at if at is None else datetime.fromisoformat(at),
    )
