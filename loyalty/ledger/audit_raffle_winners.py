"""Raffles computed again: the winners of every drawn one, from its seed, its entries and its table.

As the auditor it reads one snapshot by SQL of its own and shares no code with whatever draws. The
rules are those of docs/raffles.md, written down once more.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from loyalty.db import Database, Snapshot, Statement

EXAMPLES_MAX = 20
PAGE_ENTRIES = 10_000

_BRANDS = Statement("SELECT id, slug FROM brands ORDER BY slug", returns="id uuid, slug text")
_RAFFLES = Statement(
    """
    SELECT id, code, seed_hash, seed, entries, entrants, CAST(prize_table AS text)
    FROM raffles WHERE brand_id = :brand ORDER BY id
    """,
    params="brand uuid",
    returns="id uuid, code text, seed_hash text, seed text, entries bigint, entrants bigint,"
    " prize_table text",
)
_ENTRIES = Statement(
    """
    SELECT id, entrant_id, score FROM raffle_entries
    WHERE brand_id = :brand AND raffle_id = :raffle AND id > :after ORDER BY id LIMIT :limit
    """,
    params="brand uuid, raffle uuid, after uuid, limit bigint",
    returns="id uuid, entrant_id uuid, score text",
)
_WINNERS = Statement(
    """
    SELECT place, entry_id, asset, amount, coupon_template_id FROM raffle_winners
    WHERE brand_id = :brand AND raffle_id = :raffle ORDER BY place, id
    """,
    params="brand uuid, raffle uuid",
    returns="place bigint, entry_id uuid, asset text, amount bigint, template_id uuid",
)


class NoSuchBrand(LookupError):
    """There is no brand of this name."""


@dataclass
class RaffleReport:
    """How many drawn raffles were computed again, with how many entries and winners; ``waiting``
    are not drawn. ``broken`` of them, ``examples`` as "brand raffle: what is wrong"."""

    raffles: int = 0
    entries: int = 0
    winners: int = 0
    waiting: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)


async def verify_raffles(db: Database, brand_slug: str | None = None) -> RaffleReport:
    """Compute the winners again, of one brand or all. Raises NoSuchBrand."""
    report = RaffleReport()
    async with db.snapshot() as snap:
        brands = [row for row in await snap.fetch(_BRANDS) if brand_slug in (None, row[1])]
        if brand_slug is not None and not brands:
            raise NoSuchBrand(brand_slug)
        for brand_id, slug in brands:
            for raffle in await snap.fetch(_RAFFLES, brand=brand_id):
                if raffle[3] is None:
                    report.waiting += 1
                    continue
                problems = [each async for each in _problems(snap, brand_id, raffle, report)]
                report.raffles += 1
                if problems:
                    report.broken += 1
                    report.examples.append(f"{slug} {raffle[1]}: {'; '.join(problems)}")
    del report.examples[EXAMPLES_MAX:]
    return report


async def _problems(
    snap: Snapshot, brand_id: UUID, raffle: Any, report: RaffleReport
) -> AsyncIterator[str]:
    id, _, seed_hash, seed, entries, entrants, table = raffle
    secret = bytes.fromhex(seed)
    if hashlib.sha256(secret).hexdigest() != seed_hash:
        yield "the seed is not the published hash's"
    first: dict[UUID, tuple[str, UUID]] = {}
    count = wrong = 0
    async for entry_id, entrant_id, score in _entries(snap, brand_id, id):
        message = f"raffle-1|{brand_id.hex}|{id.hex}|{entry_id.hex}"
        computed = hmac.digest(secret, message.encode(), "sha256").hex()
        wrong += computed != score
        count += 1
        first[entrant_id] = min(first.get(entrant_id, ("g", entry_id)), (computed, entry_id))
    report.entries += count
    if wrong:
        yield f"{wrong} entries have another score"
    if (count, len(first)) != (entries, entrants):
        yield f"{count} entries of {len(first)} are there, {entries} of {entrants} were counted"
    winners = [tuple(row) for row in await snap.fetch(_WINNERS, brand=brand_id, raffle=id)]
    report.winners += len(winners)
    order = [entry_id for _, entry_id in sorted(first.values())]
    prizes = _prizes(json.loads(table), len(order))
    due = [
        (n, entry_id, *prize)
        for n, (entry_id, prize) in enumerate(zip(order, prizes, strict=False), 1)
    ]
    for won, wins in zip(winners, due, strict=False):
        if won != wins:
            yield f"place {won[0]} went to {won[1]}, and should go to {wins[1]}"
    if len(winners) != len(due):
        yield f"{len(winners)} winners, and should be {len(due)}"


async def _entries(
    snap: Snapshot, brand_id: UUID, raffle_id: UUID
) -> AsyncIterator[tuple[UUID, UUID, str | None]]:
    after = UUID(int=0)
    while page := await snap.fetch(
        _ENTRIES, brand=brand_id, raffle=raffle_id, after=after, limit=PAGE_ENTRIES
    ):
        for row in page:
            yield row
        after = page[-1][0]


def _prizes(table: list[Any], entrants: int) -> Iterator[tuple[str, int, UUID | None]]:
    met = [step for step in table if step["pool_min"] <= entrants]
    for prize in met[-1]["prizes"] if met else ():
        for _ in range(prize["winners"]):
            template = prize.get("coupon_template_id")
            coupon = None if template is None else UUID(hex=template)
            yield prize["asset"], prize["amount"], coupon
