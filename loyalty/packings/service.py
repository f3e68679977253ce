"""The verb of packings: which bottles are in which boxes."""

from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.codes.rules import item_no, serial_of
from loyalty.codes.service import lock_series
from loyalty.db import Tx
from loyalty.errors import InvalidInput
from loyalty.packings import queries
from loyalty.packings.models import Packing
from loyalty.packings.rules import Line, check_line


async def pack_boxes(
    tx: Tx, actor: Actor, *, bottle_batch_id: UUID, box_batch_id: UUID, line: Line
) -> Packing:
    """Tell of one or more full boxes which bottles are in them. Whichever batch of a series names
    an item, it is the same bottle or box.

    Refuses NotFound (batch), and InvalidInput with the field: see ``rules.check_line``, and a
    bottle or a box that was packed before.
    """
    brand_id = actor.brand_id
    # Who packs bottles of these series, or into these boxes, waits here: what is found free below
    # stays free.
    locked = await lock_series(tx, brand_id, bottle_batch_id, box_batch_id)
    by_id = {batch.id: batch for batch in locked}
    bottles, boxes = by_id[bottle_batch_id], by_id[box_batch_id]
    check_line(line, bottles, boxes)
    packing = Packing(
        brand_id=brand_id,
        bottle_batch_id=bottles.id,
        first_item_no=item_no(bottles.series_no, line.first_serial),
        last_item_no=item_no(bottles.series_no, line.first_serial + line.count - 1),
        per_box=line.per_box,
        box_batch_id=boxes.id,
        first_box_item_no=item_no(boxes.series_no, line.first_box_serial),
        last_box_item_no=item_no(boxes.series_no, line.first_box_serial + line.boxes - 1),
        created_at=tx.now,
    )
    await _require_free(tx, packing)
    await tx.add(packing)
    await audit_log.record(
        tx,
        actor,
        "packing.create",
        packing.id,
        batch_id=bottles.id.hex,
        first_serial=line.first_serial,
        count=line.count,
        per_box=line.per_box,
        box_batch_id=boxes.id.hex,
        first_box_serial=line.first_box_serial,
    )
    return packing


async def _require_free(tx: Tx, packing: Packing) -> None:
    brand_id, first, last = packing.brand_id, packing.first_item_no, packing.last_item_no
    there = await queries.find_bottles_packed(tx, brand_id, first, last)
    if there is not None:
        serial = serial_of(max(first, there.first_item_no))
        raise InvalidInput(field="firstSerial", problem=f"bottle {serial} is in a box already")
    first, last = packing.first_box_item_no, packing.last_box_item_no
    there = await queries.find_boxes_packed(tx, brand_id, first, last)
    if there is not None:
        serial = serial_of(max(first, there.first_box_item_no))
        raise InvalidInput(field="firstBoxSerial", problem=f"box {serial} is packed already")
