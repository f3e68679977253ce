"""Wrong coupons, and their stock and limits: invariants 3, 4, 7 and 8."""

from datetime import date

from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.coupons.models import Coupon, CouponPurchaseCounter, CouponTemplate
from tests.loyalty.ledger.audited_store import HELD_AT, YEAR_END
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_coupon,
    the_template,
    the_transfer,
)

OF_COUPONS = (
    Corruption(
        "a redeemed coupon issued again",
        7,
        lambda b, _: [
            change(
                Coupon, the_coupon(b, "spent"), status="ISSUED", redemption_id=None, ended_at=None
            )
        ],
        ("a coupon's status agrees with its redemptions",),
    ),
    Corruption(
        "a coupon held by a redemption that was given up",
        7,
        lambda b, _: [
            change(
                Coupon,
                the_coupon(b, "dropped"),
                status="HELD",
                redemption_id=b.redemptions["dropped"],
                held_until=HELD_AT,
            )
        ],
        ("a coupon's status agrees with its redemptions",),
    ),
    Corruption(
        "a coupon held longer than its redemption",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "won"), held_until=HELD_AT)],
        ("a coupon's status agrees with its redemptions",),
    ),
    Corruption(
        "a coupon voided while it is held",
        7,
        lambda b, _: [
            change(
                Coupon,
                the_coupon(b, "won"),
                status="VOID",
                redemption_id=None,
                held_until=None,
                ended_at=HELD_AT,
            )
        ],
        ("a coupon's status agrees with its redemptions",),
    ),
    Corruption(
        "a coupon void since never",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), status="VOID")],
        ("a coupon that ended says when",),
    ),
    Corruption(
        "a coupon expired before its time",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), status="EXPIRED", ended_at=HELD_AT)],
        ("a coupon expires after its last day",),
    ),
    Corruption(
        "a coupon taken after its last day",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "fresh"), usable_until=date(2026, 10, 31))],
        ("a coupon is taken within its dates",),
    ),
    Corruption(
        "a coupon taken before its first day",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "fresh"), usable_from=YEAR_END)],
        ("a coupon is taken within its dates",),
    ),
    Corruption(
        "a coupon won by another's scan",
        6,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), member_id=b.consumer)],
        ("a paid scan wins exactly the coupons that its campaign gives",),
    ),
    Corruption(
        "a coupon by a lock that there is not",
        6,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), cause_kind="LOCK")],
        (
            "a locked coupon that was unlocked is issued to its member, and no other is",
            "a paid scan wins exactly the coupons that its campaign gives",
        ),
    ),
    Corruption(
        "a coupon of a purchase that gives none",
        6,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), cause_kind="PURCHASE")],
        (
            "a paid scan wins exactly the coupons that its campaign gives",
            "a rewarded purchase or event gives exactly the coupons that its campaign gives",
        ),
    ),
    Corruption(
        "a coupon won twice",
        6,
        lambda b, _: [
            repeat(Coupon, the_coupon(b, "won too"), id=new_id(), code="twice"),
            change(CouponTemplate, the_template(b, "won"), issued=3, stock_max=3),
        ],
        ("a paid scan wins exactly the coupons that its campaign gives",),
    ),
    Corruption(
        "a coupon that was won deleted",
        6,
        lambda b, _: [
            remove(Coupon, **the_coupon(b, "won too")),
            change(CouponTemplate, the_template(b, "won"), issued=1),
        ],
        ("a paid scan wins exactly the coupons that its campaign gives",),
    ),
    Corruption(
        "a coupon won by a scan that was not paid",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "won too"), cause_id=b.scans["again 1"])],
        (
            "a coupon won is of a paid scan",
            "a paid scan wins exactly the coupons that its campaign gives",
            "a scan pays its scanner or says why not",
        ),
    ),
    Corruption(
        "a coupon bought for nothing",
        7,
        lambda b, _: [
            change(Transfer, the_transfer(b, "price of far"), cause_id=b.coupons["won too"])
        ],
        ("a coupon bought was paid for by its member",),
    ),
    Corruption(
        "a coupon bought for another",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "unpaid"), member_id=b.other_consumer)],
        (
            "a coupon bought was paid for by its member",
            "a redemption and its steps are of its coupon",
        ),
    ),
    Corruption(
        "a coupon bought that was not for sale",
        7,
        lambda b, _: [change(CouponTemplate, the_template(b, "unpaid"), points_price=None)],
        ("a coupon bought was paid for by its member",),
    ),
    Corruption(
        "a purchase of no coupon",
        4,
        lambda b, _: [change(Transfer, the_transfer(b, "price of far"), cause_id=new_id())],
        (
            "a coupon bought was paid for by its member",
            "a transfer is booked with the event that caused it",
        ),
    ),
    Corruption(
        "more coupons than the stock",
        8,
        lambda b, _: [change(CouponTemplate, the_template(b, "won"), stock_max=1)],
        ("a template's stock counts the coupons there are",),
        tables=("coupon_templates",),
    ),
    Corruption(
        "a coupon that the stock does not count",
        8,
        lambda b, _: [add(CouponTemplate, the_template(b, "sold"), "issued", -1)],
        ("a template's stock counts the coupons there are",),
    ),
    Corruption(
        "a purchase not counted",
        8,
        lambda b, _: [
            add(CouponPurchaseCounter, {"brand_id": b.id, "member_id": b.consumer}, "used", -1)
        ],
        ("a member buys no more coupons than its limit, and each is counted",),
    ),
    Corruption(
        "a purchase counter deleted",
        8,
        lambda b, _: [remove(CouponPurchaseCounter, brand_id=b.id)],
        ("a member buys no more coupons than its limit, and each is counted",),
    ),
    Corruption(
        "more bought than a member may",
        8,
        lambda b, _: [
            change(CouponTemplate, the_template(b, "sold"), bought_per_member_max=7),
            change(CouponPurchaseCounter, {"brand_id": b.id}, times_max=7),
        ],
        ("a member buys no more coupons than its limit, and each is counted",),
        tables=("coupon_purchase_counters",),
    ),
    Corruption(
        "a limit that the template does not have",
        8,
        lambda b, _: [change(CouponPurchaseCounter, {"brand_id": b.id}, times_max=10)],
        ("a member buys no more coupons than its limit, and each is counted",),
    ),
)
