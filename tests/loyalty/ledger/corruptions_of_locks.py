"""Wrong ends of what waited for something, and of scans that were taken back: invariant 6."""

from uuid import UUID

from rewards.campaigns.models import CampaignVersion
from rewards.grants.models import ActionReport, LockedReward
from rewards.scans.models import ScanReversal
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.audited_locks import HOUR, ITEMS, LOCKED_AT
from tests.loyalty.ledger.corruptions import (
    Corruption,
    change,
    the_transfer,
)

_LOCKS = "a paid scan locks exactly what its campaign locks"
_ENDS = "a locked reward is unlocked by what it waits for, and in time, or lapses"
_TAKEN_BACK = "a scan that was taken back was paid, and what it gave is taken back"


def _reversal(b: AuditedBrand) -> dict[str, UUID]:
    return {"brand_id": b.id, "id": b.scan_reversal}


def _until_taken(serial: int) -> dict[str, str]:
    """Until the consumer of an item has taken what it got."""
    return {"unlock_kind": "TAKEN", "unlock_key": f"item:{ITEMS + serial}:consumer"}


OF_LOCKS = (
    Corruption(
        "a reward locked until something else",
        6,
        lambda b, _: [
            change(
                LockedReward,
                the_transfer(b, "6 locks 4"),
                unlock_kind="NEXT_SCAN",
                unlock_key="NEXT_SCAN",
            )
        ],
        (_ENDS, _LOCKS),
    ),
    Corruption(
        "a lock that no campaign has published",
        6,
        lambda b, _: [
            change(
                CampaignVersion,
                {"brand_id": b.id, "id": b.locks_version},
                outcomes=[
                    {"beneficiary": "CONSUMER", "asset": "POINTS", "basis": "FIXED", "amount": 2}
                ],
            )
        ],
        (_LOCKS,),
    ),
    Corruption(
        "a reward unlocked by another's action",
        6,
        lambda b, _: [
            change(ActionReport, {"brand_id": b.id, "id": b.report}, member_id=b.consumer)
        ],
        (_ENDS,),
    ),
    Corruption(
        "a reward unlocked by another action",
        6,
        lambda b, _: [change(ActionReport, {"brand_id": b.id, "id": b.report}, action="buy")],
        (_ENDS,),
    ),
    Corruption(
        "a reward unlocked before its time",
        6,
        lambda b, _: [
            change(LockedReward, the_transfer(b, "6 locks 6"), unlocks_at=LOCKED_AT + 24 * HOUR)
        ],
        (_ENDS,),
    ),
    Corruption(
        "a reward that lapsed too soon",
        6,
        lambda b, _: [
            change(LockedReward, the_transfer(b, "6 locks 1"), lapses_at=LOCKED_AT + 24 * HOUR)
        ],
        (_ENDS,),
    ),
    Corruption(
        "a reward unlocked after it had lapsed",
        6,
        lambda b, _: [change(LockedReward, the_transfer(b, "6 locks 4"), lapses_at=LOCKED_AT)],
        (_ENDS,),
    ),
    Corruption(
        "a reward that waits for nothing",
        6,
        lambda b, _: [change(LockedReward, the_transfer(b, "lock 2"), unlock_count=0)],
        (_ENDS,),
    ),
    Corruption(
        "a guide forgotten when its buyer had taken everything",
        6,
        lambda b, _: [
            change(LockedReward, the_transfer(b, "lock 2"), **_until_taken(1)),
        ],
        (_ENDS,),
    ),
    Corruption(
        "a guide paid when all that its buyer got was taken back",
        6,
        lambda b, _: [
            change(LockedReward, the_transfer(b, "lock 1"), **_until_taken(7)),
        ],
        (_ENDS,),
    ),
    Corruption(
        "a locked reward that ended at another time than its transfer",
        4,
        lambda b, _: [
            change(LockedReward, the_transfer(b, "6 locks 1"), resolved_at=LOCKED_AT + 3 * HOUR)
        ],
        (
            "a locked reward is its pending transfer, and ends with it",
            "a transfer is booked with the event that caused it",
        ),
    ),
    Corruption(
        "a scan taken back that had paid nothing",
        6,
        lambda b, _: [change(ScanReversal, _reversal(b), scan_id=b.scans["again 1"])],
        (_TAKEN_BACK,),
    ),
    Corruption(
        "another scan's reward taken back",
        6,
        lambda b, _: [change(ScanReversal, _reversal(b), scan_id=b.scans["scan 6"])],
        (_TAKEN_BACK,),
    ),
)
