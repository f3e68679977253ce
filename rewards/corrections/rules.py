"""Pure: what tiers hear of a book that an operator's verb has written."""

from datetime import datetime
from uuid import UUID

from loyalty.reversals.rules import TakenBack
from tiers.standings.folding import TierEvent


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
