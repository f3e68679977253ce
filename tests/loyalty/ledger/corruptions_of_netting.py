"""Netting runs told wrongly: invariant 5."""

from rewards.clearing.models import ClearingEntry
from rewards.netting.models import NettingLeg, NettingRun
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import STRANGER, Corruption, add, change, remove

NET = "a netting run leaves each brand's net as it was"
ENTRIES = "netting entries are what their posted runs say"
COPIES = "all brands have the same netting run, each its own part"

OF_NETTING = (
    Corruption(
        "both sides of a leg pay less than the net",
        5,
        lambda b, _: [
            add(NettingLeg, {"brand_id": b.id, "run_id": b.netting}, "pays_fen", -7),
            add(NettingLeg, {"brand_id": b.partner, "run_id": b.netting}, "pays_fen", 7),
        ],
        (NET,),
    ),
    Corruption(
        "one side's leg is of another amount",
        5,
        lambda b, _: [add(NettingLeg, {"brand_id": b.id, "run_id": b.netting}, "owed_fen", 3)],
        (NET, COPIES),
    ),
    Corruption(
        "one side's leg is lost",
        5,
        lambda b, _: [remove(NettingLeg, brand_id=b.partner, run_id=b.netting)],
        (NET, COPIES),
    ),
    Corruption(
        "a pair is free for another run while one is open",
        5,
        lambda b, _: [change(NettingLeg, {"run_id": b.netting}, is_open=False)],
        (COPIES,),
    ),
    Corruption(
        "one side's run is over",
        5,
        lambda b, _: [
            change(
                NettingRun, {"brand_id": b.id, "id": b.netting}, status="WITHDRAWN", decided_at=AT
            )
        ],
        (COPIES,),
    ),
    Corruption(
        "all have approved, and it is not posted",
        5,
        lambda b, _: [change(NettingRun, {"id": b.netting}, approved_at=AT, approved_by=STRANGER)],
        (COPIES,),
    ),
    Corruption(
        "both sides have an entry of a run that is not posted",
        5,
        lambda b, _: [
            change(ClearingEntry, {"id": b.payment}, kind="NETTING", netting_run_id=b.netting)
        ],
        (ENTRIES,),
    ),
)
