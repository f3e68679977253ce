"""Verbs of draws: the seeds of days, made and sealed ahead, and revealed when their day is over.

Scans read seeds without a lock: until it is revealed, a seed never changes.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from rewards.draws import queries
from rewards.draws.models import DrawSeed
from rewards.draws.rules import SEED_BYTES, hash_of

__all__ = [
    "DAYS_AHEAD",
    "DAYS_AT_ONCE",
    "OpenedSeed",
    "SeedDay",
    "days_of",
    "list_seeds",
    "make_seeds",
    "open_seeds",
    "reveal_seeds",
    "write_draws",
]

DAYS_AHEAD = 35
"""The worker keeps seeds for so many days from today on."""
DAYS_AT_ONCE = 3
"""Publishing makes so many at once, so that a campaign may run from its publication on."""
REVEALED_AFTER = timedelta(hours=1)
"""After local midnight, for the last batches of the day."""

SeedDay = tuple[UUID, UUID, date]
"""(brand_id, campaign_id, local day)"""
OpenedSeed = tuple[bytes, str]
"""A seed and its hash."""


def days_of(
    brand_id: UUID,
    campaign_id: UUID,
    timezone: str,
    window: tuple[datetime | None, datetime | None],
    now: datetime,
    count: int,
) -> list[SeedDay]:
    """The next ``count`` local days on which a campaign of this window may draw, today included."""
    starts_at, ends_at = window
    first = local_date(now if starts_at is None else max(now, starts_at), timezone)
    last = local_date(now, timezone) + timedelta(days=count - 1)
    if starts_at is not None and starts_at > now:
        # One that begins later has its first days sealed all the same.
        last = max(last, first)
    if ends_at is not None:
        last = min(last, local_date(ends_at - timedelta(microseconds=1), timezone))
    days = (last - first).days + 1
    return [(brand_id, campaign_id, first + timedelta(days=n)) for n in range(max(0, days))]


async def make_seeds(tx: Tx, keyring: Keyring, days: Collection[SeedDay], limit: int) -> int:
    """Make and seal the seeds of those days that have none, up to ``limit``; how many it made. Of
    two who make the same one, one is kept."""
    known = {(row[0], row[1], row[2]) for row in await _known(tx, days)}
    missing = sorted(set(days) - known)[:limit]
    rows = []
    for brand_id, campaign_id, on in missing:
        seed = secrets.token_bytes(SEED_BYTES)
        rows.append(
            (brand_id, campaign_id, on, keyring.seal_seed(brand_id, seed), hash_of(seed), tx.now)
        )
    return len(await tx.fetch(queries.INSERT_SEEDS, rows=rows)) if rows else 0


async def _known(tx: Tx, days: Collection[SeedDay]) -> Sequence[tuple[UUID, UUID, date]]:
    if not days:
        return []
    rows = await tx.fetch(queries.FIND_SEED_DAYS, days=sorted(set(days)))
    return [(row[0], row[1], row[2]) for row in rows]


async def open_seeds(
    tx: Tx, keyring: Keyring, days: Collection[SeedDay]
) -> dict[tuple[UUID, UUID], OpenedSeed]:
    """The seeds of one day each, opened, by (brand_id, campaign_id); those that there are and that
    are still secret."""
    rows = await tx.fetch(queries.FIND_SEEDS, days=sorted(set(days)))
    return {(row[0], row[1]): (keyring.open_seed(row[0], row[2]), row[3]) for row in rows}


async def reveal_seeds(tx: Tx, keyring: Keyring, brand_id: UUID, timezone: str, limit: int) -> int:
    """Reveal the seeds of a brand's days that ended an hour ago or earlier; how many."""
    today = local_date(tx.now - REVEALED_AFTER, timezone)
    rows = await tx.fetch(queries.LIST_ENDED_SEEDS, brand=brand_id, today=today, limit=limit)
    revealed = sorted(
        (brand_id, row[0], row[1], keyring.open_seed(brand_id, row[2]).hex()) for row in rows
    )
    if revealed:
        await tx.fetch(queries.REVEAL_SEEDS, revealed=revealed, now=tx.now)
    return len(revealed)


async def write_draws(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the receipts of a batch (``rewards.draws.folding.draw_rows``)."""
    if rows:
        await tx.fetch(queries.INSERT_DRAWS, rows=rows)


async def list_seeds(
    snapshot: Snapshot, brand_id: UUID, campaign_code: str, first: date, last: date
) -> list[DrawSeed]:
    """The seeds of a campaign's days, both included, oldest first."""
    return await queries.list_seeds(snapshot, brand_id, campaign_code, first, last)
