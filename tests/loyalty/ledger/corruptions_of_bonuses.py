"""Wrong bonuses: invariants 6 and 12."""

from typing import Any

from loyalty.ledger.models import Transfer
from rewards.events.models import EarningEvent
from rewards.grants.models import Bonus
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import STRANGER, Corruption, change, remove, the_transfer

_PAID = "a bonus was paid if and only if it says so, and of its own campaign's version"
_OF_A_PAID = "a bonus is of an event that its first campaign paid"
_NAMED = "what an event gave is of its campaign, or of one of its bonuses"
_OWN = "bonuses refers only to its own brand"
_EVENT_PAID = "an event was paid if and only if it says so"


def _the_bonus(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "cause_id": b.happy_event}


OF_BONUSES = (
    Corruption(
        "a bonus deleted",
        6,
        lambda b, _: [remove(Bonus, **_the_bonus(b))],
        (_NAMED,),
    ),
    Corruption(
        "a bonus that denies what it gave",
        6,
        lambda b, _: [change(Bonus, _the_bonus(b), unpaid_reason="CAP")],
        (_PAID,),
    ),
    Corruption(
        "a bonus that claims what it did not give",
        6,
        lambda b, _: [
            change(Transfer, the_transfer(b, "happy hour"), campaign_id=b.coffee_campaign)
        ],
        (_PAID,),
    ),
    Corruption(
        "a bonus of another group than its campaign's",
        6,
        lambda b, _: [change(Bonus, _the_bonus(b), bonus_group="others")],
        (_PAID,),
    ),
    Corruption(
        "a bonus of an event that was not paid",
        6,
        lambda b, _: [
            change(EarningEvent, {"brand_id": b.id, "id": b.happy_event}, unpaid_reason="CAP")
        ],
        (_EVENT_PAID, _OF_A_PAID),
    ),
    Corruption(
        "a bonus for a stranger's guide",
        12,
        lambda b, _: [change(Bonus, _the_bonus(b), guide_member_id=STRANGER)],
        (_OWN,),
    ),
)
