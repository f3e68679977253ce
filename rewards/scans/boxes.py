"""Reads the boxes of scanned bottles, for brands where rewards wait for them."""

from collections.abc import Sequence

from loyalty.codes.rules import item_no
from loyalty.db import Tx
from rewards.grants.counting import load_boxes as load_boxes_of
from rewards.scans.world import ScanRequest, ScanWorld, find_batch


async def load_boxes(tx: Tx, world: ScanWorld, requests: Sequence[ScanRequest]) -> None:
    """The boxes of what is scanned, and what waits for them; one statement, and none for brands
    where nothing was ever locked so."""
    if not any(brand.has_box_locks for brand in world.grants.brands.values()):
        return
    items = {
        request.scan_id: (batch.brand_id, item_no(batch.series_no, request.serial))
        for request in requests
        if world.grants.brands[request.actor.brand_id].has_box_locks
        and (batch := find_batch(world, request)) is not None
    }
    if not items:
        return
    boxes = await load_boxes_of(tx, world.grants, items.values())
    world.grants.boxes = {scan_id: boxes[item] for scan_id, item in items.items() if item in boxes}


def meet_owners(world: ScanWorld) -> None:
    """Whose rewards wait for a box is of the batch, whoever scans."""
    for box in world.grants.boxes.values():
        for owner in box.owners.values():
            world.members_by_id.setdefault((owner.brand_id, owner.id), owner)
