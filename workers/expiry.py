"""Expiry as periodic work: brands whose local day has moved on are swept, a chunk a transaction."""

import structlog

from loyalty.db import Tx
from loyalty.ledger.expiry import list_due, sweep_chunk

log = structlog.get_logger("expiry")


async def expire_lots(tx: Tx, limit: int) -> int:
    """Sweep up to ``limit`` lots of the first brand that is due and has any past their last day:
    ``limit`` as long as this brand or another is not done with, else fewer: those that expired."""
    due = await list_due(tx)
    for number, brand_id in enumerate(due, 1):
        swept = await sweep_chunk(tx, brand_id, limit)
        # No other brand's accounts after this one's books: whoever locks many goes the other way.
        if swept.lots_seen:
            log.info(
                "lots_swept",
                brand_id=str(brand_id),
                swept_on=swept.swept_on.isoformat(),
                seen=swept.lots_seen,
                past=swept.lots_past,
                expired=swept.lots_expired,
                finished=swept.is_finished,
            )
            is_done = swept.is_finished and number == len(due)
            return min(swept.expired_now, limit - 1) if is_done else limit
    return 0
