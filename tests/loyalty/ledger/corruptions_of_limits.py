"""Wrong limits, keys, deliveries and references: invariants 8, 9, 10 and 12."""

from datetime import date

from analytics.models import ScanRollup
from loyalty.codes.models import ItemCode
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.ledger.models import Account
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import CampaignBudget, CapCounter
from rewards.scans.models import Claim, ScanEvent
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import SERIES
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_claim,
    the_counter,
    the_scan,
)
from tiers.standings.models import Standing

OF_LIMITS = (
    Corruption(
        "a budget overrun",
        8,
        lambda b, _: [change(CampaignBudget, {"brand_id": b.id}, allowed=25)],
        ("a budget is never overrun",),
        tables=("campaign_budgets",),
    ),
    Corruption(
        "a budget that forgot a reward",
        8,
        lambda b, _: [add(CampaignBudget, {"brand_id": b.id}, "spent", -3)],
        ("a budget says what its campaign's transfers gave",),
    ),
    Corruption(
        "a cap exceeded",
        8,
        lambda b, _: [change(CapCounter, the_counter(b, "GUIDE", b.guide.hex), used=5)],
        ("a cap counts the scans that were paid", "a cap is never exceeded"),
        tables=("cap_counters",),
    ),
    Corruption(
        "a cap's counter set back",
        8,
        lambda b, _: [change(CapCounter, the_counter(b, "GUIDE", b.guide.hex), used=1)],
        ("a cap counts the scans that were paid",),
    ),
    Corruption(
        "a cap counted on another day",
        8,
        lambda b, _: [
            change(CapCounter, the_counter(b, "MEMBER", b.consumer.hex), window_key="2026-11-02")
        ],
        ("a cap counts the scans that were paid",),
    ),
    Corruption(
        "a cap's counter deleted",
        8,
        lambda b, _: [remove(CapCounter, **the_counter(b, "DEVICE", "consumer's phone"))],
        ("a cap counts the scans that were paid",),
    ),
    Corruption(
        "a standing lifted by hand",
        8,
        lambda b, _: [change(Standing, {"brand_id": b.id, "member_id": b.consumer}, rank=2)],
        ("a standing is where its changes led",),
    ),
    Corruption(
        "a key recorded twice",
        9,
        lambda b, _: [
            repeat(
                IdempotencyRecord,
                {"brand_id": b.id, "key": "again 1"},
                operation="inviteMember",
            ),
            repeat(
                IdempotencyRecord,
                {"brand_id": b.id, "key": "again 1", "operation": "inviteMember"},
            ),
        ],
        ("an idempotency key has one record",),
        tables=("idempotency_records",),
    ),
    Corruption(
        "two receipts of one scan",
        9,
        lambda b, _: [
            repeat(IdempotencyRecord, {"brand_id": b.id, "key": "again 1"}, key="another")
        ],
        ("a stored scan receipt is of one scan, its own",),
    ),
    Corruption(
        "a receipt of no scan",
        9,
        lambda b, _: [
            change(
                IdempotencyRecord,
                {"brand_id": b.id, "key": "again 1"},
                reply={"scan_id": new_id().hex},
            )
        ],
        ("a stored scan receipt is of one scan, its own",),
    ),
    Corruption(
        "a receipt of another person's scan",
        9,
        lambda b, _: [
            change(
                IdempotencyRecord,
                {"brand_id": b.id, "key": "again 1"},
                actor_id=b.guide_identity,
            )
        ],
        ("a stored scan receipt is of one scan, its own",),
    ),
    Corruption(
        "a fact both delivered and dead",
        10,
        lambda b, _: [
            change(
                OutboxEvent,
                {"brand_id": b.id, "attempts": 1},
                delivered_at=AT,
                dead_at=AT,
                lease_token=None,
                leased_until=None,
            )
        ],
        ("an outbox row is delivered, pending or dead",),
    ),
    Corruption(
        "half a lease",
        10,
        lambda b, _: [change(OutboxEvent, {"brand_id": b.id, "attempts": 0}, lease_token=new_id())],
        ("an outbox row is delivered, pending or dead",),
    ),
    Corruption(
        "a fact rolled up twice",
        10,
        lambda b, _: [add(ScanRollup, {"brand_id": b.id}, "scans", 1)],
        ("a rollup counts no more than happened",),
    ),
    Corruption(
        "a rollup of the next day",
        10,
        lambda b, _: [change(ScanRollup, {"brand_id": b.id}, scanned_on=date(2026, 11, 2))],
        ("a rollup counts no more than happened",),
    ),
    Corruption(
        "a claim of another brand's member",
        12,
        lambda b, other: [change(Claim, the_claim(b, 2, "GUIDE"), member_id=other.guide)],
        ("a claim's scans exist and are of its item", "claims refers only to its own brand"),
    ),
    Corruption(
        "a cap of another brand's member",
        12,
        lambda b, other: [
            change(CapCounter, the_counter(b, "MEMBER", b.consumer.hex), subject=other.consumer.hex)
        ],
        ("a cap counts a member of its brand", "a cap counts the scans that were paid"),
    ),
    Corruption(
        "an account of another brand's member",
        12,
        lambda b, other: [change(Account, the_account(b, b.guide, "GROWTH"), owner_id=other.guide)],
        ("an account is its brand's, or one of its members' or places'",),
    ),
    Corruption(
        "a scan under another person's member",
        12,
        lambda b, _: [change(ScanEvent, the_scan(b, "again 1"), member_id=b.other_consumer)],
        ("a scan's member is its identity's, in the role acted in",),
    ),
    Corruption(
        "a scan of another brand's batch",
        12,
        lambda b, other: [
            change(ScanEvent, the_scan(b, "again 1"), batch_id=other.batches["INNER"])
        ],
        ("scan_events refers only to its own brand",),
    ),
    Corruption(
        "a scan of an item its batch does not have",
        12,
        lambda b, _: [
            change(ScanEvent, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
            change(ItemCode, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
            change(Claim, {"brand_id": b.id, "item_no": SERIES + 2}, item_no=SERIES + 200),
        ],
        ("a scan's item is one of its batch's",),
    ),
    Corruption(
        "a row of no brand",
        12,
        lambda b, _: [repeat(OutboxEvent, {"brand_id": b.id, "attempts": 0}, brand_id=STRANGER)],
        ("every row is of a brand that exists",),
    ),
)
