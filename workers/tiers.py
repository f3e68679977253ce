"""Re-evaluation of tiers as periodic work: each brand's standings at its local midnight, and those
of a role soon after its ladder was published; a chunk a transaction."""

import structlog

from loyalty.db import Tx
from tiers.standings.reevaluation import re_evaluate

log = structlog.get_logger("tiers")

CHUNK_STANDINGS = 1_000
"""So many members' accounts at most are locked at once, for a fraction of a second."""


async def re_evaluate_tiers(tx: Tx, limit: int) -> int:
    """Look at the next standings of the oldest run; how many it were, and ``limit`` as long as
    there is more to do."""
    chunk = await re_evaluate(tx, limit)
    if chunk is None:
        return 0
    log.info(
        "tiers_re_evaluated",
        brand_id=str(chunk.brand_id),
        run=chunk.name,
        done=chunk.rows_done,
        total=chunk.rows_total,
        moved=chunk.rows_moved,
        finished=chunk.is_finished,
    )
    return limit if chunk.is_more_to_do else min(chunk.rows_now, limit - 1)
