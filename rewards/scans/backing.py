"""Reading who stands behind the guides of a batch: one statement, where a campaign that may be a
scan's pays any of them; none elsewhere."""

from collections.abc import Sequence
from uuid import UUID

from loyalty.db import Tx
from loyalty.places.channel import CHANNEL_ROLES, find_holders
from rewards.grants.channel import backer_of
from rewards.grants.world import MemberState
from rewards.scans.world import GUIDE, ScanRequest, ScanWorld, candidates, find_batch


async def load_channel(tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]) -> None:
    """Of every guide that is known by now; who stands behind one is then known too."""
    roles = {
        (batch.brand_id, role.value)
        for request in requests
        if (batch := find_batch(world, request)) is not None
        for campaign in candidates(world, request, batch)
        for role in campaign.channel
    }
    if not roles:
        return
    guides = {(m.brand_id, m.id) for m in world.members_by_id.values() if m.role == GUIDE}
    keys = {(*guide, role) for guide in guides for brand_id, role in roles if brand_id == guide[0]}
    if not keys:
        return
    for holder in await find_holders(tx, keys):
        found = backer_of(holder)
        if isinstance(found, MemberState):
            # Whoever scans in this batch is one and the same here.
            found = world.members_by_id.setdefault((found.brand_id, found.id), found)
        world.channel[holder.brand_id, holder.asked_id, holder.role] = found


def with_channel(world: ScanWorld, related: set[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Members a scan may concern, by (brand_id, member_id), with who stands behind them."""
    if not world.channel:
        return related
    behind = {
        (found.brand_id, found.id)
        for key in related
        for role in CHANNEL_ROLES
        if isinstance(found := world.channel.get((*key, role.value)), MemberState)
    }
    return related | behind
