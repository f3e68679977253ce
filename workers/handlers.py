"""What is done about each topic of the outbox.

Two kinds. What only writes to our database does so in the very transaction that marks the events
delivered: the fence makes it exactly once. What leaves the house goes through a courier
(``couriers.py``); news to members is prepared here. Each takes a whole group; none runs a statement
per event.
"""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from analytics import service as analytics
from loyalty import outbox
from loyalty.actor import MemberRole
from loyalty.db import Snapshot, Tx
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message
from loyalty.notifications.rules import spoken_amount
from loyalty.notifications.service import Recipient
from loyalty.outbox import Leased
from rewards.activities.service import note_scans
from tiers.ladders.rules import LadderView
from tiers.ladders.service import current_ladders
from workers import queries
from workers.couriers import Prepare, find_untold
from workers.relay import Settle


async def count_scans(tx: Tx, token: UUID, events: Sequence[Leased]) -> None:
    """``scan.recorded``: noted where something waits for scans, and into the rollups, the hottest
    rows, hence last."""
    await outbox.deliver(tx, token, events)
    await note_scans(tx, [(event.brand_id, event.subject_id) for event in events])
    await analytics.count_scans(tx, events)


async def prepare_welcomes(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``member.enrolled``: a welcome to consumers, nothing to the other roles."""
    consumers = [e for e in events if e.payload["role"] == MemberRole.CONSUMER.value]
    recipients = await find_untold(snapshot, consumers)
    return {to.event_id: notifications.welcome(to) for to in recipients}


async def prepare_tier_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``tier.reached``: the tier's name as the newest ladder has it. A statement per brand."""
    return await _name_tiers(snapshot, events, notifications.tier_reached)


async def prepare_fall_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``tier.lowered``: what the member holds now, named likewise."""
    return await _name_tiers(snapshot, events, notifications.tier_lowered)


async def _name_tiers(
    snapshot: Snapshot, events: Sequence[Leased], tell: Callable[[Recipient, str, str], Message]
) -> dict[UUID, Message]:
    codes = {event.id: str(event.payload["code"]) for event in events}
    recipients = await find_untold(snapshot, events)
    ladders = {
        brand_id: await current_ladders(snapshot, brand_id)
        for brand_id in sorted({to.brand_id for to in recipients})
    }
    messages = {}
    for to in recipients:
        names = _names(ladders[to.brand_id].get(to.role), codes[to.event_id])
        messages[to.event_id] = tell(to, *names)
    return messages


async def prepare_coupon_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``coupon.issued``: what was won or bought, by the name of its template. Of what was taken in
    the mall its order tells, and of a raffle's prize ``raffle.won``."""
    events = [event for event in events if event.payload["cause"] not in ("ORDER", "RAFFLE")]
    facts = {event.id: event for event in events}
    recipients = await find_untold(snapshot, events)
    names = await _find_template_names(snapshot, events)
    messages = {}
    for to in recipients:
        payload = facts[to.event_id].payload
        name = names[to.brand_id, UUID(hex=payload["template_id"])]
        bought = payload["cause"] == "BOUGHT"
        messages[to.event_id] = notifications.coupon_issued(to, *name, bought=bought)
    return messages


async def prepare_redeemed_news(
    snapshot: Snapshot, events: Sequence[Leased]
) -> dict[UUID, Message]:
    """``coupon.redeemed``: which coupon, and where: members find misuse first."""
    facts = {event.id: event for event in events}
    recipients = await find_untold(snapshot, events)
    names = await _find_template_names(snapshot, events)
    places = {(event.brand_id, UUID(hex=event.payload["place_id"])) for event in events}
    found = await snapshot.fetch(queries.FIND_PLACE_NAMES, keys=sorted(places))
    place_names = {(brand_id, id): name for brand_id, id, name in found}
    messages = {}
    for to in recipients:
        payload = facts[to.event_id].payload
        name = names[to.brand_id, UUID(hex=payload["template_id"])]
        place = place_names[to.brand_id, UUID(hex=payload["place_id"])]
        messages[to.event_id] = notifications.coupon_redeemed(to, *name, place)
    return messages


async def prepare_unlocked_news(
    snapshot: Snapshot, events: Sequence[Leased]
) -> dict[UUID, Message]:
    """``reward.unlocked``: how much of what."""
    return await _prepare_reward_news(snapshot, events, notifications.reward_unlocked)


async def prepare_lapsed_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``reward.lapsed``: how much of what."""
    return await _prepare_reward_news(snapshot, events, notifications.reward_lapsed)


async def _prepare_reward_news(
    snapshot: Snapshot,
    events: Sequence[Leased],
    say: Callable[[Recipient, tuple[str, str]], Message],
) -> dict[UUID, Message]:
    facts = {event.id: event for event in events}
    recipients = await find_untold(snapshot, events)
    keys = {(event.brand_id, str(event.payload["asset"])) for event in events}
    found = await snapshot.fetch(queries.FIND_ASSET_NAMES, keys=sorted(keys))
    names = {(brand_id, code): (zh, en) for brand_id, code, zh, en in found}
    messages = {}
    for to in recipients:
        payload = facts[to.event_id].payload
        asset = str(payload["asset"])
        own = names.get((to.brand_id, asset))
        spoken = spoken_amount(asset, int(payload["amount"]), own)
        messages[to.event_id] = say(to, spoken)
    return messages


async def prepare_mall_news(snapshot: Snapshot, events: Sequence[Leased]) -> dict[UUID, Message]:
    """``offer.redeemed``, ``order.fulfilled``, ``order.cancelled``: by the name of the offer."""
    facts = {event.id: event for event in events}
    keys = {(event.brand_id, UUID(hex=event.payload["offer_id"])) for event in events}
    found = await snapshot.fetch(queries.FIND_OFFER_NAMES, keys=sorted(keys))
    names = {(brand_id, id): (zh, en) for brand_id, id, zh, en in found}
    messages = {}
    for to in await find_untold(snapshot, events):
        event = facts[to.event_id]
        name = names[to.brand_id, UUID(hex=event.payload["offer_id"])]
        messages[to.event_id] = _mall_news(to, event, *name)
    return messages


def _mall_news(to: Recipient, event: Leased, zh: str, en: str) -> Message:
    told = event.payload
    if event.topic == "order.fulfilled":
        return notifications.order_fulfilled(to, zh, en, told["carrier"], told["tracking_number"])
    if event.topic == "order.cancelled":
        return notifications.order_cancelled(to, zh, en, told["reason"])
    return notifications.offer_redeemed(
        to, zh, en, quantity=told["quantity"], waits=told["kind"] == "GIFT"
    )


async def _find_template_names(
    snapshot: Snapshot, events: Sequence[Leased]
) -> dict[tuple[UUID, UUID], tuple[str, str]]:
    keys = {(event.brand_id, UUID(hex=event.payload["template_id"])) for event in events}
    found = await snapshot.fetch(queries.FIND_TEMPLATE_NAMES, keys=sorted(keys))
    return {(brand_id, id): (zh, en) for brand_id, id, zh, en in found}


def _names(ladder: LadderView | None, code: str) -> tuple[str, str]:
    for level in ladder.levels if ladder else ():
        if level.code == code:
            return level.name_zh, level.name_en
    return code, code  # the ladder has been published anew without it


SETTLED_HERE: Mapping[str, Settle] = {"scan.recorded": count_scans}
NEWS: Mapping[str, Prepare] = {
    "member.enrolled": prepare_welcomes,
    "tier.reached": prepare_tier_news,
    "tier.lowered": prepare_fall_news,
    "coupon.issued": prepare_coupon_news,
    "coupon.redeemed": prepare_redeemed_news,
    "reward.unlocked": prepare_unlocked_news,
    "reward.lapsed": prepare_lapsed_news,
    "offer.redeemed": prepare_mall_news,
    "order.fulfilled": prepare_mall_news,
    "order.cancelled": prepare_mall_news,
}
