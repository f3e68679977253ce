"""Pure: what tiers hear of a book that an operator's verb has written."""

from datetime import datetime
from uuid import UUID

from loyalty.ledger.models import AccountKind, Asset, TransferPhase
from loyalty.ledger.rules import AccountState, Book, Movement
from loyalty.reversals.rules import TakenBack
from tiers.standings.folding import TierEvent

_COUNTS = (TransferPhase.POSTED, TransferPhase.POST)


def growth_event(book: Book, member_id: UUID) -> TierEvent | None:
    """The growth that a member has after the book; None when it did not move."""
    moved = [(movement, _growth_side(movement, member_id)) for movement in book.movements]
    for movement, account in reversed(moved):
        if account is not None:
            return TierEvent(
                movement.cause.occurred_at,
                movement.cause.kind,
                movement.cause.id,
                transfer_id=movement.id,
                balance=account.balance,
            )
    return None


def _growth_side(movement: Movement, member_id: UUID) -> AccountState | None:
    if movement.credit.asset != Asset.GROWTH or movement.phase not in _COUNTS:
        return None
    for account in (movement.debit, movement.credit):
        if account.kind == AccountKind.MAIN and account.owner_id == member_id:
            return account
    return None


def no_longer_earned(
    taken: TakenBack | None, earned_at: datetime, now: datetime, cause_id: UUID
) -> TierEvent | None:
    """What of a credit that was earned at a time does not count any more, of the day on which it
    had been counted; None for one that no campaign gave, or of which nothing was taken."""
    if taken is None or taken.credit.campaign_id is None or not taken.taken + taken.owed:
        return None
    return TierEvent(
        now,
        "OPERATOR",
        cause_id,
        earned={taken.credit.asset: -taken.taken - taken.owed},
        counted_at=earned_at,
    )
