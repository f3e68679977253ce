"""Reading who is behind the places of a batch: one statement, where a campaign that may be a
purchase's pays any of them; none elsewhere."""

from collections.abc import Sequence
from datetime import datetime

from loyalty.db import Tx
from loyalty.places.channel import find_holders_at
from rewards.campaigns.rules import LiveCampaign
from rewards.grants.channel import backer_of
from rewards.grants.world import MemberState
from rewards.purchases.rules import PurchaseFact, PurchaseWorld, candidates

Backing = tuple[MemberState, datetime, tuple[LiveCampaign, ...]]
"""Who may be paid beside a buyer, when, and by which campaigns."""


async def load_channel(
    tx: Tx, world: PurchaseWorld, purchases: Sequence[tuple[PurchaseFact, datetime]]
) -> list[Backing]:
    """Who is behind the places is known then; the answer is whom that concerns."""
    paying = []
    for fact, at in purchases:
        if fact.place is not None:
            campaigns = tuple(each for each in candidates(world, fact, at) if each.channel)
            paying += [(fact.place.id, at, campaigns)] if campaigns else []
    keys = {
        (world.brand.id, place_id, role.value)
        for place_id, _, campaigns in paying
        for campaign in campaigns
        for role in campaign.channel
    }
    if not keys:
        return []
    members: dict[object, MemberState] = {}
    for holder in await find_holders_at(tx, keys):
        found = backer_of(holder)
        if isinstance(found, MemberState):
            found = members.setdefault(found.id, found)  # of several places one and the same
        world.channel[holder.asked_id, holder.role] = found
    return [
        (member, at, campaigns)
        for place_id, at, campaigns in paying
        for (of_place_id, _), member in world.channel.items()
        if of_place_id == place_id and isinstance(member, MemberState)
    ]
