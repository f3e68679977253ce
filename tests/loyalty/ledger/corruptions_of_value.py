"""Wrong debts, reversals, holds, extensions and expiries: invariants 1, 2, 3 and 12."""

from datetime import timedelta

from loyalty.ids import new_id
from loyalty.ledger.models import Account, Lot, LotExtension, Transfer, TransferReversal
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_value import CASH_UNTIL, EXTENDED_FROM
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_lot,
    the_reversal,
    the_transfer,
)

OF_VALUE = (
    Corruption(
        "a member that is owed",  # 6 are repaid of the 5 that it still owes
        1,
        lambda b, _: [
            repeat(Transfer, the_transfer(b, "repayment"), id=new_id(), amount=6),
            add(Account, the_account(b, b.consumer, "OWED"), "credits_posted", 6),
            add(Account, the_account(b, b.consumer, "CASH"), "debits_posted", 6),
            add(Lot, the_lot(b, b.consumer, CASH_UNTIL, "CASH"), "remaining", -6),
        ],
        ("what a member owes is never above zero",),
        tables=("accounts",),
    ),
    Corruption(
        "a debt that may not be one",
        1,
        lambda b, _: [change(Account, the_account(b, b.consumer, "OWED"), overdraft_allowed=False)],
        ("only declared accounts are below zero", "what a member owes is never above zero"),
        tables=("accounts",),
    ),
    Corruption(
        "a hold that left its lot as it was",
        2,
        lambda b, _: [add(Lot, the_lot(b, b.consumer, CASH_UNTIL, "CASH"), "remaining", 7)],
        (
            "a lot is what its transfers say",
            "free lots sum to the balance, locked lots to what is pending",
        ),
    ),
    Corruption(
        "a hold that its account forgot",
        2,
        lambda b, _: [
            add(Account, the_account(b, b.consumer, "CASH"), "debits_pending", -7),
            add(Account, the_account(b, b.id, "SPENT CASH"), "credits_pending", -7),
        ],
        (
            "an account's counters are the sums of its transfers",
            "free lots sum to the balance, locked lots to what is pending",
        ),
    ),
    Corruption(
        "a hold let go into another lot",
        2,
        lambda b, _: [
            change(Transfer, the_transfer(b, "end of let go hold"), debit_expires_on=EXTENDED_FROM)
        ],
        ("a lot is what its transfers say",),
    ),
    Corruption(
        "a hold on a lot past its date",
        2,
        lambda b, _: [
            change(Transfer, the_transfer(b, "open hold"), occurred_at=AT + timedelta(365))
        ],
        ("nothing is spent from a lot after its last day",),
    ),
    Corruption(
        "a lot that lived on by more than it had",
        2,
        lambda b, _: [add(LotExtension, {"brand_id": b.id}, "amount", 1)],
        ("a lot is what its transfers say",),
    ),
    Corruption(
        "a lot that lived on without a record",
        2,
        lambda b, _: [remove(LotExtension, brand_id=b.id)],
        ("a lot is what its transfers say",),
    ),
    Corruption(
        "expired a second before its last day was over",
        2,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "expiry of old gift"),
                occurred_at=AT.replace(day=31, month=10, hour=15, minute=59, second=59),
            )
        ],
        ("nothing expires before its last day is over",),
    ),
    Corruption(
        "expired twice",
        2,
        lambda b, _: [
            change(Transfer, the_transfer(b, "expiry"), amount=1),
            repeat(Transfer, the_transfer(b, "expiry"), id=new_id(), amount=1),
        ],
        ("a lot expires once",),
    ),
    Corruption(
        "expired again though nothing had come in",  # the late gift went into another lot
        2,
        lambda b, _: [
            change(Transfer, the_transfer(b, "late gift"), credit_expires_on=CASH_UNTIL),
            change(Transfer, the_transfer(b, "old gift"), amount=3),
            change(Transfer, the_transfer(b, "later gift"), amount=14),
        ],
        ("a lot expires once",),
    ),
    Corruption(
        "a reversal that was not counted",
        3,
        lambda b, _: [remove(TransferReversal, **the_reversal(b, "payment"))],
        ("a reversal takes back no more than there was",),
    ),
    Corruption(
        "a reversal counted that was none",
        3,
        lambda b, _: [add(TransferReversal, the_reversal(b, "gift"), "reversed", 1)],
        ("a reversal takes back no more than there was",),
    ),
    Corruption(
        "more taken back than was given",  # 50, of a gift of 15
        3,
        lambda b, _: [
            *(
                change(
                    Transfer,
                    the_transfer(b, name),
                    reverses_id=b.transfers["later gift"],
                )
                for name in ("gift taken back", "gift owed")
            ),
            change(
                TransferReversal, the_reversal(b, "gift"), transfer_id=b.transfers["later gift"]
            ),
        ],
        ("a reversal takes back no more than there was",),
    ),
    Corruption(
        "a reversal of what was never posted",
        3,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "payment returned"),
                reverses_id=b.transfers["open hold"],
            ),
            change(
                TransferReversal, the_reversal(b, "payment"), transfer_id=b.transfers["open hold"]
            ),
        ],
        ("a reversal takes back no more than there was",),
    ),
    Corruption(
        "a reversal of nothing",
        3,
        lambda b, _: [
            change(Transfer, the_transfer(b, "payment returned"), reverses_id=STRANGER),
            change(TransferReversal, the_reversal(b, "payment"), transfer_id=STRANGER),
        ],
        (
            "a reversal takes back no more than there was",
            "transfer_reversals refers only to its own brand",
            "transfers refers only to its own brand",
        ),
    ),
    Corruption(
        "a debt that nothing made",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "gift owed"), kind="REVERSE")],
        ("a movement is of a kind that its accounts may make",),
    ),
    Corruption(
        "spent as it was before there was a book for it, and held so",
        3,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "open hold"),
                credit_account_id=b.account(b.id, "CASH"),
            ),
            add(Account, the_account(b, b.id, "SPENT CASH"), "credits_pending", -7),
            add(Account, the_account(b, b.id, "CASH"), "credits_pending", 7),
        ],
        ("a movement is of a kind that its accounts may make",),
    ),
)
