"""Wrong holds and adjustments: invariants 3 and 4."""

from datetime import timedelta
from typing import Any

from loyalty.adjustments.models import Adjustment
from loyalty.holds.models import Hold
from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, change, the_transfer

HELD = "a hold's transfers are what it held and spent"
ENDED = "a hold ends in its time, and lapses after it"
ADJUSTED = "an adjustment's transfers are what was decided"
DECIDED = "who proposed an adjustment did not decide on it"
BOOKED = "a transfer is booked with the event that caused it"
LATE = AT + timedelta(hours=1)
ONE = new_id()


def the_hold(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.holds[name]}


def the_adjustment(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.adjustments[name]}


OF_HOLDS = (
    Corruption(
        "a hold captured for less than it spent",
        3,
        lambda b, _: [change(Hold, the_hold(b, "taken"), captured=2)],
        (HELD,),
    ),
    Corruption(
        "a hold of another amount than it keeps",
        3,
        lambda b, _: [change(Hold, the_hold(b, "open"), amount=8)],
        (HELD,),
    ),
    Corruption(
        "a hold let go that keeps what it held",
        3,
        lambda b, _: [change(Hold, the_hold(b, "open"), status="RELEASED", ended_at=AT)],
        (HELD,),
    ),
    Corruption(
        "a hold of one member kept by another",
        3,
        lambda b, _: [change(Hold, the_hold(b, "open"), member_id=b.other_consumer)],
        (HELD,),
    ),
    Corruption(
        "a transfer of a hold that names another cause",
        3,
        lambda b, _: [
            change(Transfer, the_transfer(b, "end of taken hold"), cause_kind="OPERATOR")
        ],
        (HELD,),
    ),
    Corruption(
        "a hold that lapsed before its time",
        4,
        lambda b, _: [change(Hold, the_hold(b, "old"), held_until=LATE)],
        (ENDED,),
    ),
    Corruption(
        "a hold captured after its time",
        4,
        lambda b, _: [change(Hold, the_hold(b, "taken"), held_until=AT)],
        (ENDED,),
    ),
    Corruption(
        "a hold that ended before it began",
        4,
        lambda b, _: [change(Hold, the_hold(b, "let go"), held_at=AT + timedelta(seconds=1))],
        (ENDED, BOOKED),
    ),
    Corruption(
        "an adjustment of another amount than it moved",
        3,
        lambda b, _: [change(Adjustment, the_adjustment(b, "given by hand"), amount=8)],
        (ADJUSTED,),
    ),
    Corruption(
        "an adjustment applied that moved nothing",
        3,
        lambda b, _: [
            change(Adjustment, the_adjustment(b, "proposed"), status="APPLIED", decided_at=AT)
        ],
        (ADJUSTED,),
    ),
    Corruption(
        "an adjustment turned down that moved",
        3,
        lambda b, _: [change(Adjustment, the_adjustment(b, "taken by hand"), status="REJECTED")],
        (ADJUSTED,),
    ),
    Corruption(
        "an adjustment of one member that moved another's",
        3,
        lambda b, _: [
            change(Adjustment, the_adjustment(b, "given by hand"), member_id=b.other_consumer)
        ],
        (ADJUSTED,),
    ),
    Corruption(
        "an adjustment approved by who proposed it",
        4,
        lambda b, _: [
            change(
                Adjustment,
                the_adjustment(b, "taken by hand"),
                proposed_by_id=ONE,
                decided_by_id=ONE,
            )
        ],
        (DECIDED,),
        tables=("adjustments",),
    ),
    Corruption(
        "an adjustment rejected by nobody",
        4,
        lambda b, _: [change(Adjustment, the_adjustment(b, "rejected"), decided_by_id=None)],
        (DECIDED,),
    ),
)
