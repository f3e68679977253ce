"""Wrong redemptions, steps and rebates: invariants 3, 4, 7 and 10."""

from datetime import timedelta

from loyalty.ids import new_id
from loyalty.ledger.models import Account, Transfer
from loyalty.outbox import OutboxEvent
from loyalty.places.models import Till
from rewards.coupons.models import CouponTemplate
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.loyalty.ledger.audited_store import CAPTURED_AT, ENDED_AT, HELD_AT, HELD_UNTIL
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_account,
    the_redemption,
    the_step,
    the_template,
    the_transfer,
)

SECOND_HOLD = new_id()

OF_REDEMPTIONS = (
    Corruption(
        "captured without a hold",
        7,
        lambda b, _: [remove(RedemptionEvent, **the_step(b, "unpaid", "HOLD"))],
        ("a redemption takes legal steps, each once",),
    ),
    Corruption(
        "a step taken twice",
        7,
        lambda b, _: [
            repeat(RedemptionEvent, the_step(b, "won", "HOLD"), id=new_id()),
        ],
        ("a redemption takes legal steps, each once",),
        tables=("redemption_events",),
    ),
    Corruption(
        "a hold that was given up and lapsed",
        7,
        lambda b, _: [
            repeat(RedemptionEvent, the_step(b, "lapsed", "LAPSE"), id=new_id(), step="VOID")
        ],
        ("a redemption takes legal steps, each once",),
    ),
    Corruption(
        "a step of no kind",
        7,
        lambda b, _: [change(RedemptionEvent, the_step(b, "dropped", "VOID"), step="DROP")],
        (
            "a redemption takes legal steps, each once",
            "a redemption's times run forward",
        ),
        tables=("redemption_events",),
    ),
    Corruption(
        "a redemption without steps",
        7,
        lambda b, _: [remove(RedemptionEvent, **the_step(b, "won", "HOLD"))],
        ("a redemption is where its steps led",),
    ),
    Corruption(
        "a hold voided without a step",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "won"), status="VOIDED")],
        (
            "a coupon's status agrees with its redemptions",
            "a redemption is where its steps led",
        ),
    ),
    Corruption(
        "captured after the hold had lapsed",
        7,
        lambda b, _: [
            change(Redemption, the_redemption(b, "unpaid"), held_until=CAPTURED_AT),
        ],
        ("a redemption's times run forward",),
    ),
    Corruption(
        "reversed before it was captured",
        7,
        lambda b, _: [
            change(RedemptionEvent, the_step(b, "undone", "REVERSE"), created_at=HELD_AT)
        ],
        ("a redemption's times run forward",),
    ),
    Corruption(
        "a capture told of another time",
        7,
        lambda b, _: [
            change(RedemptionEvent, the_step(b, "unpaid", "CAPTURE"), created_at=HELD_AT)
        ],
        ("a redemption's times run forward",),
    ),
    Corruption(
        "two live redemptions of one coupon",
        7,
        lambda b, _: [
            repeat(Redemption, the_redemption(b, "won"), id=SECOND_HOLD),
            repeat(
                RedemptionEvent,
                the_step(b, "won", "HOLD"),
                id=new_id(),
                redemption_id=SECOND_HOLD,
            ),
        ],
        (
            "a coupon has one live redemption at most",
            "a coupon's status agrees with its redemptions",
        ),
        tables=("redemptions",),
    ),
    Corruption(
        "reversed more often than redeemed",
        7,
        lambda b, _: [remove(RedemptionEvent, **the_step(b, "undone", "CAPTURE"))],
        (
            "a redemption takes legal steps, each once",
            "a redemption's times run forward",
            "reversed never exceeds redeemed",
        ),
    ),
    Corruption(
        "a redemption of another member's coupon",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "fresh"), member_id=b.other_consumer)],
        ("a redemption and its steps are of its coupon",),
    ),
    Corruption(
        "a step of another coupon",
        7,
        lambda b, _: [
            change(RedemptionEvent, the_step(b, "dropped", "VOID"), coupon_id=b.coupons["won too"])
        ],
        ("a redemption and its steps are of its coupon",),
    ),
    Corruption(
        "a till moved to another place",
        7,
        lambda b, _: [change(Till, {"brand_id": b.id, "id": b.tills[1]}, place_id=b.places[0])],
        ("a redemption's till and clerk are of its place",),
        tables=("tills",),
    ),
    Corruption(
        "a clerk of another place",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "won"), clerk_id=b.clerks[1])],
        ("a redemption's till and clerk are of its place",),
    ),
    Corruption(
        "a step at another place's till",
        7,
        lambda b, _: [change(RedemptionEvent, the_step(b, "dropped", "VOID"), till_id=b.tills[1])],
        ("a redemption's till and clerk are of its place",),
    ),
    Corruption(
        "a coupon used where it may not be",
        7,
        lambda b, _: [change(CouponTemplate, the_template(b, "won"), place_ids=[b.places[1].hex])],
        ("a coupon is used where it may be, for what its template promises",),
    ),
    Corruption(
        "a rebate larger than promised",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "won"), rebate_fen=351)],
        ("a coupon is used where it may be, for what its template promises",),
    ),
    Corruption(
        "a capture without its rebate",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "fresh"), rebate_transfer_id=None)],
        ("a captured redemption's rebate is its pending transfer",),
    ),
    Corruption(
        "a capture with another's rebate",
        7,
        lambda b, _: [
            change(
                Redemption,
                the_redemption(b, "fresh"),
                rebate_transfer_id=b.transfers["rebate of far"],
            )
        ],
        (
            "a captured redemption's rebate is its pending transfer",
            "a redemption is settled when its rebate is posted",
        ),
    ),
    Corruption(
        "a rebate to another place",
        7,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "rebate of fresh"),
                credit_account_id=b.account(b.places[1], "CASH"),
            ),
            add(Account, the_account(b, b.places[0], "CASH"), "credits_pending", -350),
            add(Account, the_account(b, b.places[1], "CASH"), "credits_pending", 350),
        ],
        ("a captured redemption's rebate is its pending transfer",),
    ),
    Corruption(
        "a rebate of a hold",
        7,
        lambda b, _: [
            repeat(
                Transfer,
                the_transfer(b, "rebate of fresh"),
                id=new_id(),
                cause_id=b.redemptions["dropped"],
                created_at=ENDED_AT,
            ),
            add(Account, the_account(b, b.places[0], "CASH"), "credits_pending", 350),
            add(Account, the_account(b, b.id, "CASH"), "debits_pending", 350),
        ],
        ("a captured redemption's rebate is its pending transfer",),
    ),
    Corruption(
        "a rebate posted and not settled",
        7,
        lambda b, _: [
            change(Redemption, the_redemption(b, "returned"), settled_at=None),
        ],
        (
            "a redemption is settled when its rebate is posted",
            "a transfer is booked with the event that caused it",
        ),
    ),
    Corruption(
        "a rebate settled and not posted",
        7,
        lambda b, _: [change(Redemption, the_redemption(b, "fresh"), settled_at=ENDED_AT)],
        ("a redemption is settled when its rebate is posted",),
    ),
    Corruption(
        "a reversal that left the store its rebate",
        7,
        lambda b, _: [
            remove(Transfer, **the_transfer(b, "return of rebate of returned")),
            add(Account, the_account(b, b.places[0], "CASH"), "debits_posted", -350),
            add(Account, the_account(b, b.id, "CASH"), "credits_posted", -350),
        ],
        ("a reversed redemption's rebate was voided or taken back, and no other",),
    ),
    Corruption(
        "a rebate taken back of a coupon that was spent",
        7,
        lambda b, _: [
            repeat(
                Transfer,
                the_transfer(b, "return of rebate of returned"),
                id=new_id(),
                cause_id=b.redemptions["spent"],
                created_at=CAPTURED_AT,
            ),
            add(Account, the_account(b, b.places[0], "CASH"), "debits_posted", 350),
            add(Account, the_account(b, b.id, "CASH"), "credits_posted", 350),
        ],
        ("a reversed redemption's rebate was voided or taken back, and no other",),
    ),
    Corruption(
        "a rebate booked at a time of nothing",
        4,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "rebate of fresh"),
                created_at=CAPTURED_AT + timedelta(seconds=1),
            )
        ],
        ("a transfer is booked with the event that caused it",),
    ),
    Corruption(
        "a redemption's capture fact lost",
        10,
        lambda b, _: [remove(OutboxEvent, brand_id=b.id, subject_id=b.redemptions["fresh"])],
        ("a capture has its fact, which waits until it is settled",),
    ),
    Corruption(
        "a capture's fact delivered and nothing settled",
        10,
        lambda b, _: [
            change(
                OutboxEvent,
                {"brand_id": b.id, "subject_id": b.redemptions["fresh"]},
                delivered_at=ENDED_AT,
            )
        ],
        ("a capture has its fact, which waits until it is settled",),
    ),
    Corruption(
        "a rebate in one step",
        3,
        lambda b, _: [
            change(Transfer, the_transfer(b, "return of rebate of returned"), kind="REBATE"),
        ],
        (
            "a movement is of a kind that its accounts may make",
            "a reversed redemption's rebate was voided or taken back, and no other",
            "issued = spent + expired + reversed + outstanding",
        ),
    ),
    Corruption(
        "a redemption from the future",
        4,
        lambda b, _: [
            change(
                Redemption,
                the_redemption(b, "won"),
                held_at=HELD_UNTIL + timedelta(days=70_000),
            )
        ],
        (
            "a coupon is taken within its dates",
            "a redemption's times run forward",
            "nothing is dated in the future",
        ),
    ),
)
