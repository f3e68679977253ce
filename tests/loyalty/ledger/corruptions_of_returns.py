"""Wrong purchases and returns: invariants 3, 4 and 12."""

from typing import Any

from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.purchases.models import PurchaseEvent, PurchaseLine
from rewards.returns.models import PurchaseReturn, PurchaseReturnLine, PurchaseReturnTaking
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    change,
    remove,
    repeat,
    the_transfer,
)

LINES = "a purchase is the sum of its lines"
RETURNED = "what was returned of a purchase is the sum of its returns"
RETURNED_LINES = "what was returned of a line is the sum of its returns"
TOOK = "a return took what its transfers took"
BOOKED = "a transfer is booked with the event that caused it"


def the_return(brand: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": brand.id, "return_ref": "return"}


def the_line(brand: AuditedBrand, line_no: int) -> dict[str, Any]:
    return {"brand_id": brand.id, "purchase_id": brand.returned, "line_no": line_no}


OF_RETURNS = (
    Corruption(
        "a line that was dropped",
        3,
        lambda b, _: [remove(PurchaseLine, **the_line(b, 2))],
        (LINES,),
    ),
    Corruption(
        "a line that costs more",
        3,
        lambda b, _: [change(PurchaseLine, the_line(b, 1), amount_fen=901)],
        (LINES,),
    ),
    Corruption(
        "a return that is not counted",
        3,
        lambda b, _: [
            change(PurchaseEvent, {"brand_id": b.id, "id": b.returned}, returned_fen=200)
        ],
        (RETURNED,),
    ),
    Corruption(
        "more given back than was bought",
        3,
        lambda b, _: [
            change(PurchaseEvent, {"brand_id": b.id, "id": b.returned}, returned_fen=1_000),
            change(PurchaseReturn, the_return(b), amount_fen=1_000),
        ],
        (RETURNED,),
        ("purchase_events",),
    ),
    Corruption(
        "a return that leaves too much",
        3,
        lambda b, _: [change(PurchaseReturn, the_return(b), left_fen=500)],
        (RETURNED,),
    ),
    Corruption(
        "a piece given back that is not counted",
        3,
        lambda b, _: [change(PurchaseLine, the_line(b, 1), returned_quantity=0)],
        (RETURNED_LINES,),
    ),
    Corruption(
        "a line given back that was never bought",
        3,
        lambda b, _: [change(PurchaseReturnLine, {"brand_id": b.id}, line_no=9)],
        (RETURNED_LINES,),
    ),
    Corruption(
        "a return that took more than it says",
        3,
        lambda b, _: [change(PurchaseReturnTaking, {"brand_id": b.id}, taken=1)],
        (TOOK,),
    ),
    Corruption(
        "what a return took, told as debt",
        3,
        lambda b, _: [change(PurchaseReturnTaking, {"brand_id": b.id}, taken=1, owed=2)],
        (TOOK,),
    ),
    Corruption(
        "a return's transfer put down to somebody",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "cash taken back"), cause_kind="OPERATOR")],
        (TOOK,),
    ),
    Corruption(
        "a return deleted",
        4,
        lambda b, _: [remove(PurchaseReturn, **the_return(b))],
        (
            RETURNED,
            RETURNED_LINES,
            BOOKED,
            "purchase_return_lines refers only to its own brand",
            "purchase_return_takings refers only to its own brand",
        ),
    ),
    Corruption(
        "a return recorded twice",
        4,
        lambda b, _: [repeat(PurchaseReturn, the_return(b), return_ref="again")],
        (RETURNED, RETURNED_LINES, "append-only rows have ids of their own"),
        ("purchase_returns",),
    ),
    Corruption(
        "a purchase that a stranger's campaign rewarded",
        12,
        lambda b, other: [
            change(
                PurchaseEvent, {"brand_id": b.id, "id": b.returned}, campaign_version_id=STRANGER
            )
        ],
        ("purchase_events refers only to its own brand",),
    ),
    Corruption(
        "a return of a stranger's purchase",
        12,
        lambda b, _: [
            repeat(
                PurchaseReturn,
                the_return(b),
                id=new_id(),
                return_ref="of another",
                purchase_id=STRANGER,
            )
        ],
        (RETURNED, "purchase_returns refers only to its own brand"),
    ),
)
