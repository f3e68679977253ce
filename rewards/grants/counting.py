"""Boxes of scanned bottles, read and counted by set."""

from collections.abc import Iterable
from uuid import UUID

from loyalty.db import Tx
from rewards.grants import queries
from rewards.grants.service import note_locked
from rewards.grants.world import BoxState, GrantWorld, MemberState


async def load_boxes(
    tx: Tx, world: GrantWorld, items: Iterable[tuple[UUID, int]]
) -> dict[tuple[UUID, int], BoxState]:
    """Read the boxes of (brand_id, item_no) bottles, and what waits for them, of whomever; bottles
    of no known box are left out. The owners' accounts are to be locked after this."""
    boxes: dict[tuple[UUID, int], BoxState] = {}
    found: dict[tuple[UUID, int], BoxState] = {}
    seen: set[UUID] = set()
    for row in await queries.list_boxes(tx, sorted(set(items))):
        brand_id, item_no, box_item_no, counted, bottles, owner_id, *owner, state = row
        box = boxes.get((brand_id, box_item_no))
        if box is None:
            known = bottles if counted is None else counted
            box = BoxState(brand_id, box_item_no, bottles, known, counted or 0)
            boxes[brand_id, box_item_no] = box
        found[brand_id, item_no] = box
        if state is not None and state.id not in seen:
            seen.add(state.id)
            box.owners[owner_id] = MemberState(brand_id, owner_id, *owner)
            note_locked(world, [state])
    return found


async def write_boxes(tx: Tx, world: GrantWorld) -> None:
    """Write how many bottles of boxes have been scanned; RetryTransaction when another process has
    counted one of these boxes since it was read."""
    counted = {
        (box.brand_id, box.box_item_no): box for box in world.boxes.values() if box.is_counted_now
    }
    if counted:
        boxes = [box for _, box in sorted(counted.items())]
        await tx.write(
            queries.PUT_BOX_COUNTS,
            expected=len(boxes),
            rows=[(box.brand_id, box.box_item_no, box.bottles) for box in boxes],
            read=[(box.brand_id, box.box_item_no, box.counted_read) for box in boxes],
        )
