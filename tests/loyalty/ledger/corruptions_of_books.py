"""Wrong accounts, transfers and lots: invariants 1, 2, 3 and 5."""

from datetime import UTC, date, datetime

from loyalty.ids import new_id
from loyalty.ledger.models import Account, Lot, Transfer
from rewards.purchases.models import PurchaseEvent
from tests.loyalty.ledger.audited_brand import GOOD_UNTIL
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_lot,
    the_transfer,
)

OF_BOOKS = (
    Corruption(
        "a counter moved without a transfer",
        1,
        lambda b, _: [add(Account, the_account(b, b.consumer, "GROWTH"), "credits_posted", 1)],
        (
            "an account's counters are the sums of its transfers",
            "debits equal credits",
            "free lots sum to the balance, locked lots to what is pending",
            "issued = spent + expired + reversed + outstanding",
        ),
    ),
    Corruption(
        "a transfer deleted",
        1,
        lambda b, _: [remove(Transfer, **the_transfer(b, "growth of scan 1"))],
        (
            "a lot is what its transfers say",
            "a paid scan has exactly its consumer credit and its guide credit",
            "a standing change's transfer and ladder exist",
            "an account's counters are the sums of its transfers",
            "issued = spent + expired + reversed + outstanding",
            "standing_changes refers only to its own brand",
        ),
    ),
    Corruption(
        "a transfer booked twice",
        1,
        lambda b, _: [repeat(Transfer, the_transfer(b, "points of scan 1"), id=new_id())],
        (
            "a budget says what its campaign's transfers gave",
            "a lot is what its transfers say",
            "an account's counters are the sums of its transfers",
            "issued = spent + expired + reversed + outstanding",
        ),
        tables=("transfers",),
    ),
    Corruption(
        "a transfer of an account that is gone",
        1,
        lambda b, _: [change(Transfer, the_transfer(b, "move"), credit_account_id=STRANGER)],
        (
            "a lot is what its transfers say",
            "a transfer's accounts exist",
            "an account's counters are the sums of its transfers",
            "transfers refers only to its own brand",
        ),
    ),
    Corruption(
        "a transfer between assets",
        1,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "growth of scan 1"),
                credit_account_id=b.account(b.consumer),
            )
        ],
        (
            "a lot is what its transfers say",
            "a transfer's accounts hold its asset",
            "an account's counters are the sums of its transfers",
        ),
    ),
    Corruption(
        "a transfer of nothing",
        1,
        lambda b, _: [
            repeat(
                Transfer,
                the_transfer(b, "growth of scan 1"),
                id=new_id(),
                amount=0,
            )
        ],
        ("a transfer moves a positive amount between two accounts",),
        tables=("transfers",),
    ),
    Corruption(
        "a member below zero",
        1,
        lambda b, _: [
            repeat(
                Transfer,
                the_transfer(b, "growth of scan 1"),
                id=new_id(),
                debit_account_id=b.account(b.guide, "GROWTH"),
                credit_account_id=b.account(b.consumer, "GROWTH"),
                kind="MOVE",
                cause_kind="OPERATOR",
            ),
            add(Account, the_account(b, b.guide, "GROWTH"), "debits_posted", 5),
            add(Account, the_account(b, b.consumer, "GROWTH"), "credits_posted", 5),
        ],
        (
            "a lot is what its transfers say",
            "free lots sum to the balance, locked lots to what is pending",
            "only declared accounts are below zero",
        ),
        tables=("accounts",),
    ),
    Corruption(
        "a member allowed to overdraw",
        1,
        lambda b, _: [change(Account, the_account(b, b.guide), overdraft_allowed=True)],
        ("only the brand's issuance, clearing, places' rebates and debts may be overdrawn",),
    ),
    Corruption(
        "a second account of one asset",
        1,
        lambda b, _: [
            repeat(Account, the_account(b, b.guide, "GROWTH"), id=new_id()),
        ],
        ("an owner has one account of an asset and kind",),
        tables=("accounts",),
    ),
    Corruption(
        "a post that differs from its pending transfer",
        1,
        lambda b, _: [change(Transfer, the_transfer(b, "post of lock 1"), amount=2)],
        (
            "a budget says what its campaign's transfers gave",
            "a lot is what its transfers say",
            "a paid scan has exactly its consumer credit and its guide credit",
            "a post or void resolves a like pending transfer",
            "an account's counters are the sums of its transfers",
            "issued = spent + expired + reversed + outstanding",
        ),
    ),
    Corruption(
        "a pending transfer posted twice",
        1,
        lambda b, _: [repeat(Transfer, the_transfer(b, "post of lock 1"), id=new_id())],
        (
            "a budget says what its campaign's transfers gave",
            "a locked reward is its pending transfer, and ends with it",
            "a lot is what its transfers say",
            "a pending transfer is resolved once",
            "an account's counters are the sums of its transfers",
            "issued = spent + expired + reversed + outstanding",
        ),
        tables=("transfers",),
    ),
    Corruption(
        "a lot of the brand's",
        2,
        lambda b, _: [
            repeat(Lot, the_lot(b, b.guide), account_id=b.account(b.id, "SPENT POINTS")),
        ],
        ("only members' accounts keep lots",),
    ),
    Corruption(
        "a lot that lost a point",
        2,
        lambda b, _: [add(Lot, {**the_lot(b, b.consumer)}, "remaining", -1)],
        (
            "a lot is what its transfers say",
            "free lots sum to the balance, locked lots to what is pending",
        ),
    ),
    Corruption(
        "a point moved from one lot to another",
        2,
        lambda b, _: [
            repeat(
                Lot, the_lot(b, b.consumer), expires_on=date(2030, 1, 1), granted=1, remaining=1
            ),
            add(Lot, the_lot(b, b.consumer), "remaining", -1),
        ],
        ("a lot is what its transfers say",),
    ),
    Corruption(
        "a locked lot set free",
        2,
        lambda b, _: [change(Lot, {**the_lot(b, b.guide, date.max), "locked": True}, locked=False)],
        (
            "a lot is what its transfers say",
            "free lots sum to the balance, locked lots to what is pending",
        ),
    ),
    Corruption(
        "more remaining than was granted",
        2,
        lambda b, _: [add(Lot, the_lot(b, b.consumer), "granted", -15)],
        ("a lot is never below zero nor above what was granted", "a lot is what its transfers say"),
        tables=("lots",),
    ),
    Corruption(
        "spent a second after the last day",
        2,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "move"),
                occurred_at=datetime(2028, 11, 1, 16, tzinfo=UTC),
            )
        ],
        ("nothing is spent from a lot after its last day",),
    ),
    Corruption(
        "a lot named where there is none",
        2,
        lambda b, _: [
            change(Transfer, the_transfer(b, "rebate of far"), credit_expires_on=GOOD_UNTIL)
        ],
        ("only a side that keeps lots names one",),
    ),
    Corruption(
        "a balance out of nowhere",
        3,
        lambda b, _: [
            add(Account, the_account(b, b.guide, "GROWTH"), "credits_posted", 5),
            add(Account, the_account(b, b.id, "GROWTH"), "debits_posted", 5),
        ],
        (
            "an account's counters are the sums of its transfers",
            "free lots sum to the balance, locked lots to what is pending",
            "issued = spent + expired + reversed + outstanding",
        ),
    ),
    Corruption(
        "issued by another name",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "points of new purchase"), kind="GIFT")],
        (
            "a movement is of a kind that its accounts may make",
            "a purchase granted what its transfers gave",
        ),
    ),
    Corruption(
        "a purchase that says more than it gave",
        3,
        lambda b, _: [
            change(PurchaseEvent, {"brand_id": b.id, "purchase_ref": "new"}, points_granted=8)
        ],
        ("a purchase granted what its transfers gave",),
    ),
    Corruption(
        "a transfer into another brand",
        5,
        lambda b, other: [
            change(
                Transfer, the_transfer(b, "move"), credit_account_id=other.account(other.consumer)
            )
        ],
        (
            "a lot is what its transfers say",
            "a transfer touches one brand",
            "an account's counters are the sums of its transfers",
            "transfers refers only to its own brand",
        ),
    ),
)
