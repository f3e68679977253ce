"""What may still be undone as a whole, and so not piece by piece."""

from uuid import UUID

from loyalty.db import Snapshot, Statement

# An order that is placed is cancelled; a raffle that is not settled gives its entries back itself.
IS_OPEN = Statement(
    """
    SELECT 'ORDER' FROM offer_orders o
    WHERE o.brand_id = :brand_id AND o.id = :cause_id AND o.status = 'PLACED'
    UNION ALL
    SELECT 'RAFFLE' FROM raffle_entries e
    JOIN raffles r ON r.brand_id = e.brand_id AND r.id = e.raffle_id
    WHERE e.brand_id = :brand_id AND e.id = :cause_id AND r.settled_at IS NULL
    """,
    params="brand_id uuid, cause_id uuid",
    returns="what text",
)


async def find_open(snapshot: Snapshot, brand_id: UUID, cause_id: UUID) -> str | None:
    """ORDER or RAFFLE, where the cause of a transfer is one that can still be undone."""
    rows = await snapshot.fetch(IS_OPEN, brand_id=brand_id, cause_id=cause_id)
    return rows[0][0] if rows else None
