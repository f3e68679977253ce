"""How fast standings are re-evaluated, and in how much memory: the real ``loyalty tiers
re-evaluate`` on a brand whose members' levels have all ended, and half of whom fall.

Measured against one bare UPDATE of the same rows: nobody's days are read, nothing is decided, no
history and no fact is written, one commit. It is the least that moving standings can be.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from benchmarks.postgres import Postgres
from benchmarks.processes import run_and_watch, run_loyalty
from loyalty.actor import MemberRole, system_actor
from loyalty.assets.rules import Unit
from loyalty.db import Database, Tx
from server.founding import BrandWanted, found_brand
from tiers.ladders.models import PeriodKind, TierEnd, TierMetric
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderPolicy
from tiers.ladders.service import publish_ladder, starter_levels

SLUG = "bench"
TEMPLATE = "standings"
DAYS = 3
"""Of each member, on which it bought something."""
POLICY = LadderPolicy(
    TierMetric.SPEND,
    None,
    PeriodRule(PeriodKind.ROLLING, Unit.DAY, 90),
    ends=TierEnd.PERIOD_END,
)


class NotReEvaluated(Exception):
    """Not every standing was looked at, or history does not say so: the rate would be of something
    else."""


@dataclass(frozen=True)
class ReEvaluated:
    """What one run of the command took."""

    standings_per_second: float
    peak_bytes: int


async def _found(url: str) -> tuple[UUID, UUID]:
    database = Database(url)

    async def found(tx: Tx) -> tuple[UUID, UUID]:
        brand = await found_brand(tx, BrandWanted(slug=SLUG, name="Bench"))
        ladder = await publish_ladder(
            tx,
            system_actor(brand.id),
            role=MemberRole.CONSUMER,
            levels=starter_levels(),
            policy=POLICY,
        )
        return brand.id, ladder.id

    try:
        return await database.in_transaction(found)
    finally:
        await database.close()


def prepare_standings(postgres: Postgres, environment: dict[str, str], count: int) -> UUID:
    """A template database with so many members who hold GOLD to a day of the last month; half of
    them have bought enough for it since. The brand."""
    url = postgres.create_database(TEMPLATE)
    run_loyalty({**environment, "LOYALTY_DATABASE_URL": url}, "migrate")
    brand, ladder = asyncio.run(_found(url))
    postgres.execute(
        "CREATE TEMPORARY TABLE people AS SELECT uuidv7() AS id, n"
        f" FROM generate_series(1, {count}) AS n",
        f"""
        INSERT INTO identities (brand_id, id, external_ref, wechat, created_at)
        SELECT '{brand}', id, n::text, false, now() FROM people
        """,
        f"""
        INSERT INTO members (brand_id, id, identity_id, role, status, enrolled_at)
        SELECT '{brand}', id, id, 'CONSUMER', 'ACTIVE', now() - interval '1 year' FROM people
        ORDER BY random()
        """,
        f"""
        INSERT INTO standings (brand_id, member_id, rank, since, basis, held_until, earned_rank,
            earned_until, due_on, counting_id, revision)
        SELECT '{brand}', id, 2, now() - interval '60 days', 'EARNED', until, 2, until, until + 1,
            '{ladder}', 1
        FROM (SELECT id, current_date - 3 - (n % 20)::int AS until FROM people) AS held
        ORDER BY random()
        """,
        f"""
        INSERT INTO qualifying_days (brand_id, member_id, metric, day, amount)
        SELECT '{brand}', id, 'SPEND', current_date - 30 - day, CASE WHEN n % 2 = 0 THEN 200
            ELSE 40 END
        FROM people CROSS JOIN generate_series(1, {DAYS}) AS day ORDER BY random()
        """,
        "VACUUM ANALYZE",
        database=TEMPLATE,
    )
    return brand


def bare_update(postgres: Postgres, brand: UUID, count: int) -> float:
    """Standings per second of one UPDATE of a copy's rows."""
    with postgres.copy_of(TEMPLATE):
        return count / asyncio.run(_update(postgres, brand, count))


async def _update(postgres: Postgres, brand: UUID, count: int) -> float:
    connection = await postgres.connect("copied")
    try:
        started = time.perf_counter()
        done = await connection.execute(
            "UPDATE standings SET earned_until = current_date, held_until = current_date,"
            " due_on = current_date + 1, revision = revision + 1"
            " WHERE brand_id = $1 AND due_on <= current_date",
            brand,
        )
        seconds = time.perf_counter() - started
    finally:
        await connection.close()
    if done != f"UPDATE {count}":
        raise NotReEvaluated(f"{done}, not {count}")
    return seconds


def re_evaluate(postgres: Postgres, environment: dict[str, str], count: int) -> ReEvaluated:
    """One run of the command on a copy, its start not counted; NotReEvaluated unless each standing
    is where it belongs, and half of them have a change and a fact."""
    with postgres.copy_of(TEMPLATE) as url:
        arguments = ("tiers", "re-evaluate", "--brand", SLUG, "--json")
        told, peak_bytes = run_and_watch({**environment, "LOYALTY_DATABASE_URL": url}, *arguments)
        summary: dict[str, Any] = orjson.loads(told)
        kept, fallen, changes, facts = postgres.execute(
            "SELECT (SELECT count(*) FROM standings WHERE rank = 2 AND due_on > current_date),"
            " (SELECT count(*) FROM standings WHERE rank = 1 AND due_on > current_date),"
            " (SELECT count(*) FROM standing_changes),"
            " (SELECT count(*) FROM outbox_events WHERE topic = 'tier.lowered')",
            database="copied",
        )[0]
    fall = count - count // 2
    if (summary["done"], summary["moved"], kept, fallen, changes, facts) != (
        count,
        fall,
        count // 2,
        *(fall, fall, fall),
    ):
        raise NotReEvaluated(f"{summary}: {kept} kept, {fallen} fell, {changes} changes")
    return ReEvaluated(count / summary["seconds"], peak_bytes)
