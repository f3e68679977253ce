"""Wrong raffles: invariants 3, 4, 8 and 12."""

from datetime import timedelta
from typing import Any

from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.coupons.models import Coupon
from rewards.raffles.models import Raffle, RaffleEntry, RaffleWinner
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.corruptions import (
    STRANGER,
    Corruption,
    change,
    remove,
    repeat,
    the_transfer,
)

_FIRST = "a raffle's winners are the first of its entrants, one entry of each"
_TABLE = "a raffle's winner gets what its prize table says"
_PAID = "a raffle's winner is paid once what it won"
_COUPON = "a raffle's coupon is its winner's, and was issued when it was paid"
_STOCK = "a template's stock counts the coupons there are"
_COST = "an entry cost what its raffle says, and is given back with it alone"
_LIMIT = "a raffle's entries are within its days and its members' limit"
_COUNTED = "a raffle that is closed counted its entries"
_BOOKED = "a transfer is booked with the event that caused it"


def _the_raffle(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.raffle}


def _the_entry(b: AuditedBrand, name: str) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.entries[name]}


def _the_winner(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.winner}


def _the_lucky(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.coupon_winner}


def _the_coupon(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "cause_id": b.coupon_winner}


OF_RAFFLES = (
    Corruption(
        "a raffle won by an entry that is not the first",
        8,
        lambda b, _: [change(RaffleWinner, _the_winner(b), entry_id=b.entries["guest's"])],
        (_FIRST,),
    ),
    Corruption(
        "a raffle won by the winner's other entry",
        8,
        lambda b, _: [change(RaffleWinner, _the_winner(b), entry_id=b.entries["first"])],
        (_FIRST,),
    ),
    Corruption(
        "a raffle without its winner",
        8,
        lambda b, _: [remove(RaffleWinner, **_the_winner(b))],
        (_FIRST, _PAID, _BOOKED),
    ),
    Corruption(
        "a second winner of one prize",
        8,
        lambda b, _: [
            repeat(
                RaffleWinner,
                _the_winner(b),
                id=new_id(),
                entry_id=b.entries["guest's"],
                member_id=b.guest,
                place=2,
            )
        ],
        (_FIRST, _TABLE, _PAID),
    ),
    Corruption(
        "a raffle that is settled with a winner unpaid",
        3,
        lambda b, _: [change(RaffleWinner, _the_winner(b), paid_at=None)],
        (_PAID, _BOOKED),
    ),
    Corruption(
        "a prize paid to another cause",
        3,
        lambda b, _: [change(Transfer, the_transfer(b, "prize"), cause_id=STRANGER)],
        (_PAID, _BOOKED),
    ),
    Corruption(
        "a winner of a coupon without it",
        3,
        lambda b, _: [remove(Coupon, **_the_coupon(b))],
        (_PAID, _STOCK),
    ),
    Corruption(
        "a winner with two coupons",
        3,
        lambda b, _: [repeat(Coupon, _the_coupon(b), id=new_id(), code="twice")],
        (_PAID, _STOCK),
    ),
    Corruption(
        "a winner with a coupon that says it got the amount",
        3,
        lambda b, _: [
            change(RaffleWinner, _the_lucky(b), no_coupon="PAUSED"),
        ],
        (_PAID,),
    ),
    Corruption(
        "a winner's coupon that somebody else has",
        7,
        lambda b, _: [change(Coupon, _the_coupon(b), member_id=b.shopper)],
        (_COUPON,),
    ),
    Corruption(
        "a winner whose coupon the table does not name",
        8,
        lambda b, _: [change(RaffleWinner, _the_lucky(b), coupon_template_id=b.templates["sold"])],
        (_TABLE, _PAID),
    ),
    Corruption(
        "an entry that cost nothing",
        3,
        lambda b, _: [change(Raffle, _the_raffle(b), cost_asset=None, cost_amount=None)],
        (_COST,),
    ),
    Corruption(
        "an entry given back while its raffle goes on",
        3,
        lambda b, _: [change(RaffleEntry, _the_entry(b, "first"), returned_at=AT)],
        (_COST,),
    ),
    Corruption(
        "an entry after the end",
        8,
        lambda b, _: [change(Raffle, _the_raffle(b), closes_at=AT - timedelta(hours=1))],
        (_LIMIT,),
    ),
    Corruption(
        "an entry too many",
        8,
        lambda b, _: [change(Raffle, _the_raffle(b), entries_max=1)],
        (_LIMIT,),
    ),
    Corruption(
        "an entry that was not counted",
        8,
        lambda b, _: [change(Raffle, _the_raffle(b), entries=2)],
        (_COUNTED,),
    ),
    Corruption(
        "an entry of a stranger",
        12,
        lambda b, _: [change(RaffleEntry, _the_entry(b, "first"), member_id=STRANGER)],
        (_LIMIT, "raffle_entries refers only to its own brand"),
    ),
    Corruption(
        "a winner that is a stranger",
        12,
        lambda b, _: [change(RaffleWinner, _the_winner(b), member_id=STRANGER)],
        ("raffle_winners refers only to its own brand",),
    ),
)
