"""How fast lots expire, and in how much memory: the real ``loyalty ledger expire`` on a brand whose
members' lots were all good until some day of the last month.

Measured against one bare UPDATE that empties the same rows: no transfer, no account, no book, no
chunk, one commit. It is the least that emptying lots can be.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from benchmarks.postgres import Postgres
from benchmarks.processes import run_and_watch, run_loyalty
from loyalty.db import Database, Tx
from server.founding import BrandWanted, found_brand

UNITS = 100
DAYS = 30
SLUG = "bench"
TEMPLATE = "lots"


class NotExpired(Exception):
    """Not every lot has expired, or the books do not say so: the rate would be of something
    else."""


@dataclass(frozen=True)
class Expired:
    """What one run of the command took."""

    lots_per_second: float
    peak_bytes: int


async def _found(url: str) -> UUID:
    database = Database(url)

    async def found(tx: Tx) -> UUID:
        return (await found_brand(tx, BrandWanted(slug=SLUG, name="Bench"))).id

    try:
        return await database.in_transaction(found)
    finally:
        await database.close()


def prepare_lots(postgres: Postgres, environment: dict[str, str], lots: int) -> UUID:
    """A template database with so many members of one past lot each, in no order; the brand."""
    url = postgres.create_database(TEMPLATE)
    run_loyalty({**environment, "LOYALTY_DATABASE_URL": url}, "migrate")
    brand = asyncio.run(_found(url))
    postgres.execute(
        "CREATE TEMPORARY TABLE people AS SELECT uuidv7() AS account_id, uuidv7() AS member_id, n"
        f" FROM generate_series(1, {lots}) AS n",
        f"""
        INSERT INTO accounts (brand_id, id, owner_id, asset, kind, overdraft_allowed,
            credits_posted, debits_posted, credits_pending, debits_pending, created_at)
        SELECT '{brand}', account_id, member_id, 'POINTS', 'MAIN', false, {UNITS}, 0, 0, 0, now()
        FROM people ORDER BY random()
        """,
        f"""
        INSERT INTO lots (brand_id, account_id, expires_on, locked, granted, remaining)
        SELECT '{brand}', account_id, current_date - 2 - (n % {DAYS})::int, false, {UNITS}, {UNITS}
        FROM people ORDER BY random()
        """,
        f"UPDATE accounts SET debits_posted = {lots * UNITS}"
        " WHERE kind = 'ISSUANCE' AND asset = 'POINTS'",
        "VACUUM ANALYZE",
        database=TEMPLATE,
    )
    return brand


def bare_update(postgres: Postgres, brand: UUID, lots: int) -> float:
    """Lots per second of one UPDATE of a copy's rows."""
    with postgres.copy_of(TEMPLATE):
        return lots / asyncio.run(_update(postgres, brand, lots))


async def _update(postgres: Postgres, brand: UUID, lots: int) -> float:
    connection = await postgres.connect("copied")
    try:
        started = time.perf_counter()
        done = await connection.execute(
            "UPDATE lots SET remaining = 0"
            " WHERE brand_id = $1 AND expires_on < current_date AND NOT locked AND remaining > 0",
            brand,
        )
        seconds = time.perf_counter() - started
    finally:
        await connection.close()
    if done != f"UPDATE {lots}":
        raise NotExpired(f"{done}, not {lots}")
    return seconds


def expire(postgres: Postgres, environment: dict[str, str], lots: int) -> Expired:
    """One run of the command on a copy, its start not counted; NotExpired unless all expired."""
    with postgres.copy_of(TEMPLATE) as url:
        arguments = ("ledger", "expire", "--brand", SLUG, "--json")
        told, peak_bytes = run_and_watch({**environment, "LOYALTY_DATABASE_URL": url}, *arguments)
        summary: dict[str, Any] = orjson.loads(told)
        left, posted, booked = postgres.execute(
            "SELECT (SELECT sum(remaining) FROM lots),"
            " (SELECT count(*) FROM transfers WHERE kind = 'EXPIRE'),"
            " (SELECT sum(credits_posted) FROM accounts WHERE kind = 'EXPIRED')",
            database="copied",
        )[0]
    if (summary["lots_expired"], left, posted, booked) != (lots, 0, lots, lots * UNITS):
        raise NotExpired(f"{summary}: {left} left, {posted} transfers of {booked}")
    return Expired(lots / summary["seconds"], peak_bytes)
