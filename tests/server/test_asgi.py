"""What one server process runs: with Redis it calls workers, without it works itself."""

import asyncio

from redis.asyncio import Redis

from loyalty.brands.models import Brand
from loyalty.db import Database
from loyalty.settings import Settings
from server.asgi import Runtime
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.workers.facts import add_enrolments, states
from workers.waking import QUEUE

WAIT_SECONDS_MAX = 20


def runtime(database_url: str, redis_url: str | None) -> Runtime:
    secrets = {"token_secret": TOKEN_SECRET, "master_key": MASTER_KEY}
    return Runtime(
        Settings.model_validate(
            {
                "database_url": database_url,
                "redis_url": redis_url,
                "outbox_poll_seconds": 3600,
                **secrets,
            }
        )
    )


async def test_with_redis_a_commit_calls_a_worker_and_the_server_leaves_the_work_to_it(
    db: Database, database_url: str, redis_url: str, brand: Brand
) -> None:
    server = runtime(database_url, redis_url)
    client = Redis.from_url(redis_url)
    await server.start()
    await server.database.in_transaction(add_enrolments, brand, 2)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not await client.zcard(QUEUE):  # noqa: ASYNC110 - Redis does not tell
            await asyncio.sleep(0.01)
    await server.stop()
    assert await states(db) == {"waiting": 2}
    await client.aclose()


async def test_without_redis_a_commit_wakes_the_worker_inside(
    db: Database, database_url: str, brand: Brand
) -> None:
    server = runtime(database_url, None)
    await server.start()
    await asyncio.sleep(0.2)  # it has found nothing, and would look again in an hour
    await server.database.in_transaction(add_enrolments, brand, 2)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (await states(db))["delivered"] < 2:  # noqa: ASYNC110 - the worker does not tell
            await asyncio.sleep(0.01)
    await server.stop()
