"""Wrong limits, keys and deliveries: invariants 8, 9 and 10."""

from datetime import date

from analytics.models import ScanRollup
from loyalty.idempotency import IdempotencyRecord
from loyalty.ids import new_id
from loyalty.outbox import OutboxEvent
from loyalty.periodic import PeriodicJob
from rewards.campaigns.models import CampaignBudget, CapCounter
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_counter,
)
from tiers.standings.models import Standing

_BETTER = "a level is the better of what was earned and what was given"

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
        ("a standing is where its changes led", _BETTER),
    ),
    Corruption(
        "a level whose earning is forgotten",
        8,
        lambda b, _: [change(Standing, {"brand_id": b.id, "member_id": b.consumer}, earned_rank=0)],
        (_BETTER,),
    ),
    Corruption(
        "a level said to be granted that was earned",
        8,
        lambda b, _: [
            change(Standing, {"brand_id": b.id, "member_id": b.consumer}, basis="GRANTED")
        ],
        (_BETTER,),
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
        "periodic work half leased",
        10,
        lambda b, _: [change(PeriodicJob, {"name": str(b.id)}, lease_token=new_id())],
        ("periodic work is leased wholly or not at all",),
    ),
)
