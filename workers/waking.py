"""The wake-up through Redis: a job that says no more than "look into the outbox".

Redis may lose it, hold it up or be gone: facts are in the database, and workers look there by
themselves. So nothing here may fail or delay whoever commits facts.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from workers.handing_back import end
from workers.relay import describe

QUEUE = "loyalty:wake"
DRAIN = "drain"

REST_SECONDS = 0.05
"""Between two jobs of one server: however many commits, they are one wake-up."""
QUEUED_MAX = 500
"""With so many jobs waiting, one more would wake nobody sooner."""
RETRY_SECONDS = 1.0
ANSWER_SECONDS_MAX = 2.0
EXPIRES_SECONDS = 3600

# The queue is in the order of due times, which the writer's clock gives and the reader's clock
# judges. Jobs are due since long ago: two clocks that differ hold nothing up.
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

log = structlog.get_logger("wake")

REDIS_GONE = (RedisError, OSError, TimeoutError)


def to_json(job: dict[str, Any]) -> bytes:
    """How jobs lie in Redis. Never pickle: it would run whatever somebody puts there."""
    return orjson.dumps(job, default=str)


def connect(redis_url: str) -> ArqRedis:
    """A client; it connects with its first command. Commands that Redis does not answer raise one
    of REDIS_GONE within seconds."""
    pool: ConnectionPool = ConnectionPool.from_url(
        redis_url,
        socket_timeout=ANSWER_SECONDS_MAX,
        socket_connect_timeout=ANSWER_SECONDS_MAX,
    )
    return ArqRedis(
        pool, job_serializer=to_json, job_deserializer=orjson.loads, default_queue_name=QUEUE
    )


class Waker:
    """Wakes workers for one server process: ``wake`` after commits, in between ``start`` and
    ``stop``."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen for ``wake``."""
        self._task = asyncio.create_task(self._run(), name="waker")

    async def stop(self) -> None:
        """End; a wake-up not yet sent is left to the workers' own looking."""
        if self._task is not None:
            await end(self._task)
        await self._redis.aclose(close_connection_pool=True)

    def wake(self) -> None:
        """Facts are committed. Costs next to nothing, waits for nothing."""
        self._wanted.set()

    async def _run(self) -> None:
        is_gone = False
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await enqueue_drain(self._redis)
            except REDIS_GONE as error:
                if not is_gone:
                    log.warning("redis_gone", error=describe(error))
                is_gone = True
                self._wanted.set()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if is_gone:
                    log.info("redis_back")
                is_gone = False
                await asyncio.sleep(REST_SECONDS)


async def enqueue_drain(redis: ArqRedis) -> None:
    """One wake-up. Its id is new each time: arq silently refuses an id that it still remembers,
    from a job that runs just now or whose worker died."""
    if await redis.zcard(QUEUE) < QUEUED_MAX:
        await redis.enqueue_job(DRAIN, _defer_until=_LONG_AGO, _expires=EXPIRES_SECONDS)
