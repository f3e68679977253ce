"""Pure: what several brands owe one another, netted to a few payments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from uuid import UUID

from rewards.clearing.rules import PositionKey

PROPOSED_TOPIC = "netting.proposed"
POSTED_TOPIC = "netting.posted"
DECLINED_TOPIC = "netting.declined"
WITHDRAWN_TOPIC = "netting.withdrawn"
NETTING_TOPICS = (PROPOSED_TOPIC, POSTED_TOPIC, DECLINED_TOPIC, WITHDRAWN_TOPIC)

BRANDS_MIN = 3
"""Of two there is nothing to net: they have one position."""
BRANDS_MAX = 50


@dataclass(frozen=True, slots=True)
class Payment:
    """What one brand of a run owes another once it is posted, in fen above zero."""

    debtor_id: UUID
    creditor_id: UUID
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Leg:
    """What one brand owes another, before and after."""

    owed_fen: int
    pays_fen: int


def nets_of(owed: Mapping[PositionKey, int]) -> dict[UUID, int]:
    """What each brand owes all others together; both sides of each pair are given."""
    nets: dict[UUID, int] = {}
    for (brand_id, _), owed_fen in owed.items():
        nets[brand_id] = nets.get(brand_id, 0) + owed_fen
    return nets


def payments_of(nets: Mapping[UUID, int]) -> list[Payment]:
    """The largest debtor pays the largest creditor, as often as it takes; ties by id. At most one
    less than there are brands, since each payment settles one of its two, and the last one both.
    ValueError where the nets do not come to nothing together."""
    if sum(nets.values()):
        raise ValueError("what is owed and what is due differ")
    debtors = [(-fen, id) for id, fen in nets.items() if fen > 0]
    creditors = [(fen, id) for id, fen in nets.items() if fen < 0]
    heapify(debtors)
    heapify(creditors)
    payments = []
    while debtors:
        debt, debtor_id = heappop(debtors)
        due, creditor_id = heappop(creditors)
        paid = min(-debt, -due)
        payments.append(Payment(debtor_id, creditor_id, paid))
        if debt + paid:
            heappush(debtors, (debt + paid, debtor_id))
        if due + paid:
            heappush(creditors, (due + paid, creditor_id))
    return payments


def legs_of(owed: Mapping[PositionKey, int]) -> dict[PositionKey, Leg]:
    """What a run does with both sides of each pair that something is or will be owed between."""
    pays: dict[PositionKey, int] = {}
    for payment in payments_of(nets_of(owed)):
        pays[payment.debtor_id, payment.creditor_id] = payment.amount_fen
        pays[payment.creditor_id, payment.debtor_id] = -payment.amount_fen
    return {
        key: Leg(owed.get(key, 0), pays.get(key, 0))
        for key in sorted({*owed, *pays})
        if owed.get(key) or pays.get(key)
    }


def reached(pairs: Iterable[PositionKey], start: UUID) -> set[UUID]:
    """The brands that hang together with one by what they owe one another; itself too."""
    partners: dict[UUID, list[UUID]] = {}
    for brand_id, partner_id in pairs:
        partners.setdefault(brand_id, []).append(partner_id)
    found, waiting = {start}, [start]
    while waiting:
        for partner_id in partners.get(waiting.pop(), ()):
            if partner_id not in found:
                found.add(partner_id)
                waiting.append(partner_id)
    return found
