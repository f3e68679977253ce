"""The runner of periodic work: in chunks, fenced, given back at a stop; and the jobs there are."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog
from sqlalchemy import update
from sqlmodel import select

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.notifications.providers import NullProvider
from loyalty.periodic import PeriodicJob
from tests.clocks import SettableClock
from tests.workers.facts import add_event, list_events
from workers.embedded import EmbeddedWorker
from workers.periodic import CHUNK_ROWS_MAX, JOBS, Periodic, PeriodicRunner
from workers.wiring import make_relay

LEASE_SECONDS = 30


class Dust:
    """So many grains of dust; each run of the verb takes up what it is allowed to."""

    def __init__(self, grains: int, then: Callable[[Tx], Awaitable[object]] | None = None) -> None:
        self.grains = grains
        self.chunks = 0
        self._then = then

    async def sweep(self, tx: Tx, limit: int) -> int:
        self.chunks += 1
        if self._then is not None:
            await self._then(tx)
        done = min(limit, self.grains)
        self.grains -= done
        return done

    def runner(self, db: Database) -> PeriodicRunner:
        return PeriodicRunner(db, {"dust": Periodic(60, self.sweep)}, lease_seconds=LEASE_SECONDS)


async def job_of(db: Database) -> PeriodicJob:
    async with db.snapshot() as snapshot:
        return (await snapshot.session.exec(select(PeriodicJob))).one()


async def test_a_job_is_repeated_until_nothing_is_left_and_then_waits_its_time(
    clocked_db: Database, clock: SettableClock
) -> None:
    dust = Dust(2 * CHUNK_ROWS_MAX + 1)
    assert await dust.runner(clocked_db).run_due() == 1
    assert (dust.grains, dust.chunks) == (0, 3)
    assert await dust.runner(clocked_db).run_due() == 0
    clock.advance(seconds=60)
    assert await dust.runner(clocked_db).run_due() == 1
    assert dust.chunks == 4


async def test_a_job_without_end_lets_the_others_have_their_turn(clocked_db: Database) -> None:
    async def never_done(_: Tx, limit: int) -> int:
        return limit

    dust = Dust(1)
    jobs = {"a": Periodic(60, never_done), "dust": Periodic(60, dust.sweep)}
    assert await PeriodicRunner(clocked_db, jobs).run_due() == 2
    assert dust.grains == 0


async def test_a_failing_job_is_kept_with_its_error_and_undoes_its_chunk(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    async def add_and_fail(tx: Tx) -> None:
        await add_event(tx, brand, "moon.landed")
        raise ValueError("no such moon: 13800138000")

    dust = Dust(1, add_and_fail)
    assert await dust.runner(clocked_db).run_due() == 1
    job = await job_of(clocked_db)
    assert (job.failures, job.last_error) == (1, "ValueError: no such moon: ***")
    assert await list_events(clocked_db) == []
    assert await dust.runner(clocked_db).run_due() == 0
    clock.advance(seconds=2)
    assert await dust.runner(clocked_db).run_due() == 1


async def test_who_lost_the_job_between_two_chunks_does_not_go_on(clocked_db: Database) -> None:
    theirs = new_id()

    async def others_take_it(tx: Tx) -> None:
        await tx.session.exec(update(PeriodicJob).values(lease_token=theirs))

    dust = Dust(3 * CHUNK_ROWS_MAX, others_take_it)
    with structlog.testing.capture_logs() as logs:
        await dust.runner(clocked_db).run_due()
    assert dust.chunks == 1
    assert [entry["event"] for entry in logs] == ["lease_lost"]
    job = await job_of(clocked_db)
    assert (job.lease_token, job.ran_at, job.last_error) == (theirs, None, None)


async def test_a_stopped_runner_ends_its_chunk_and_gives_the_job_back(
    clocked_db: Database, clock: SettableClock
) -> None:
    async def stop_us(_: Tx) -> None:
        run.cancel()
        await asyncio.sleep(0)

    dust = Dust(3 * CHUNK_ROWS_MAX, stop_us)
    run = asyncio.create_task(dust.runner(clocked_db).run_due())
    with pytest.raises(asyncio.CancelledError):
        await run
    assert dust.grains == 2 * CHUNK_ROWS_MAX
    job = await job_of(clocked_db)
    assert (job.lease_token, job.due_at, job.ran_at) == (None, clock(), None)


async def test_every_job_there_is_runs_on_an_empty_database(db: Database) -> None:
    assert await PeriodicRunner(db).run_due() == len(JOBS)
    async with db.snapshot() as snapshot:
        jobs = (await snapshot.session.exec(select(PeriodicJob))).all()
    assert {job.name: job.last_error for job in jobs} == dict.fromkeys(JOBS)


async def test_the_worker_inside_the_server_runs_what_is_due(db: Database) -> None:
    dust = Dust(5)
    worker = EmbeddedWorker(make_relay(db, NullProvider()), 3600, periodic=dust.runner(db))
    worker.start()
    async with asyncio.timeout(20):
        while dust.grains:  # noqa: ASYNC110 - what a worker does, nobody is told
            await asyncio.sleep(0.01)
    await worker.stop()
