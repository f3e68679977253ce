"""What members are told of their purchases and returns: points that came and went."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty.db import Snapshot
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message
from loyalty.notifications.service import Recipient
from loyalty.outbox import Leased
from rewards.purchases.rules import RECORDED_TOPIC
from rewards.returns.rules import RETURNED_TOPIC
from workers.couriers import Prepare
from workers.handlers import UnknownMember

POINTS = "POINTS"


async def prepare_purchase_news(
    snapshot: Snapshot, events: Sequence[Leased]
) -> dict[UUID, Message]:
    """``purchase.recorded``: how many points it earned at once; nothing where there are none."""
    paid = {e.id: int(e.payload["points_granted"]) for e in events if e.payload["points_granted"]}
    recipients = await _find_recipients(snapshot, [e for e in events if e.id in paid])
    return {
        to.event_id: notifications.purchase_rewarded(to, paid[to.event_id]) for to in recipients
    }


async def prepare_return_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``purchase.returned``: how many points it took, and how many are owed since; nothing where
    there are none."""
    took = {}
    for event in events:
        for taking in event.payload["taken"]:
            if taking["asset"] == POINTS and taking["taken"] + taking["owed"]:
                took[event.id] = (int(taking["taken"]), int(taking["owed"]))
    recipients = await _find_recipients(snapshot, [e for e in events if e.id in took])
    return {
        to.event_id: notifications.purchase_returned(to, *took[to.event_id]) for to in recipients
    }


async def _find_recipients(snapshot: Snapshot, events: Sequence[Leased]) -> list[Recipient]:
    """Who has not been told yet."""
    if not events:
        return []
    found = await notifications.find_recipients(
        snapshot, [(event.brand_id, event.id, event.subject_id) for event in events]
    )
    if len(found) != len(events):
        raise UnknownMember
    return [to for to in found.values() if not to.is_told]


PURCHASE_NEWS: Mapping[str, Prepare] = {
    RECORDED_TOPIC: prepare_purchase_news,
    RETURNED_TOPIC: prepare_return_news,
}
