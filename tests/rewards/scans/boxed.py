"""Boxes for the worlds that scans are tried in."""

from loyalty.actor import Actor, ActorKind
from loyalty.codes.models import BatchStatus, CodeBatch, CodeKind, CodePurpose
from loyalty.codes.service import find_batch_by_number
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.packings.rules import Line
from loyalty.packings.service import pack_boxes
from tests.rewards.scans.worlds import SOMEWHERE_ELSE, World

BOXES_SERIES = 20
BOXES = 1000


async def pack(tx: Tx, world: World, first: int, count: int, per_box: int, box: int = 0) -> None:
    """Put bottles of each brand's first series into boxes."""
    for index, brand_id in enumerate(world.brand_ids):
        bottles = await find_batch_by_number(tx, brand_id, 1)
        assert bottles is not None
        boxes = await find_batch_by_number(tx, brand_id, BOXES_SERIES)
        if boxes is None:
            boxes = CodeBatch(
                brand_id=brand_id,
                id=new_id(),
                number=BOXES_SERIES,
                series_no=BOXES_SERIES,
                key_epoch_id=bottles.key_epoch_id,
                product_id=bottles.product_id,
                kind=CodeKind.BOX_INNER.value,
                purpose=CodePurpose.SELL_THROUGH.value,
                quantity=BOXES,
                status=BatchStatus.ACTIVE.value,
                created_at=tx.now,
            )
            world.names.give(boxes.id, f"batch of boxes {index}")
            await tx.add(boxes)
        packing = await pack_boxes(
            tx,
            Actor(ActorKind.OPERATOR, brand_id, SOMEWHERE_ELSE, "ADMIN"),
            bottle_batch_id=bottles.id,
            box_batch_id=boxes.id,
            line=Line(first, count, per_box, box),
        )
        world.names.give(packing.id, f"packing {box} {index}")
