"""Wrong claims from behind the guide: invariants 6 and 8."""

from typing import Any

from loyalty.ledger.models import Transfer
from loyalty.members.models import Member
from rewards.campaigns.models import CapCounter
from rewards.scans.models import Claim
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.audited_channel import CHANNEL_ITEM
from tests.loyalty.ledger.corruptions import Corruption, change, remove, the_claim, the_transfer

_DECIDES = "a scan decides a claim for each role behind the guide that its campaign pays"
_SAYS_WHY = "a claim from behind the guide is paid with its scan, or says why not"
_OTHERS = "nobody behind the guide is the consumer"
_EXACTLY = "a paid scan has exactly its consumer credit and its guide credit"
_CAPS = "a cap counts the scans that were paid"


def _claim(b: AuditedBrand, role: str) -> dict[str, Any]:
    return the_claim(b, CHANNEL_ITEM, role)


OF_CHANNEL = (
    Corruption(
        "a store's claim deleted",
        6,
        lambda b, _: [remove(Claim, **_claim(b, "STORE"))],
        (_DECIDES, _EXACTLY, _CAPS),
    ),
    Corruption(
        "a salesperson who was paid nothing, without a word why",
        6,
        lambda b, _: [change(Claim, _claim(b, "SALESPERSON"), outcome="LOCKED")],
        (_SAYS_WHY,),
        tables=("claims",),
    ),
    Corruption(
        "a store's credit that went to the dealer",
        6,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "the store's part"),
                credit_account_id=b.account(b.dealer, "CASH"),
            )
        ],
        (
            _EXACTLY,
            "an account's counters are the sums of its transfers",
            "a lot is what its transfers say",
        ),
    ),
    Corruption(
        "a store that is the consumer",
        6,
        lambda b, _: [
            change(Member, {"brand_id": b.id, "id": b.store}, identity_id=b.other_identity)
        ],
        (_OTHERS, "nobody behind a purchase's place is its buyer"),
    ),
    Corruption(
        "a store's cap not counted",
        8,
        lambda b, _: [remove(CapCounter, brand_id=b.id, subject=b.store.hex)],
        (_CAPS,),
    ),
)
