"""How packings are found, always inside one brand."""

from uuid import UUID

from sqlmodel import col, or_, select

from loyalty import keyed
from loyalty.db import Snapshot, Tx
from loyalty.packings.models import Packing


async def find_bottles_packed(
    tx: Tx, brand_id: UUID, first_item_no: int, last_item_no: int
) -> Packing | None:
    """A packing that has one of these bottles already."""
    found = await tx.session.exec(
        select(Packing)
        .where(
            col(Packing.brand_id) == brand_id,
            col(Packing.first_item_no) <= last_item_no,
            col(Packing.last_item_no) >= first_item_no,
        )
        .order_by(col(Packing.first_item_no))
        .limit(1)
    )
    return found.first()


async def find_boxes_packed(
    tx: Tx, brand_id: UUID, first_item_no: int, last_item_no: int
) -> Packing | None:
    """A packing that has filled one of these boxes already."""
    found = await tx.session.exec(
        select(Packing)
        .where(
            col(Packing.brand_id) == brand_id,
            col(Packing.first_box_item_no) <= last_item_no,
            col(Packing.last_box_item_no) >= first_item_no,
        )
        .order_by(col(Packing.first_box_item_no))
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
    statement = select(Packing).where(col(Packing.brand_id) == brand_id)
    if batch_id is not None:
        statement = statement.where(
            or_(col(Packing.bottle_batch_id) == batch_id, col(Packing.box_batch_id) == batch_id)
        )
    if before is not None:
        statement = statement.where(col(Packing.id) < before)
    found = await snapshot.session.exec(statement.order_by(col(Packing.id).desc()).limit(limit))
    return list(found)
