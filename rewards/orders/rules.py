"""Pure: what an order comes to, and which lots pay what of it."""

from collections.abc import Sequence
from typing import Any

from loyalty.ledger.states import LotPart
from rewards.offers.terms import Part
from rewards.orders.models import OfferOrder

REDEEMED_TOPIC = "offer.redeemed"
FULFILLED_TOPIC = "order.fulfilled"
CANCELLED_TOPIC = "order.cancelled"

ORDER = "ORDER"
"""The kind of cause that an order is."""
QUANTITY_MAX = 10
DELIVERY_LENGTH_MAX = 300
CARRIER_LENGTH_MAX = 40
TRACKING_NUMBER_LENGTH_MAX = 64
REASON_LENGTH_MAX = 500


def times(parts: Sequence[Part], quantity: int) -> tuple[Part, ...]:
    """The parts of so many pieces."""
    return tuple(Part(part.asset, part.amount * quantity) for part in parts)


def split_parts(parts: Sequence[LotPart], amount: int) -> tuple[list[LotPart], list[LotPart]]:
    """The lots that pay the first ``amount``, and those that pay the rest."""
    first: list[LotPart] = []
    rest: list[LotPart] = []
    left = amount
    for expires_on, part in parts:
        taken = min(part, left)
        left -= taken
        if taken:
            first.append((expires_on, taken))
        if part - taken:
            rest.append((expires_on, part - taken))
    return first, rest


def order_payload(order: OfferOrder, **more: Any) -> dict[str, Any]:
    """What a fact about an order says of its subject, the member."""
    return {"order_id": order.id.hex, "offer_id": order.offer_id.hex} | more


def masked_delivery(delivery: str) -> str:
    """Where a gift goes, for those who do not send it: ``王****``."""
    return f"{delivery[:1]}****"
