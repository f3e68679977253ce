"""What members are told of their purchases and returns: points that came and went."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty.db import Snapshot
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message
from loyalty.outbox import Leased
from rewards.purchases.rules import RECORDED_TOPIC
from rewards.returns.rules import RETURNED_TOPIC
from workers.couriers import Prepare, find_untold

POINTS = "POINTS"


async def prepare_purchase_news(
    snapshot: Snapshot, events: Sequence[Leased]
) -> dict[UUID, Message]:
    """``purchase.recorded``: how many points it earned at once; nothing where there are none."""
    paid = {e.id: int(e.payload["points_granted"]) for e in events if e.payload["points_granted"]}
    recipients = await find_untold(snapshot, [e for e in events if e.id in paid])
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
    recipients = await find_untold(snapshot, [e for e in events if e.id in took])
    return {
        to.event_id: notifications.purchase_returned(to, *took[to.event_id]) for to in recipients
    }


PURCHASE_NEWS: Mapping[str, Prepare] = {
    RECORDED_TOPIC: prepare_purchase_news,
    RETURNED_TOPIC: prepare_return_news,
}
