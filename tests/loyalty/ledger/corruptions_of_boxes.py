"""Wrong boxes: invariants 6 and 12."""

from typing import Any

from loyalty.packings.models import Packing
from rewards.grants.models import BoxCount, LockedReward
from tests.loyalty.ledger.audited_boxes import BOXES, FIRST, PER_BOX
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, add, change, the_transfer

_COUNTED = "a box has been counted as often as its bottles were scanned"
_OPENED = "what waits for bottles of a box is unlocked by so many, and by no fewer"
_ORDERED = "a packing is of bottles and boxes that were ordered"
_ONCE = "a bottle is in one box, and a box is packed once"


def _packing(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.other_packing.id}


def _waiting(b: AuditedBrand) -> dict[str, Any]:
    return the_transfer(b, f"{FIRST + PER_BOX} of a box")


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
        (_ONCE, _COUNTED, _OPENED),
        ("packings",),
    ),
    Corruption(
        "a box counted once too often",
        6,
        lambda b, _: [add(BoxCount, {"brand_id": b.id, "box_item_no": BOXES}, "bottles", 1)],
        (_COUNTED,),
    ),
    Corruption(
        "a count of a box that nobody has packed",
        6,
        lambda b, _: [
            add(BoxCount, {"brand_id": b.id, "box_item_no": BOXES + 1}, "box_item_no", 8)
        ],
        (_COUNTED,),
    ),
    Corruption(
        "a reward that waits for a bottle too few",
        6,
        lambda b, _: [add(LockedReward, _waiting(b), "unlock_count", 1)],
        (_OPENED,),
    ),
    Corruption(
        "a reward unlocked by fewer bottles than it waits for",
        6,
        lambda b, _: [change(LockedReward, the_transfer(b, f"{FIRST} of a box"), unlock_key="3")],
        (_OPENED,),
    ),
    Corruption(
        "a reward still locked whose bottles are all there",
        6,
        lambda b, _: [change(LockedReward, _waiting(b), unlock_key="1")],
        (_OPENED,),
    ),
    Corruption(
        "a reward that waits for another box",
        6,
        lambda b, _: [
            change(LockedReward, the_transfer(b, f"{FIRST} of a box"), box_item_no=BOXES + 1)
        ],
        (_OPENED,),
    ),
)
