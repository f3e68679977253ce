"""Pure: what comes to be owed, and both sides' copies of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from rewards.clearing.models import EntryKind

DRAWN_TOPIC = "statement.drawn"
CONFIRMED_TOPIC = "statement.confirmed"
ADJUSTMENT_PROPOSED_TOPIC = "adjustment.proposed"
ADJUSTMENT_DECIDED_TOPIC = "adjustment.decided"
PAYMENT_TOPIC = "payment.recorded"

PositionKey = tuple[UUID, UUID]
"""(brand_id, partner_id)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """So many fen (above zero) that one brand owes another from now on, and what for; fields as in
    ``ClearingEntry``."""

    debtor_id: UUID
    creditor_id: UUID
    kind: EntryKind
    amount_fen: int
    agreement_id: UUID | None = None
    template_id: UUID | None = None
    coupon_id: UUID | None = None
    redemption_id: UUID | None = None
    place_name: str | None = None
    till_name: str | None = None
    note: str | None = None
    statement_id: UUID | None = None
    netting_run_id: UUID | None = None

    def sides(self) -> tuple[tuple[PositionKey, int], tuple[PositionKey, int]]:
        """What each brand owes the other from now on."""
        return (
            ((self.debtor_id, self.creditor_id), self.amount_fen),
            ((self.creditor_id, self.debtor_id), -self.amount_fen),
        )


def moved(dues: Iterable[Due]) -> dict[PositionKey, int]:
    """By how much each position moves."""
    sums: dict[PositionKey, int] = {}
    for due in dues:
        for key, owed in due.sides():
            sums[key] = sums.get(key, 0) + owed
    return sums
