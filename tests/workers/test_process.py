"""The worker process, inside the test's own: woken by Redis, resting on the database."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix, result_key_prefix

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.notifications.providers import NullProvider
from tests.redis_server import RedisServer
from tests.workers.facts import add_enrolments, add_event, list_events, states
from workers.periodic import Periodic, PeriodicRunner
from workers.process import WorkerProcess
from workers.waking import DRAIN, QUEUE, Waker, connect, enqueue_drain
from workers.wiring import make_relay

NEVER_SECONDS = 3600.0
SOON_SECONDS = 0.1
WAIT_SECONDS_MAX = 20


@asynccontextmanager
async def working(
    db: Database,
    redis_url: str,
    *,
    look_seconds: float = NEVER_SECONDS,
    poll_seconds: float = NEVER_SECONDS,
    periodic: PeriodicRunner | None = None,
) -> AsyncIterator[None]:
    """A worker that has looked into the database once, and runs until the block ends."""
    own = Database(db.url)
    process = WorkerProcess(
        own,
        make_relay(own, NullProvider()),
        periodic or PeriodicRunner(own, {}),
        redis_url,
        poll_seconds=poll_seconds,
        look_seconds=look_seconds,
    )
    stopping = asyncio.Event()
    run = asyncio.create_task(process.run(stopping))
    await asyncio.sleep(0.2)
    try:
        yield
    finally:
        stopping.set()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await run
        await own.close()


async def wait_until_delivered(db: Database, count: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (await states(db))["delivered"] < count:  # noqa: ASYNC110 - not of this task
            await asyncio.sleep(0.02)


async def wait_until_empty(client: ArqRedis) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while await client.zcard(QUEUE):  # noqa: ASYNC110 - Redis does not tell
            await asyncio.sleep(0.02)


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_so():  # noqa: ASYNC110 - somebody else makes it so
            await asyncio.sleep(0.02)


async def test_who_commits_facts_wakes_a_worker_that_would_sleep_on(
    db: Database, brand: Brand, redis_url: str
) -> None:
    waker = Waker(redis_url)
    waker.start()
    db.on_facts = waker.wake
    async with working(db, redis_url):
        for count in (3, 6):
            await db.in_transaction(add_enrolments, brand, 3)
            await wait_until_delivered(db, count)
    await waker.stop()


async def test_a_lost_job_loses_no_work(
    db: Database, brand: Brand, redis_server: RedisServer
) -> None:
    """Nobody woke: the job was flushed, or never sent. The worker looks by itself."""
    async with working(db, redis_server.url, look_seconds=SOON_SECONDS):
        await db.in_transaction(add_enrolments, brand, 3)
        redis_server.flush()
        await wait_until_delivered(db, 3)


@pytest.mark.only_database("postgresql", reason="a transaction on SQLite is the only one")
async def test_a_job_that_hangs_delays_no_fact(db: Database, brand: Brand, redis_url: str) -> None:
    hanging, over = asyncio.Event(), asyncio.Event()

    async def hang(_tx: Tx, _limit: int) -> int:
        hanging.set()
        await over.wait()
        return 0

    runner = PeriodicRunner(db, {"hang": Periodic(15, hang)})
    async with working(db, redis_url, look_seconds=SOON_SECONDS, periodic=runner):
        await hanging.wait()
        await db.in_transaction(add_enrolments, brand, 3)
        await wait_until_delivered(db, 3)
        assert not over.is_set()
        over.set()


async def test_no_result_is_kept_and_an_id_may_come_again(
    db: Database, brand: Brand, redis_url: str
) -> None:
    client = connect(redis_url)
    async with working(db, redis_url):
        for count in (1, 2):
            await db.in_transaction(add_enrolments, brand, 1)
            assert await client.enqueue_job(DRAIN, _job_id="the same") is not None
            await wait_until_delivered(db, count)
            await wait_until_empty(client)
        assert await client.keys(f"{result_key_prefix}*") == []
        assert await client.keys(f"{job_key_prefix}*") == []
    await client.aclose(close_connection_pool=True)


class Poison:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


async def test_nothing_that_lies_in_redis_is_run(
    db: Database, brand: Brand, redis_url: str, tmp_path: Path
) -> None:
    client = connect(redis_url)
    mark = tmp_path / "poisoned"
    await client.set(f"{job_key_prefix}bad", pickle.dumps(Poison(mark)))
    await client.zadd(QUEUE, {"bad": 1, "empty": 1})
    await client.enqueue_job("rm", "-rf")
    await client.enqueue_job(DRAIN, "an argument", it="ignores")
    async with working(db, redis_url):
        await wait_until_empty(client)
        assert not mark.exists()
        await db.in_transaction(add_enrolments, brand, 1)
        await enqueue_drain(client)
        await wait_until_delivered(db, 1)
    await client.aclose(close_connection_pool=True)


async def test_redis_killed_and_back_empty_costs_no_work(
    db: Database, brand: Brand, redis_server: RedisServer
) -> None:
    client = connect(redis_server.url)
    with structlog.testing.capture_logs() as logs:

        def said() -> list[str]:
            return [entry["event"] for entry in logs if entry["event"].startswith("redis")]

        async with working(db, redis_server.url, poll_seconds=SOON_SECONDS):
            redis_server.kill()
            await wait_until(lambda: said() == ["redis_gone"])
            await db.in_transaction(add_enrolments, brand, 3)
            await wait_until_delivered(db, 3)  # by looking itself
            redis_server.start()
            await wait_until(lambda: said() == ["redis_gone", "redis_back"])
        async with working(db, redis_server.url):
            await db.in_transaction(add_enrolments, brand, 3)
            await enqueue_drain(client)
            await wait_until_delivered(db, 6)
    await client.aclose(close_connection_pool=True)


async def test_a_worker_whose_redis_dropped_listens_again(
    db: Database, brand: Brand, redis_server: RedisServer
) -> None:
    client = connect(redis_server.url)
    async with working(db, redis_server.url):
        redis_server.kill()
        redis_server.start()
        await db.in_transaction(add_enrolments, brand, 1)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not (await states(db))["delivered"]:
                await enqueue_drain(client)
                await asyncio.sleep(0.1)
    await client.aclose(close_connection_pool=True)


async def test_a_worker_starts_and_works_without_redis(db: Database, brand: Brand) -> None:
    await db.in_transaction(add_enrolments, brand, 1)
    async with working(db, "redis://127.0.0.1:1/0", poll_seconds=SOON_SECONDS):
        await wait_until_delivered(db, 1)
        await db.in_transaction(add_enrolments, brand, 1)
        await wait_until_delivered(db, 2)


async def test_due_times_of_periodic_work_are_not_redis_to_lose(
    db: Database, brand: Brand, redis_server: RedisServer
) -> None:
    async def announce(tx: Tx, _: int) -> int:
        await add_event(tx, brand, "moon.landed")
        return 1

    runners = [PeriodicRunner(db, {"moon": Periodic(3600, announce)}) for _ in range(2)]
    for runner in runners:
        async with working(db, redis_server.url, look_seconds=SOON_SECONDS, periodic=runner):
            await asyncio.sleep(3 * SOON_SECONDS)
            redis_server.flush()
            await asyncio.sleep(3 * SOON_SECONDS)
    assert len(await list_events(db)) == 1
