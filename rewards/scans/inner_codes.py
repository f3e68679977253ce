"""Which scans of INNER codes may unlock what waits for them."""

from collections.abc import Sequence
from uuid import UUID

from loyalty.codes.models import CodeKind
from loyalty.codes.rules import item_no
from rewards.scans.world import CONSUMER, ScanRequest, ScanWorld, find_batch, inner_key


def inner_keys(world: ScanWorld, requests: Sequence[ScanRequest]) -> list[tuple[UUID, UUID, str]]:
    """(brand_id, member_id, unlock_key) of consumers who scan the INNER code of an item of which
    another code may have paid them; none for brands where nothing was ever locked so."""
    keys = []
    for request in requests:
        batch = find_batch(world, request)
        member = world.members.get((request.actor.brand_id, request.actor.id, request.actor.role))
        if batch is None or batch.kind != CodeKind.INNER or member is None:
            continue
        is_waited_for = world.grants.brands[batch.brand_id].has_inner_locks
        if is_waited_for and member.role == CONSUMER and not member.is_new:
            item = item_no(batch.series_no, request.serial)
            keys.append((member.brand_id, member.id, inner_key(item)))
    return keys
