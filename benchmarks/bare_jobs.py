"""What settlement through Redis is measured against: bare arq, where each job updates one row.

``python -m benchmarks.bare_jobs DATABASE_URL REDIS_URL`` is the worker: one process that works off
all that is queued and prints how many seconds it took. No leases, no outbox, no books: the least
that one job a piece of work can be.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, cast

import asyncpg
import orjson
import uvloop
from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func
from redis.asyncio import ConnectionPool

from benchmarks.postgres import ROOT

QUEUE = "bare:jobs"
JOB = "update_row"
ENQUEUED_AT_ONCE = 50
JOBS_AT_ONCE = 64
POOL_SIZE = 32
POLL_SECONDS = 0.005
QUEUE_READ_MAX = 1_000
"""As fast as it can be made here, or the ratio would flatter us: arq's own defaults (10 jobs at
once, a look every half second) manage an eighth."""
SECONDS_MAX = 300

_UPDATE = "UPDATE bare_rows SET worked_at = clock_timestamp() WHERE id = $1 AND worked_at IS NULL"


class NotWorkedOff(Exception):
    """Not every job updated its row: the rate would be of something else."""


async def prepare_rows(url: str, count: int) -> None:
    """A table with so many rows to be updated, in a database without one."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "CREATE TABLE bare_rows (id bigint PRIMARY KEY, worked_at timestamptz)"
        )
        await connection.execute(
            "INSERT INTO bare_rows (id) SELECT generate_series(1, $1::bigint)", count
        )
        await connection.execute("VACUUM ANALYZE bare_rows")
    finally:
        await connection.close()


async def enqueue(redis_url: str, row_ids: Iterable[int]) -> None:
    """One job for each row."""
    redis = _connect(redis_url)
    room = asyncio.Semaphore(ENQUEUED_AT_ONCE)

    async def enqueue_one(row_id: int) -> None:
        async with room:
            await redis.enqueue_job(JOB, row_id)

    try:
        await asyncio.gather(*(enqueue_one(row_id) for row_id in row_ids))
    finally:
        await redis.aclose(close_connection_pool=True)


def work_off(url: str, redis_url: str, count: int) -> float:
    """Jobs per second of one worker process; NotWorkedOff unless each has updated its row."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_jobs", url, redis_url],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if done.returncode != 0:
        raise NotWorkedOff(f"{done.stdout}\n{done.stderr}")
    updated = asyncio.run(_count_updated(url))
    if updated != count:
        raise NotWorkedOff(f"{updated} rows were updated, not {count}")
    return count / float(done.stdout)


async def _count_updated(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return cast(
            int,
            await connection.fetchval("SELECT count(*) FROM bare_rows WHERE worked_at IS NOT NULL"),
        )
    finally:
        await connection.close()


# --- the worker --------------------------------------------------------------------------------


async def work(url: str, redis_url: str) -> float:
    """Work off the queue; the seconds that took, connecting not included."""
    redis = _connect(redis_url)
    async with asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:

        async def update_row(_: dict[Any, Any], row_id: int) -> None:
            await pool.execute(_UPDATE, row_id)

        worker = Worker(
            [func(cast(WorkerCoroutine, update_row), name=JOB)],
            queue_name=QUEUE,
            redis_pool=redis,
            burst=True,
            handle_signals=False,
            max_jobs=JOBS_AT_ONCE,
            queue_read_limit=QUEUE_READ_MAX,
            poll_delay=POLL_SECONDS,
            keep_result=0,
            log_results=False,
            job_serializer=redis.job_serializer,
            job_deserializer=redis.job_deserializer,
        )
        await redis.ping()
        started = time.perf_counter()
        await worker.async_run()
        seconds = time.perf_counter() - started
    await redis.aclose(close_connection_pool=True)
    return seconds


def _connect(redis_url: str) -> ArqRedis:
    return ArqRedis(
        ConnectionPool.from_url(redis_url),
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
    )


if __name__ == "__main__":
    print(uvloop.run(work(sys.argv[1], sys.argv[2])))
