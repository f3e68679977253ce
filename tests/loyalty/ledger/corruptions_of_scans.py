"""Wrong scans, claims and histories: invariants 4 and 6."""

from datetime import UTC, datetime

from loyalty.codes.models import ItemCode
from loyalty.ids import new_id
from loyalty.ledger.models import NEVER_EXPIRES, Account, Lot, Transfer
from loyalty.members.models import Member
from rewards.grants.models import LockedReward
from rewards.purchases.models import PurchaseEvent
from rewards.scans.models import Claim, ScanEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import SERIES
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_claim,
    the_code,
    the_lot,
    the_scan,
    the_transfer,
)
from tiers.standings.models import StandingChange

OF_SCANS = (
    Corruption(
        "an id used twice",
        4,
        lambda b, _: [
            repeat(ScanEvent, the_scan(b, "again 1")),
            change(ItemCode, the_code(b, 1), scan_count=3),
        ],
        ("append-only rows have ids of their own",),
        tables=("scan_events",),
    ),
    Corruption(
        "a row from the future",
        4,
        lambda b, _: [
            change(
                StandingChange,
                {"brand_id": b.id, "member_id": b.consumer},
                created_at=datetime(2199, 1, 1, tzinfo=UTC),
            )
        ],
        ("nothing is dated in the future",),
    ),
    Corruption(
        "a transfer moved in time",
        4,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "growth of scan 3"),
                occurred_at=datetime(2026, 10, 1, tzinfo=UTC),
            )
        ],
        ("a transfer is booked with the event that caused it",),
    ),
    Corruption(
        "a purchase deleted",
        4,
        lambda b, _: [remove(PurchaseEvent, brand_id=b.id, purchase_ref="new")],
        (
            "a purchase granted what its transfers gave",
            "a transfer is booked with the event that caused it",
        ),
    ),
    Corruption(
        "a repeated scan deleted",
        6,
        lambda b, _: [remove(ScanEvent, **the_scan(b, "again 1"))],
        (
            "a code's scans are counted, and its first and last are told right",
            "a rollup counts no more than happened",
            "a stored scan receipt is of one scan, its own",
            "item_codes refers only to its own brand",
        ),
    ),
    Corruption(
        "a standing change without its transfer",
        4,
        lambda b, _: [
            change(
                StandingChange, {"brand_id": b.id, "member_id": b.consumer}, transfer_id=new_id()
            )
        ],
        (
            "a standing change's transfer and ladder exist",
            "standing_changes refers only to its own brand",
        ),
    ),
    Corruption(
        "a standing change that no longer says why",
        4,
        lambda b, _: [
            change(
                StandingChange,
                {"brand_id": b.id, "member_id": b.consumer},
                transfer_id=None,
                cause_kind="SCAN",
                cause_id=b.scans["scan 1"],
            ),
        ],
        ("a standing change that was caused by a transfer names one",),
    ),
    Corruption(
        "a level that dropped for nothing",
        4,
        lambda b, _: [
            change(
                StandingChange,
                {"brand_id": b.id, "member_id": b.consumer},
                transfer_id=None,
                reason="DROPPED",
            ),
        ],
        ("a standing change that was caused by a transfer names one",),
    ),
    Corruption(
        "a standing change for another's growth",
        4,
        lambda b, _: [
            change(
                StandingChange,
                {"brand_id": b.id, "member_id": b.consumer},
                transfer_id=b.transfers["growth of scan 3"],
            )
        ],
        ("a standing change's transfer and ladder exist",),
    ),
    Corruption(
        "a locked reward deleted",
        4,
        lambda b, _: [remove(LockedReward, **the_transfer(b, "lock 2"))],
        ("a locked reward is its pending transfer, and ends with it",),
    ),
    Corruption(
        "a locked reward that nothing unlocked",
        4,
        lambda b, _: [
            change(
                LockedReward,
                the_transfer(b, "lock 2"),
                status="UNLOCKED",
                unlock_count=0,
                resolved_by_id=b.transfers["post of lock 1"],
                resolved_at=AT,
            )
        ],
        ("a locked reward is its pending transfer, and ends with it",),
    ),
    Corruption(
        "a claim made twice",
        6,
        lambda b, _: [repeat(Claim, the_claim(b, 4, "CONSUMER"))],
        ("a claim is made once",),
        tables=("claims",),
    ),
    Corruption(
        "a claim of another item's scan",
        4,
        lambda b, _: [change(Claim, the_claim(b, 2, "GUIDE"), item_no=SERIES + 9)],
        ("a claim's scans exist and are of its item",),
    ),
    Corruption(
        "an item that paid two scans",
        6,
        lambda b, _: [change(ScanEvent, the_scan(b, "again 1"), unpaid_reason=None)],
        (
            "a cap counts the scans that were paid",
            "a paid scan wins exactly the coupons that its campaign gives",
            "a paid scan holds its consumer's claim",
            "a scan pays its scanner or says why not",
            "an item pays one consumer once",
        ),
    ),
    Corruption(
        "a paid scan that gives a reason",
        6,
        lambda b, _: [change(ScanEvent, the_scan(b, "scan 3"), unpaid_reason="CAP")],
        (
            "a cap counts the scans that were paid",
            "a coupon won is of a paid scan",
            "a paid scan wins exactly the coupons that its campaign gives",
            "a paid scan holds its consumer's claim",
            "a rollup counts no more than happened",
            "a scan pays its scanner or says why not",
        ),
    ),
    Corruption(
        "the reason for no guide credit lost",
        6,
        lambda b, _: [
            change(ScanEvent, the_scan(b, "scan 3"), guide_unpaid_reason=None),
        ],
        ("a paid scan settles its guide's claim, or says why there is no credit",),
    ),
    Corruption(
        "the consumer credited twice",
        6,
        lambda b, _: [
            repeat(Transfer, the_transfer(b, "growth of scan 3"), id=new_id()),
            add(Account, the_account(b, b.other_consumer, "GROWTH"), "credits_posted", 5),
            add(Account, the_account(b, b.id, "GROWTH"), "debits_posted", 5),
            add(Lot, the_lot(b, b.other_consumer, NEVER_EXPIRES, "GROWTH"), "granted", 5),
            add(Lot, the_lot(b, b.other_consumer, NEVER_EXPIRES, "GROWTH"), "remaining", 5),
        ],
        ("a paid scan has exactly its consumer credit and its guide credit",),
    ),
    Corruption(
        "the consumer credited less",
        6,
        lambda b, _: [
            change(Transfer, the_transfer(b, "growth of scan 3"), amount=4),
            add(Account, the_account(b, b.other_consumer, "GROWTH"), "credits_posted", -1),
            add(Account, the_account(b, b.id, "GROWTH"), "debits_posted", -1),
            add(Lot, the_lot(b, b.other_consumer, NEVER_EXPIRES, "GROWTH"), "remaining", -1),
            add(Lot, the_lot(b, b.other_consumer, NEVER_EXPIRES, "GROWTH"), "granted", -1),
        ],
        ("a paid scan has exactly its consumer credit and its guide credit",),
    ),
    Corruption(
        "a guide's claim never settled",
        6,
        lambda b, _: [
            change(Claim, the_claim(b, 1, "GUIDE"), settled_scan_id=None, outcome="ATTRIBUTED")
        ],
        (
            "a paid scan has exactly its consumer credit and its guide credit",
            "a paid scan settles its guide's claim, or says why there is no credit",
        ),
    ),
    Corruption(
        "a guide's claim deleted",
        6,
        lambda b, _: [remove(Claim, **the_claim(b, 3, "GUIDE"))],
        ("a paid scan settles its guide's claim, or says why there is no credit",),
    ),
    Corruption(
        "a guide's claim settled by nobody's scan",
        6,
        lambda b, _: [
            change(Claim, the_claim(b, 2, "GUIDE"), settled_scan_id=b.scans["pre-scan 2"])
        ],
        ("a paid scan settles its guide's claim, or says why there is no credit",),
    ),
    Corruption(
        "a locked claim unlocked alone",
        6,
        lambda b, _: [change(Claim, the_claim(b, 2, "GUIDE"), outcome="ATTRIBUTED")],
        ("a guide's claim is locked while its credits are pending",),
    ),
    Corruption(
        "one person in both roles",
        6,
        lambda b, _: [
            change(Member, {"brand_id": b.id, "id": b.guide}, identity_id=b.consumer_identity)
        ],
        (
            "a scan's member is its identity's, in the role acted in",
            "the two rewards of a scan go to different people",
        ),
        tables=("members",),
    ),
    Corruption(
        "one device for both",
        6,
        lambda b, _: [change(ScanEvent, the_scan(b, "pre-scan 1"), device_hash="consumer's phone")],
        ("the two rewards of a scan go to different people",),
    ),
    Corruption(
        "a scan not counted",
        6,
        lambda b, _: [change(ItemCode, the_code(b, 1), scan_count=1)],
        ("a code's scans are counted, and its first and last are told right",),
    ),
    Corruption(
        "the first scan forgotten for a later one",
        6,
        lambda b, _: [change(ItemCode, the_code(b, 1), first_scan_id=b.scans["again 1"])],
        ("a code's scans are counted, and its first and last are told right",),
    ),
    Corruption(
        "the first scan told of another time",
        6,
        lambda b, _: [
            change(ItemCode, the_code(b, 1), first_scanned_at=datetime(2026, 1, 1, tzinfo=UTC))
        ],
        ("a code's scans are counted, and its first and last are told right",),
    ),
    Corruption(
        "a code first scanned twice",
        6,
        lambda b, _: [change(ScanEvent, the_scan(b, "again 1"), verdict="FIRST")],
        ("a code is scanned for the first time once",),
    ),
    Corruption(
        "a guide's credit never booked",
        6,
        lambda b, _: [
            change(Claim, the_claim(b, 3, "GUIDE"), outcome="PAID", member_id=b.guide),
            change(
                ScanEvent,
                the_scan(b, "scan 3"),
                guide_unpaid_reason=None,
                guide_member_id=b.guide,
            ),
        ],
        (
            "a cap counts the scans that were paid",
            "a paid scan has exactly its consumer credit and its guide credit",
        ),
    ),
)
