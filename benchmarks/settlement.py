"""How fast captured redemptions are settled: a real ``loyalty worker``, called through Redis.

The captures are made over HTTP before the clock runs, by a server that leaves its facts to workers.
What the worker then does is all that follows from them: rebates posted, payouts made and paid,
members told. The clock stops when no fact is left, and the books are counted.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from redis import Redis

from benchmarks.load import Load, measure
from benchmarks.processes import LOYALTY, SERVE, running, serving
from benchmarks.tills import REBATE_FEN, Captures, is_step_taken
from tests.redis_server import RedisServer
from workers.waking import QUEUE, connect, enqueue_drain

SETTING_CLIENTS = 32
READY_SECONDS_MAX = 30
SETTLED_SECONDS_MAX = 300
LOOK_SECONDS = 0.01
REDIS_SETTINGS = {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction"}
"""As ``tests/redis_server.py`` starts it; asserted."""
HEALTH_KEY = f"{QUEUE}:health-check"
"""What arq's worker writes as soon as it looks for jobs."""


class NotSettled(Exception):
    """Not all was captured or settled, or not as it should be: the rate would be of something
    else."""


class RedisDiffers(Exception):
    """Redis runs with other settings than the results will say."""


@dataclass(frozen=True)
class Settled:
    """What the books say in the end."""

    captured: int
    settled: int
    rebates_fen: int
    paid_out_fen: int
    owed_fen: int
    payouts: int
    members_told: int
    dead: int


_SETTLED = """
SELECT
    (SELECT count(*) FROM redemptions WHERE status = 'CAPTURED'),
    (SELECT count(*) FROM redemptions WHERE settled_at IS NOT NULL),
    (SELECT COALESCE(SUM(amount), 0)::bigint FROM transfers
        WHERE kind = 'REBATE' AND phase = 'POST'),
    (SELECT COALESCE(SUM(amount_fen), 0)::bigint FROM payouts WHERE status = 'PAID'),
    (SELECT COALESCE(SUM(a.credits_posted - a.debits_posted), 0)::bigint
        FROM accounts a JOIN places p ON p.brand_id = a.brand_id AND p.id = a.owner_id),
    (SELECT count(*) FROM payouts),
    (SELECT count(*) FROM notifications WHERE kind = 'COUPON_REDEEMED'),
    (SELECT count(*) FROM outbox_events WHERE dead_at IS NOT NULL)
"""
_CAPTURED = """
SELECT
    (SELECT count(*) FROM redemptions WHERE status = 'CAPTURED'),
    (SELECT count(*) FROM coupons WHERE status = 'REDEEMED'),
    (SELECT count(*) FROM redemptions WHERE status = 'HELD')
"""
_IS_LEFT = (
    "SELECT EXISTS (SELECT FROM outbox_events WHERE delivered_at IS NULL AND dead_at IS NULL)"
)
# Facts wait out of sight of the worker while it starts, and are due again in one statement.
_PARK = (
    "UPDATE outbox_events SET due_at = due_at + interval '1 day'"
    " WHERE delivered_at IS NULL AND dead_at IS NULL"
)
_UNPARK = _PARK.replace("+", "-")


def capture_coupons(
    url: str, environment: dict[str, str], holds: list[bytes], then: Captures
) -> None:
    """Hold and capture over HTTP; nobody settles yet. The environment names the Redis."""
    with serving(SERVE, environment, "captures") as port:
        measure(Load(holds, SETTING_CLIENTS, (port,), then=then), is_step_taken)
    asyncio.run(_execute(url, _PARK, "VACUUM ANALYZE", "CHECKPOINT"))


def require_captured(url: str, count: int) -> None:
    """NotSettled unless so many coupons were used up, each by one redemption, and none is held."""
    found = asyncio.run(_fetch_row(url, _CAPTURED))
    if tuple(found) != (count, count, 0):
        raise NotSettled(f"{count} captured, and (redemptions, coupons, held) are {tuple(found)}")


def settle(url: str, environment: dict[str, str], redis_url: str) -> float:
    """Seconds that one worker takes for all that ``capture_coupons`` has left, from the wake-up
    until no fact is left."""
    with _worker(environment, redis_url):
        return asyncio.run(_settle(url, redis_url))


def require_settled(url: str, count: int) -> None:
    """NotSettled unless so many redemptions were settled, their rebates posted to the fen and paid
    out or still owed, their members told, and nothing is a dead letter."""
    found = Settled(*asyncio.run(_fetch_row(url, _SETTLED)))
    counts = (found.captured, found.settled, found.members_told, found.dead)
    paid_and_owed_fen = found.paid_out_fen + found.owed_fen
    if (
        counts != (count, count, count, 0)
        or not found.rebates_fen == paid_and_owed_fen == count * REBATE_FEN
        or not found.payouts
    ):
        raise NotSettled(f"{count} captured, and in the end: {found}")


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A real Redis that keeps nothing on disk, as docs/operations.md has it for both."""
    server = RedisServer()
    try:
        server.start()
        with server.client() as client:
            for name, wanted in REDIS_SETTINGS.items():
                found: Any = client.config_get(name)
                if found[name] != wanted:
                    raise RedisDiffers(f"{name} = {found[name]}")
        yield server
    finally:
        server.remove()


def version_of(server: RedisServer) -> str:
    with server.client() as client:
        info: Any = client.info("server")
        return str(info["redis_version"])


@contextmanager
def _worker(environment: dict[str, str], redis_url: str) -> Iterator[None]:
    """One worker, once it listens to an empty Redis."""
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()

        def listens() -> bool:
            return bool(redis.exists(HEALTH_KEY))

        with running([str(LOYALTY), "worker"], environment, "worker", listens):
            yield


async def _settle(url: str, redis_url: str) -> float:
    connection = await asyncpg.connect(url)
    redis = connect(redis_url)
    try:
        await redis.ping()
        async with asyncio.timeout(SETTLED_SECONDS_MAX):
            await connection.execute(_UNPARK)
            started = time.perf_counter()
            await enqueue_drain(redis)
            while await connection.fetchval(_IS_LEFT):  # noqa: ASYNC110 - the worker does not tell
                await asyncio.sleep(LOOK_SECONDS)
            seconds = time.perf_counter() - started
            while await redis.zcard(QUEUE):  # noqa: ASYNC110 - or else it was not Redis that called
                await asyncio.sleep(LOOK_SECONDS)
            return seconds
    finally:
        await redis.aclose(close_connection_pool=True)
        await connection.close()


async def _fetch_row(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchrow(query)
    finally:
        await connection.close()


async def _execute(url: str, *statements: str) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
