"""How packings are found, always inside one brand."""

from uuid import UUID

from sqlalchemy.orm import Mapped
from sqlmodel import col, or_, select

from loyalty import keyed
from loyalty.db import Snapshot, Tx
from loyalty.packings.models import Packing


async def find_bottles_packed(
    tx: Tx, brand_id: UUID, first_item_no: int, last_item_no: int
) -> Packing | None:
    """The first packing that has one of these bottles already."""
    packed = (col(Packing.first_item_no), col(Packing.last_item_no))
    return await _find_overlap(tx, brand_id, packed, first_item_no, last_item_no)


async def find_boxes_packed(
    tx: Tx, brand_id: UUID, first_item_no: int, last_item_no: int
) -> Packing | None:
    """The first packing that has filled one of these boxes already."""
    filled = (col(Packing.first_box_item_no), col(Packing.last_box_item_no))
    return await _find_overlap(tx, brand_id, filled, first_item_no, last_item_no)


async def _find_overlap(
    tx: Tx, brand_id: UUID, held: tuple[Mapped[int], Mapped[int]], first: int, last: int
) -> Packing | None:
    held_first, held_last = held
    found = await tx.session.exec(
        select(Packing)
        .where(col(Packing.brand_id) == brand_id, held_first <= last, held_last >= first)
        .order_by(held_first)
        .limit(1)
    )
    return found.first()


async def find_packing(snapshot: Snapshot, brand_id: UUID, id: UUID) -> Packing | None:
    return await keyed.find_row(snapshot, Packing, brand_id, id)


async def list_packings(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    batch_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[Packing]:
    """Newest first, those told before the id ``before``; of one batch, of bottles or of boxes, if
    it is named."""
    of_batch = (
        [or_(col(Packing.bottle_batch_id) == batch_id, col(Packing.box_batch_id) == batch_id)]
        if batch_id is not None
        else []
    )
    return await keyed.list_newest(
        snapshot, Packing, brand_id, *of_batch, before=before, limit=limit
    )
