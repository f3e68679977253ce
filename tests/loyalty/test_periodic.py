"""Periodic work: one worker at a time, in its rhythm, and missed runs made up for by one."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from loyalty import periodic
from loyalty.db import Database, Tx
from loyalty.outbox import StaleLease
from loyalty.periodic import LeasedJob, PeriodicJob
from tests.clocks import SettableClock

NAMES = ("dust", "water")
INTERVAL_SECONDS = 600
LEASE_SECONDS = 30


async def lease(tx: Tx, *names: str) -> LeasedJob | None:
    return await periodic.lease(tx, names or NAMES, lease_seconds=LEASE_SECONDS)


async def leased(db: Database, *names: str) -> LeasedJob:
    job = await db.in_transaction(lease, *names)
    assert job is not None
    return job


async def finish(tx: Tx, job: LeasedJob) -> None:
    await periodic.finish(tx, job, interval_seconds=INTERVAL_SECONDS)


async def fail(tx: Tx, job: LeasedJob) -> None:
    await periodic.fail(tx, job, "no \x00 water", interval_seconds=INTERVAL_SECONDS)


async def renew(tx: Tx, job: LeasedJob) -> None:
    await periodic.renew(tx, job, lease_seconds=LEASE_SECONDS)


async def job_of(db: Database, name: str = "dust") -> PeriodicJob:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(PeriodicJob).where(PeriodicJob.name == name))
        return found.one()


async def test_a_new_job_is_due_at_once_and_an_old_one_keeps_its_time(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    assert await db.in_transaction(lease) is None
    await db.in_transaction(periodic.ensure, ["dust"])
    await db.in_transaction(finish, await leased(db))
    await db.in_transaction(periodic.ensure, NAMES)
    assert (await leased(db)).name == "water"
    assert await db.in_transaction(lease) is None
    assert (await job_of(db)).due_at == clock() + timedelta(seconds=INTERVAL_SECONDS)


async def test_a_job_unknown_to_this_version_is_left_to_those_that_know_it(
    clocked_db: Database,
) -> None:
    await clocked_db.in_transaction(periodic.ensure, NAMES)
    assert (await leased(clocked_db, "water")).name == "water"
    assert await clocked_db.in_transaction(lease, "water") is None


async def test_missed_runs_collapse_into_one_and_the_rhythm_stays(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    interval = timedelta(seconds=INTERVAL_SECONDS)
    await db.in_transaction(periodic.ensure, ["dust"])
    first = clock()
    for late_seconds in (0, 7, 599, 600, 4321):
        clock.set((await job_of(db)).due_at + timedelta(seconds=late_seconds))
        await db.in_transaction(finish, await leased(db))
        job = await job_of(db)
        assert timedelta() < job.due_at - clock() <= interval
        assert (job.due_at - first) % interval == timedelta()
        assert job.ran_at == clock()
        assert await db.in_transaction(lease) is None


async def test_who_lost_a_job_changes_nothing(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    await db.in_transaction(periodic.ensure, ["dust"])
    late = await leased(db)
    clock.advance(seconds=LEASE_SECONDS - 1)
    assert await db.in_transaction(lease) is None
    await db.in_transaction(renew, late)
    clock.advance(seconds=LEASE_SECONDS - 1)
    assert await db.in_transaction(lease) is None
    clock.advance(seconds=1)
    prompt = await leased(db)
    for verb in (renew, finish, fail):
        with pytest.raises(StaleLease):
            await db.in_transaction(verb, late)
    await db.in_transaction(periodic.release, late)
    assert (await job_of(db)).lease_token == prompt.token
    await db.in_transaction(finish, prompt)
    with pytest.raises(StaleLease):
        await db.in_transaction(finish, prompt)


async def test_a_job_given_back_is_still_due(clocked_db: Database) -> None:
    await clocked_db.in_transaction(periodic.ensure, ["dust"])
    job = await leased(clocked_db)
    await clocked_db.in_transaction(periodic.release, job)
    assert (await leased(clocked_db)).due_at == job.due_at


async def test_a_failing_job_keeps_its_error_and_comes_back_ever_later(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    await db.in_transaction(periodic.ensure, ["dust"])
    for failures, wait_seconds in enumerate((2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600), 1):
        await db.in_transaction(fail, await leased(db))
        job = await job_of(db)
        assert (job.failures, job.last_error, job.ran_at) == (failures, "no ? water", None)
        assert job.due_at == clock() + timedelta(seconds=wait_seconds)
        clock.advance(seconds=wait_seconds)
    await db.in_transaction(finish, await leased(db))
    job = await job_of(db)
    assert (job.failures, job.last_error, job.ran_at) == (0, None, clock())


async def test_of_many_workers_one_runs_a_job(db: Database) -> None:
    await db.in_transaction(periodic.ensure, NAMES)
    found = await asyncio.gather(*(db.in_transaction(lease) for _ in range(8)))
    assert sorted(job.name for job in found if job) == list(NAMES)
