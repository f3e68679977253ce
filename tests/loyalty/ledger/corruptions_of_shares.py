"""Wrong shares of purchases: invariants 3 and 6."""

from typing import Any

from loyalty.ledger.models import Transfer
from rewards.purchases.models import PurchaseEvent, PurchaseShare
from rewards.returns.models import PurchaseReturnTaking
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import Corruption, change, remove, the_transfer

_EACH = "a rewarded purchase has a share for each role behind its place that its campaign pays"
_GAVE = "a purchase gave to whom its shares say, and to its buyer"
_SAYS_WHY = "a share is of somebody in its role at a place, or says why not"
_TOOK = "a return took what its transfers took"


def _share(b: AuditedBrand, role: str) -> dict[str, Any]:
    return {"brand_id": b.id, "purchase_id": b.sold, "role": role}


OF_SHARES = (
    Corruption(
        "a salesperson's share deleted",
        6,
        lambda b, _: [remove(PurchaseShare, **_share(b, "SALESPERSON"))],
        (_EACH,),
    ),
    Corruption(
        "a dealer who is said to be paid, and was not",
        6,
        lambda b, _: [change(PurchaseShare, _share(b, "DEALER"), unpaid_reason=None)],
        (_GAVE,),
        tables=("purchase_shares",),
    ),
    Corruption(
        "a store's share that went to the dealer",
        6,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "the store's share"),
                credit_account_id=b.account(b.dealer, "CASH"),
            )
        ],
        (
            _GAVE,
            "an account's counters are the sums of its transfers",
            "a lot is what its transfers say",
        ),
    ),
    Corruption(
        "a purchase that was at no place",
        6,
        lambda b, _: [change(PurchaseEvent, {"brand_id": b.id, "id": b.sold}, place_id=None)],
        (_SAYS_WHY,),
    ),
    Corruption(
        "what a return took of the store, told of the dealer",
        3,
        lambda b, _: [
            change(
                PurchaseReturnTaking,
                {"brand_id": b.id, "role": "STORE"},
                role="DEALER",
            )
        ],
        (_TOOK,),
    ),
)
