"""Wrong events: invariants 3, 4 and 12."""

from datetime import timedelta
from typing import Any

from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.events.models import EarningEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    change,
    remove,
    repeat,
    the_transfer,
)

_BOOKED = "a transfer is booked with the event that caused it"
_PAID = "an event was paid if and only if it says so"
_OWN = "earning_events refers only to its own brand"


def _the_event(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.event}


OF_EVENTS = (
    Corruption(
        "an event deleted",
        4,
        lambda b, _: [remove(EarningEvent, **_the_event(b))],
        (_BOOKED, _PAID),
    ),
    Corruption(
        "a reward of another time than its event",
        4,
        lambda b, _: [
            change(EarningEvent, _the_event(b), occurred_at=AT - timedelta(days=1)),
        ],
        (_BOOKED,),
    ),
    Corruption(
        "a reward of an event that was not paid",
        3,
        lambda b, _: [
            change(Transfer, the_transfer(b, "coffee"), cause_id=b.unpaid_event),
        ],
        (_PAID,),
    ),
    Corruption(
        "an event that claims to be paid",
        3,
        lambda b, _: [
            change(EarningEvent, {"brand_id": b.id, "id": b.unpaid_event}, unpaid_reason=None)
        ],
        (_PAID,),
    ),
    Corruption(
        "an event recorded twice",
        4,
        lambda b, _: [repeat(EarningEvent, _the_event(b), ref="again")],
        (_PAID, "append-only rows have ids of their own"),
        ("earning_events",),
    ),
    Corruption(
        "an event of a stranger",
        12,
        lambda b, _: [
            repeat(EarningEvent, _the_event(b), id=new_id(), ref="of another", member_id=STRANGER)
        ],
        (_PAID, _OWN),
    ),
    Corruption(
        "an event that a stranger's campaign rewarded",
        12,
        lambda b, _: [change(EarningEvent, _the_event(b), campaign_version_id=STRANGER)],
        (_OWN,),
    ),
    Corruption(
        "an event of a stranger's type",
        12,
        lambda b, _: [change(EarningEvent, _the_event(b), event_type_id=STRANGER)],
        (_OWN,),
    ),
)
