"""Wrong payouts: invariants 1, 3, 4, 10 and 11."""

from datetime import timedelta

from loyalty.ids import new_id
from loyalty.ledger.models import Account, Transfer
from loyalty.outbox import OutboxEvent
from rewards.payouts.models import Payout, PayoutReport
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_store import ENDED_AT
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_payout,
    the_transfer,
)

OF_PAYOUTS = (
    Corruption(
        "what is held for a payout let go",
        1,
        lambda b, _: [
            add(Account, the_account(b, b.places[1], "CASH"), "debits_pending", -350),
            add(Account, the_account(b, b.id, "PAYOUT"), "credits_pending", -350),
        ],
        ("an account's counters are the sums of its transfers",),
    ),
    Corruption(
        "a payout booked as a gift",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "under way"), kind="SPEND")],
        (
            "a movement is of a kind that its accounts may make",
            "a payout is its pending transfer, and ends with it",
        ),
    ),
    Corruption(
        "cash that a place never got",
        3,
        lambda b, _: [
            add(Account, the_account(b, b.places[0], "CASH"), "credits_posted", 5),
            add(Account, the_account(b, b.id, "CASH"), "debits_posted", 5),
        ],
        (
            "an account's counters are the sums of its transfers",
            "issued = spent + expired + reversed + outstanding",
        ),
    ),
    Corruption(
        "a payout without a transfer",
        11,
        lambda b, _: [change(Payout, the_payout(b, "paid"), transfer_id=STRANGER)],
        (
            "a payout is its pending transfer, and ends with it",
            "payouts refers only to its own brand",
        ),
    ),
    Corruption(
        "a number used twice",
        11,
        lambda b, _: [
            change(
                Payout,
                the_payout(b, "failed"),
                number=b.number("paid"),
                request=f'{{"number": "{b.number("paid")}", "amount_fen": 350}}',
            )
        ],
        ("a payout number is used once",),
        tables=("payouts",),
    ),
    Corruption(
        "a request of another number",
        11,
        lambda b, _: [
            change(
                Payout,
                the_payout(b, "paid"),
                request=f'{{"number":"{b.number("failed")}","amount_fen":350,"payee":"Tea"}}',
            )
        ],
        ("a payout's request names its number and amount",),
    ),
    Corruption(
        "a request of another amount",
        11,
        lambda b, _: [
            change(
                Payout,
                the_payout(b, "paid"),
                request=f'{{"number":"{b.number("paid")}","amount_fen":3500,"payee":"Tea"}}',
            )
        ],
        ("a payout's request names its number and amount",),
    ),
    Corruption(
        "a request that asks for nothing",
        11,
        lambda b, _: [change(Payout, the_payout(b, "paid"), request="")],
        ("a payout's request names its number and amount",),
    ),
    Corruption(
        "paid by hand",
        11,
        lambda b, _: [
            change(Payout, the_payout(b, "under way"), status="PAID", resolved_at=ENDED_AT)
        ],
        (
            "a payout ends with a report of its provider that says so",
            "a payout is its pending transfer, and ends with it",
        ),
    ),
    Corruption(
        "failed, and the money gone",
        11,
        lambda b, _: [change(Payout, the_payout(b, "paid"), status="FAILED")],
        (
            "a payout ends with a report of its provider that says so",
            "a payout is its pending transfer, and ends with it",
        ),
    ),
    Corruption(
        "a payout of another amount",
        11,
        lambda b, _: [change(Payout, the_payout(b, "paid"), amount_fen=349)],
        (
            "a payout is its pending transfer, and ends with it",
            "a payout's request names its number and amount",
        ),
    ),
    Corruption(
        "held for no payout",
        11,
        lambda b, _: [
            remove(PayoutReport, brand_id=b.id, payout_id=b.payouts["under way"]),
            remove(Payout, **the_payout(b, "under way")),
        ],
        (
            "a payout is its pending transfer, and ends with it",
            "a transfer is booked with the event that caused it",
        ),
    ),
    Corruption(
        "paid before anybody said so",
        11,
        lambda b, _: [
            change(
                PayoutReport,
                {"brand_id": b.id, "payout_id": b.payouts["paid"], "state": "PAID"},
                created_at=ENDED_AT + timedelta(microseconds=1),
            )
        ],
        ("a payout ends with a report of its provider that says so",),
    ),
    Corruption(
        "paid, and nobody said so",
        11,
        lambda b, _: [
            remove(PayoutReport, brand_id=b.id, payout_id=b.payouts["paid"], state="PAID")
        ],
        ("a payout ends with a report of its provider that says so",),
    ),
    Corruption(
        "reported paid, and still under way",
        11,
        lambda b, _: [
            change(
                PayoutReport,
                {"brand_id": b.id, "payout_id": b.payouts["under way"]},
                state="PAID",
            )
        ],
        ("a payout ends with a report of its provider that says so",),
    ),
    Corruption(
        "two payouts of a place under way",
        11,
        lambda b, _: [
            change(Payout, the_payout(b, "under way"), place_id=b.places[0]),
            change(
                Payout,
                the_payout(b, "paid"),
                status="SENT",
                resolved_at=None,
            ),
        ],
        (
            "a live payout has a fact that waits or is dead",
            "a payout ends with a report of its provider that says so",
            "a payout is its pending transfer, and ends with it",
            "a place has one live payout at most",
            "a transfer is booked with the event that caused it",
        ),
        tables=("payouts",),
    ),
    Corruption(
        "a payout that was never sent and is under way",
        11,
        lambda b, _: [change(Payout, the_payout(b, "under way"), sent_at=None)],
        ("a payout that was sent or ended says when",),
    ),
    Corruption(
        "a payout booked at a time of nothing",
        4,
        lambda b, _: [change(Transfer, the_transfer(b, "end of paid"), created_at=AT)],
        ("a transfer is booked with the event that caused it",),
    ),
    Corruption(
        "a live payout forgotten",
        10,
        lambda b, _: [
            change(
                OutboxEvent,
                {"brand_id": b.id, "topic": "payout.ask"},
                delivered_at=ENDED_AT,
            )
        ],
        ("a live payout has a fact that waits or is dead",),
    ),
    Corruption(
        "a report told twice under one id",
        4,
        lambda b, _: [
            repeat(PayoutReport, {"brand_id": b.id, "payout_id": b.payouts["under way"]})
        ],
        ("append-only rows have ids of their own",),
        tables=("payout_reports",),
    ),
    Corruption(
        "a dead letter without an error",
        10,
        lambda b, _: [
            change(
                OutboxEvent,
                {"brand_id": b.id, "topic": "payout.ask"},
                dead_at=ENDED_AT,
            )
        ],
        ("an outbox row is delivered, pending or dead",),
    ),
    Corruption(
        "a second payout's hold",
        11,
        lambda b, _: [
            repeat(Transfer, the_transfer(b, "under way"), id=new_id()),
            add(Account, the_account(b, b.places[1], "CASH"), "debits_pending", 350),
            add(Account, the_account(b, b.id, "PAYOUT"), "credits_pending", 350),
        ],
        ("a payout is its pending transfer, and ends with it",),
    ),
)
