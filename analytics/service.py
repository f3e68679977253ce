"""The verbs of analytics: count what happened, and say it."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from analytics import queries
from analytics.queries import DayFigures, list_rollups
from analytics.rules import count_by_hour
from loyalty.brands.service import get_brand
from loyalty.db import Snapshot, Tx
from loyalty.outbox import Leased

__all__ = ["DayFigures", "count_scans", "figures_of_day", "list_rollups"]


async def count_scans(tx: Tx, events: Sequence[Leased]) -> None:
    """Add ``scan.recorded`` events to the rollups of their brands' local hours.

    Two statements for any number of events. Counts again what it is given again: the caller marks
    the events delivered in the same transaction. KeyError or ValueError for a malformed event.
    """
    brand_ids = sorted({event.brand_id for event in events})
    timezones = await tx.fetch(queries.FIND_TIMEZONES, keys=[(brand,) for brand in brand_ids])
    rows = count_by_hour(events, dict(timezones))
    await tx.fetch(queries.ADD_TO_ROLLUPS, rows=rows)


async def figures_of_day(snapshot: Snapshot, brand_id: UUID, on: date) -> DayFigures:
    """What happened on the brand's local day ``on`` (今日数据); NotFound without such a brand."""
    brand = await get_brand(snapshot, brand_id)
    return await queries.get_figures(snapshot, brand_id, on, brand.timezone)
