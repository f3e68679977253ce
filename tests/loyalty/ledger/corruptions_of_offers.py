"""Wrong orders of the mall, and their stock and limits: invariants 3, 4, 7, 8 and 12."""

from datetime import date, timedelta
from typing import Any

from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.coupons.models import Coupon, CouponTemplate
from rewards.offers.models import Offer, OfferCounter, OfferDay
from rewards.orders.models import OfferOrder, OfferOrderPart
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.audited_store import ENDED_AT
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_coupon,
    the_template,
    the_transfer,
)

PAID = "an order's transfers are what was paid and given for it"
ENDED = "an order that ended says when, and only gifts wait"
COUPONS = "an order of coupons has as many as were taken, its member's"
THING = "a coupon for a gift is ordered once, by its member, for what it promises"
STOCK = "an offer's stock counts its orders"
DAY_STOCK = "an offer's stock of a day counts the orders of that day"
LIMITS = "a member takes no more of an offer than its limits, and each piece is counted"
DAY = "an order is of the local day on which it was placed"
BOOKED = "a transfer is booked with the event that caused it"
TEMPLATE_STOCK = "a template's stock counts the coupons there are"


def the_offer(brand: AuditedBrand, code: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.offers[code]}


def the_order(brand: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "id": brand.orders[name]}


def the_part(brand: AuditedBrand, order: str, purpose: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "order_id": brand.orders[order], "purpose": purpose}


def the_count(brand: AuditedBrand, offer: str, window: str) -> dict[str, Any]:
    return {"brand_id": brand.id, "offer_id": brand.offers[offer], "window_key": window}


OF_OFFERS = (
    Corruption(
        "an order that was not paid",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "price of sent"), cause_kind="OPERATOR")],
        (PAID,),
    ),
    Corruption(
        "an order paid for another",
        3,
        lambda b, _: [change(OfferOrderPart, the_part(b, "waiting", "PRICE"), amount=2)],
        (PAID,),
    ),
    Corruption(
        "a fee booked as a price",
        3,
        lambda b, _: [change(OfferOrderPart, the_part(b, "waiting", "FEE"), purpose="PRICE")],
        (PAID,),
        tables=("offer_order_parts",),
    ),
    Corruption(
        "an order that gave more than it says",
        3,
        lambda b, _: [remove(OfferOrderPart, **the_part(b, "fen", "GIVEN"))],
        (PAID,),
    ),
    Corruption(
        "a cancelled order whose price was kept",
        3,
        lambda b, _: [
            change(
                Transfer,
                the_transfer(b, "price of undone given back"),
                cause_id=b.orders["waiting"],
                created_at=AT,
            )
        ],
        (PAID,),
    ),
    Corruption(
        "a fee given back of an order that was sent",
        3,
        lambda b, _: [
            change(OfferOrder, the_order(b, "sent"), fulfilled_at=None, cancelled_at=ENDED_AT),
            change(OfferOrder, the_order(b, "sent"), status="CANCELLED", reason="no more"),
            add(Offer, the_offer(b, "gift"), "taken", -1),
            add(OfferDay, {"brand_id": b.id, "offer_id": b.offers["gift"]}, "taken", -1),
            add(OfferCounter, {"brand_id": b.id, "offer_id": b.offers["gift"]}, "used", -1),
        ],
        (PAID,),
        tables=("offer_orders",),
    ),
    Corruption(
        "a price of no order",
        4,
        lambda b, _: [change(Transfer, the_transfer(b, "price of sent"), cause_id=new_id())],
        (PAID, BOOKED),
    ),
    Corruption(
        "a price booked at another time than its order",
        4,
        lambda b, _: [
            change(Transfer, the_transfer(b, "price of sent"), created_at=AT + timedelta(seconds=1))
        ],
        (BOOKED,),
    ),
    Corruption(
        "an order fulfilled since never",
        4,
        lambda b, _: [change(OfferOrder, the_order(b, "sent"), fulfilled_at=None)],
        (ENDED,),
        tables=("offer_orders",),
    ),
    Corruption(
        "an order fulfilled before it was placed",
        4,
        lambda b, _: [
            change(OfferOrder, the_order(b, "sent"), fulfilled_at=AT - timedelta(hours=1))
        ],
        (ENDED,),
    ),
    Corruption(
        "a gift for a coupon that is still good",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "thing"), status="ISSUED", ended_at=None)],
        (THING,),
    ),
    Corruption(
        "a gift ordered for another's coupon",
        7,
        lambda b, _: [change(OfferOrder, the_order(b, "thing"), member_id=b.shopper)],
        (THING,),
    ),
    Corruption(
        "a coupon used up for a gift that nobody ordered",
        7,
        lambda b, _: [
            change(OfferOrder, the_order(b, "thing"), status="CANCELLED", cancelled_at=ENDED_AT),
            change(OfferOrder, the_order(b, "thing"), reason="no more"),
        ],
        (THING,),
        tables=("offer_orders",),
    ),
    Corruption(
        "another gift than the coupon promises",
        7,
        lambda b, _: [change(OfferOrder, the_order(b, "thing"), offer_id=b.offers["fen"])],
        (THING, ENDED),
    ),
    Corruption(
        "coupons that still wait",
        4,
        lambda b, _: [change(OfferOrder, the_order(b, "pair"), status="PLACED", fulfilled_at=None)],
        (ENDED,),
    ),
    Corruption(
        "a coupon of an order deleted",
        7,
        lambda b, _: [
            remove(Coupon, **the_coupon(b, "one of the pair")),
            change(CouponTemplate, the_template(b, "mall"), issued=1),
        ],
        (COUPONS,),
    ),
    Corruption(
        "a coupon of an order for another",
        7,
        lambda b, _: [change(Coupon, the_coupon(b, "two of the pair"), member_id=b.other_consumer)],
        (COUPONS,),
    ),
    Corruption(
        "a coupon of no order",
        7,
        lambda b, _: [
            repeat(Coupon, the_coupon(b, "two of the pair"), id=new_id(), code="x", cause_id=b.id),
            change(CouponTemplate, the_template(b, "mall"), issued=3),
        ],
        (COUPONS,),
    ),
    Corruption(
        "a piece that the stock does not count",
        8,
        lambda b, _: [add(Offer, the_offer(b, "gift"), "taken", -1)],
        (STOCK,),
    ),
    Corruption(
        "more pieces than the stock",
        8,
        lambda b, _: [change(Offer, the_offer(b, "gift"), stock_max=1)],
        (STOCK,),
        tables=("offers",),
    ),
    Corruption(
        "a piece that its day does not count",
        8,
        lambda b, _: [remove(OfferDay, brand_id=b.id, offer_id=b.offers["fen"])],
        (DAY_STOCK,),
    ),
    Corruption(
        "more pieces on a day than there were",
        8,
        lambda b, _: [
            change(OfferDay, {"brand_id": b.id, "offer_id": b.offers["gift"]}, taken_max=1)
        ],
        (DAY_STOCK,),
        tables=("offer_days",),
    ),
    Corruption(
        "a piece that its member's month does not count",
        8,
        lambda b, _: [add(OfferCounter, the_count(b, "gift", "2026-11"), "used", -1)],
        (LIMITS,),
    ),
    Corruption(
        "more pieces than a member may have",
        8,
        lambda b, _: [change(OfferCounter, the_count(b, "gift", "ALL"), times_max=1)],
        (LIMITS,),
        tables=("offer_counters",),
    ),
    Corruption(
        "a member's counter deleted",
        8,
        lambda b, _: [remove(OfferCounter, **the_count(b, "coupon", "2026"))],
        (LIMITS,),
    ),
    Corruption(
        "an order counted for another member",
        8,
        lambda b, _: [
            change(OfferCounter, the_count(b, "fen", window), member_id=b.other_consumer)
            for window in ("ALL", "2026-11-01")
        ],
        (LIMITS,),
    ),
    Corruption(
        "an order of another day than it was placed on",
        8,
        lambda b, _: [
            change(OfferOrder, the_order(b, "fen"), ordered_on=date(2026, 11, 2)),
            change(
                OfferDay,
                {"brand_id": b.id, "offer_id": b.offers["fen"]},
                day=date(2026, 11, 2),
            ),
            change(OfferCounter, the_count(b, "fen", "2026-11-01"), window_key="2026-11-02"),
        ],
        (DAY,),
    ),
    Corruption(
        "a part of an order that is not there",
        12,
        lambda b, _: [
            repeat(OfferOrderPart, the_part(b, "fen", "GIVEN"), order_id=STRANGER),
        ],
        (PAID, "offer_order_parts refers only to its own brand"),
    ),
)
