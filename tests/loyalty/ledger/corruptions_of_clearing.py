"""What brands owe each other, told wrongly: invariant 5."""

from rewards.clearing.models import ClearingEntry, ClearingPosition, ClearingStatement
from rewards.redemptions.models import Redemption
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import STRANGER, Corruption, add, change, remove

POSITION = "a position is its account, and the sum of its entries"
TRANSFER = "a clearing entry is one transfer to or from its partner's account"
STATEMENT = "a statement goes on where the last one closed, and closes by its entries"
STATEMENTS = "both brands have a statement alike, minus one another's"
COPIES = "what is owed is told by both brands, minus one another's"
RESERVED = "what is reserved is what the coupons that are out were reserved for"
AGREED = "a redemption under an agreement comes to what it says is owed"

OF_CLEARING = (
    Corruption(
        "a partner that owes nothing for a coupon",
        5,
        lambda b, _: [
            change(Redemption, {"brand_id": b.id, "status": "CAPTURED"}, partner_owes_fen=9)
        ],
        (AGREED,),
    ),
    Corruption(
        "one side's position is moved",
        5,
        lambda b, _: [add(ClearingPosition, {"brand_id": b.id}, "owed_fen", 1)],
        (POSITION, COPIES),
    ),
    Corruption(
        "a position is lost",
        5,
        lambda b, _: [remove(ClearingPosition, brand_id=b.partner)],
        (POSITION, COPIES, RESERVED),
    ),
    Corruption(
        "one side's entry is of another amount",
        5,
        lambda b, _: [add(ClearingEntry, {"brand_id": b.id, "id": b.fee}, "owed_fen", 5)],
        (POSITION, TRANSFER, COPIES, STATEMENT),
    ),
    Corruption(
        "one side's entry is of another kind",
        5,
        lambda b, _: [change(ClearingEntry, {"brand_id": b.id, "id": b.fee}, kind="ADJUSTMENT")],
        (COPIES,),
    ),
    Corruption(
        "one side's entry was drawn into a statement",
        5,
        lambda b, _: [
            change(ClearingEntry, {"brand_id": b.id, "id": b.fee}, statement_id=STRANGER)
        ],
        (COPIES, STATEMENT),
    ),
    Corruption(
        "one side's statement closes elsewhere",
        5,
        lambda b, _: [add(ClearingStatement, {"brand_id": b.id}, "closing_fen", 1)],
        (STATEMENT, STATEMENTS),
    ),
    Corruption(
        "one side's statement is confirmed, and the other does not know",
        5,
        lambda b, _: [
            change(ClearingStatement, {"brand_id": b.id}, confirmed_at=AT, confirmed_by=STRANGER)
        ],
        (STATEMENTS,),
    ),
)
