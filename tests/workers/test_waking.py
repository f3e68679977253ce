"""The wake-up through Redis: harmless JSON, many commits one job, and no pain when it is gone."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
import structlog
from arq.constants import job_key_prefix
from redis.asyncio import Redis

from tests.postgresql_server import free_port
from tests.redis_server import RedisServer
from workers.waking import DRAIN, QUEUE, QUEUED_MAX, Waker, connect, enqueue_drain

WAIT_SECONDS_MAX = 20


@pytest_asyncio.fixture
async def redis(redis_url: str) -> "AsyncIterator[Redis]":
    """A plain client, to see what lies there."""
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def waker(redis_url: str) -> AsyncIterator[Waker]:
    waker = Waker(redis_url)
    waker.start()
    yield waker
    await waker.stop()


async def wait_for_jobs(redis: "Redis", count: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while await redis.zcard(QUEUE) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_what_lies_in_redis_is_json_and_says_nothing(redis: "Redis", waker: Waker) -> None:
    waker.wake()
    await wait_for_jobs(redis, 1)
    keys = await redis.keys("*")
    (job_key,) = [key for key in keys if key.startswith(job_key_prefix.encode())]
    assert sorted(keys) == sorted([job_key, QUEUE.encode()])
    job = orjson.loads(await redis.get(job_key))
    assert (job["f"], job["a"], job["k"]) == (DRAIN, [], {})
    assert 0 < await redis.ttl(job_key) <= 3600


async def test_many_commits_are_few_jobs(redis: "Redis", waker: Waker) -> None:
    for _ in range(1000):
        waker.wake()
    await wait_for_jobs(redis, 1)
    waker.wake()
    await wait_for_jobs(redis, 2)
    await asyncio.sleep(0.2)
    assert await redis.zcard(QUEUE) == 2


async def test_a_queue_that_nobody_reads_does_not_grow_for_ever(
    redis: "Redis", redis_url: str
) -> None:
    client = connect(redis_url)
    await redis.zadd(QUEUE, {f"job {n}": 1 for n in range(QUEUED_MAX)})
    await enqueue_drain(client)
    assert await redis.zcard(QUEUE) == QUEUED_MAX
    await redis.zrem(QUEUE, "job 0")
    await enqueue_drain(client)
    assert await redis.zcard(QUEUE) == QUEUED_MAX
    await client.aclose(close_connection_pool=True)


async def test_a_job_is_due_at_once_whatever_the_clocks_say(redis: "Redis", waker: Waker) -> None:
    waker.wake()
    await wait_for_jobs(redis, 1)
    ((_, due_ms),) = await redis.zrange(QUEUE, 0, -1, withscores=True)
    assert 0 < due_ms < 1_000_000_000_000  # 2001; and never 0, which arq takes for no job


async def test_redis_may_be_away_and_come_back(
    redis: "Redis", redis_server: RedisServer, waker: Waker
) -> None:
    with structlog.testing.capture_logs() as logs:
        waker.wake()
        await wait_for_jobs(redis, 1)
        redis_server.kill()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not logs:
                waker.wake()
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.2)  # it has tried again by now
        assert [entry["event"] for entry in logs] == ["redis_gone"]
        redis_server.start()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while len(logs) < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    assert [entry["event"] for entry in logs] == ["redis_gone", "redis_back"]
    await wait_for_jobs(redis, 1)  # what was to be said meanwhile


@pytest.mark.parametrize("answers", ["nobody", "never"])
async def test_waking_waits_for_nobody(answers: str) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    mute = None
    if answers == "never":
        mute = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    waker = Waker(f"redis://127.0.0.1:{port}/0")
    waker.start()
    await asyncio.sleep(0)
    for _ in range(100):
        waker.wake()
        await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await waker.stop()
    if mute is not None:
        mute.close()
        await mute.wait_closed()
