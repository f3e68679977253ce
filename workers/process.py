"""The worker process: woken by arq, but resting on nothing that Redis holds.

Three loops. Two look into the database by themselves, by a clock that nobody can set: every few
seconds, or as often as the embedded worker does while Redis is gone. One looks for facts, the other
for periodic work that is due (arq's own cron goes by the host's clock and lives in Redis): neither
waits for the other, so a job that is long, or in the way of a paused worker's locks, delays no
fact. The third runs arq, which drains at once when somebody calls, dies when Redis drops
(python-arq/arq#498), and is started again.
"""

import asyncio
from typing import Any, cast

import structlog
from arq.typing import WorkerCoroutine
from arq.worker import Worker, func

from loyalty.db import Database
from loyalty.ids import new_id
from workers.draining import Drain
from workers.handing_back import end
from workers.periodic import PeriodicRunner
from workers.relay import Relay, describe
from workers.waking import DRAIN, QUEUE, REDIS_GONE, connect

log = structlog.get_logger("worker")

LOOK_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
ARQ_POLL_SECONDS = 0.1
DRAINED_SECONDS_MAX = 10
JOB_SECONDS_MAX = 20
"""A drain that goes on for longer does so without the job that called for it."""
FINISH_SECONDS_MAX = 3
HAND_BACK_SECONDS_MAX = 8


class WorkerProcess:
    """All that one worker process runs, from ``run`` until it is told to stop."""

    def __init__(
        self,
        db: Database,
        relay: Relay,
        periodic: PeriodicRunner,
        redis_url: str,
        *,
        poll_seconds: float,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._redis_url = redis_url
        self._periodic = periodic
        self._poll_seconds = poll_seconds
        self._look_seconds = look_seconds
        self._drain = Drain(relay)
        self._redis_went = asyncio.Event()
        db.on_facts = self._drain.want  # what a handler leads to is dealt with here as well

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set; then finish the round, or hand it back."""
        look = asyncio.create_task(self._look_on(), name="look")
        repeat = asyncio.create_task(self._repeat_on(), name="repeat")
        listen = asyncio.create_task(self._listen_on(), name="listen")
        stopped = asyncio.create_task(stopping.wait())
        log.info("working")
        await asyncio.wait({look, repeat, listen, stopped}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        broken = [each for each in (look, repeat, listen) if each.done()]
        repeat.cancel()
        await asyncio.gather(
            self._drain.stop(FINISH_SECONDS_MAX, HAND_BACK_SECONDS_MAX),
            asyncio.wait({repeat}, timeout=FINISH_SECONDS_MAX + HAND_BACK_SECONDS_MAX),
            end(look),
            end(listen),
            end(stopped),
        )
        for each in broken:
            each.result()  # never without a reason: let it be seen

    async def _look_on(self) -> None:
        while True:
            self._drain.want()
            await self._pause()

    async def _repeat_on(self) -> None:
        while True:
            try:
                await self._periodic.run_due()
            except Exception:
                log.exception("periodic_failed", error_id=str(new_id()))
            await self._pause()

    async def _pause(self) -> None:
        if self._redis_went.is_set():
            await asyncio.sleep(self._poll_seconds)
        else:
            await _wait(self._redis_went, self._look_seconds)

    async def _listen_on(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                if not self._redis_went.is_set():
                    expected = isinstance(error, REDIS_GONE)
                    log.warning("redis_gone", error=describe(error), exc_info=not expected)
                self._redis_went.set()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        """Run arq until Redis drops, which raises."""
        redis = connect(self._redis_url)
        try:
            await redis.ping()
            if self._redis_went.is_set():
                log.info("redis_back")
            self._redis_went.clear()
            job = cast(WorkerCoroutine, self._drain_when_called)
            worker = Worker(
                [func(job, name=DRAIN, max_tries=1, timeout=JOB_SECONDS_MAX)],
                queue_name=QUEUE,
                redis_pool=redis,
                handle_signals=False,
                max_jobs=1,  # a worker that is busy leaves the calls to those that are not
                poll_delay=ARQ_POLL_SECONDS,
                keep_result=0,
                log_results=False,
                job_serializer=redis.job_serializer,
                job_deserializer=redis.job_deserializer,
            )
            try:
                await worker.async_run()
            finally:
                await _end_jobs(worker)
        finally:
            await redis.aclose(close_connection_pool=True)

    async def _drain_when_called(self, _: dict[Any, Any]) -> None:
        self._drain.want()
        await self._drain.wait(DRAINED_SECONDS_MAX)


async def _end_jobs(worker: Worker) -> None:
    # They only wait for the drain, which is not theirs and goes on.
    for job in worker.tasks.values():
        job.cancel()
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
