"""Wrong boxes: invariants 6 and 12."""

from typing import Any

from loyalty.packings.models import Packing
from tests.loyalty.ledger.audited_boxes import PER_BOX
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, add, change

_ORDERED = "a packing is of bottles and boxes that were ordered"
_ONCE = "a bottle is in one box, and a box is packed once"


def _packing(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.other_packing.id}


OF_BOXES = (
    Corruption(
        "a packing of boxes into bottles",
        12,
        lambda b, _: [change(Packing, _packing(b), box_batch_id=b.batches["INNER"])],
        (_ORDERED,),
    ),
    Corruption(
        "a packing of more bottles than were ordered",
        12,
        lambda b, _: [
            add(Packing, _packing(b), column, 100) for column in ("first_item_no", "last_item_no")
        ],
        (_ORDERED,),
        ("packings",),
    ),
    Corruption(
        "a bottle in two boxes",
        12,
        lambda b, _: [
            add(Packing, _packing(b), column, 1 - PER_BOX)
            for column in ("first_item_no", "last_item_no")
        ],
        (_ONCE,),
        ("packings",),
    ),
    Corruption(
        "a box packed twice",
        12,
        lambda b, _: [
            add(Packing, _packing(b), column, -1)
            for column in ("first_box_item_no", "last_box_item_no")
        ],
        (_ONCE,),
        ("packings",),
    ),
)
