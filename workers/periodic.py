"""What is done again and again, and how often. Due times and leases are in ``loyalty.periodic``.

A job works in chunks, a transaction each, and each renews the lease: whoever was paused past it
finds its next chunk refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from loyalty import periodic
from loyalty.db import Database, Tx, is_unavailable
from loyalty.holds.service import lapse_balance_holds
from loyalty.ledger.expiry import CHUNK_LOTS
from loyalty.outbox import LEASE_SECONDS, StaleLease
from loyalty.periodic import LeasedJob
from rewards.activities.service import settle_activities
from rewards.clearing.statements import draw_statements
from rewards.events.service import settle_birthdays
from rewards.gifts.service import give_days_gifts
from rewards.grants.unlocking import settle_due
from rewards.issues.service import expire_coupons
from rewards.redemptions.service import lapse_holds
from workers.expiry import expire_lots
from workers.handing_back import in_order
from workers.relay import describe
from workers.tiers import CHUNK_STANDINGS, re_evaluate_tiers

log = structlog.get_logger("periodic")

CHUNK_ROWS_MAX = 200
ACTIVITIES_SECONDS = 2
CHUNKS_MAX = 100
"""Per run: what is left waits for the next one, and the other jobs get their turn."""

Verb = Callable[[Tx, int], Awaitable[int]]
"""Deals with up to so many rows of any brand, in one transaction; how many it did. Fewer than it
was allowed means that nothing is left. What leaves the house it writes as facts."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job: ``verb``, every ``interval_seconds``, up to ``chunks_max`` times ``chunk_rows_max``
    rows of it."""

    interval_seconds: int
    verb: Verb
    chunk_rows_max: int = CHUNK_ROWS_MAX
    chunks_max: int = CHUNKS_MAX


JOBS: Mapping[str, Periodic] = {
    "lapse_holds": Periodic(15, lapse_holds),
    "lapse_balance_holds": Periodic(15, lapse_balance_holds),
    "expire_coupons": Periodic(600, expire_coupons),
    "settle_locked_rewards": Periodic(15, settle_due),
    "give_days_gifts": Periodic(600, give_days_gifts),
    "settle_birthdays": Periodic(600, settle_birthdays),
    "settle_activities": Periodic(ACTIVITIES_SECONDS, settle_activities),
    "draw_statements": Periodic(600, draw_statements),
    "expire_lots": Periodic(15, expire_lots, CHUNK_LOTS, 20),
    "re_evaluate_tiers": Periodic(15, re_evaluate_tiers, CHUNK_STANDINGS, 20),
}


class PeriodicRunner:
    """Runs the jobs that are due; any number of runners share them."""

    def __init__(
        self,
        db: Database,
        jobs: Mapping[str, Periodic] = JOBS,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._db = db
        self._jobs = jobs
        self._lease_seconds = lease_seconds
        self._are_registered = False

    async def run_due(self) -> int:
        """Run what is due and free, one after another; how many jobs were run.

        What a job raises is kept with it, and it comes back later. Raises only what kept that from
        being written (no database). Cancelled, it ends after the running chunk and gives back.
        """
        return await in_order(self._run_due)

    async def _run_due(self, stopping: asyncio.Event) -> int:
        if not self._jobs:
            return 0
        if not self._are_registered:
            await self._db.in_transaction(periodic.ensure, self._jobs.keys())
            self._are_registered = True
        count = 0
        while not stopping.is_set():
            job = await self._db.in_transaction(
                periodic.lease, self._jobs.keys(), lease_seconds=self._lease_seconds
            )
            if job is None:
                break
            try:
                await self._run(job, stopping)
            except StaleLease:
                log.warning("lease_lost", job=job.name)
            count += 1
        return count

    async def _run(self, job: LeasedJob, stopping: asyncio.Event) -> None:
        work = self._jobs[job.name]
        rows = 0
        try:
            for _ in range(work.chunks_max):
                done = await self._db.in_transaction(self._do_chunk, job, work)
                rows += done
                if done < work.chunk_rows_max:
                    break
                if stopping.is_set():
                    await self._db.in_transaction(periodic.release, job)
                    return
        except StaleLease:
            raise
        except Exception as error:
            if is_unavailable(error):
                raise  # nothing is wrong with the job: its lease lapses, and it comes back
            log.exception("job_failed", job=job.name)
            await self._db.in_transaction(
                periodic.fail, job, describe(error), interval_seconds=work.interval_seconds
            )
            return
        await self._db.in_transaction(periodic.finish, job, interval_seconds=work.interval_seconds)
        if rows:
            log.info("job_done", job=job.name, rows=rows)

    async def _do_chunk(self, tx: Tx, job: LeasedJob, work: Periodic) -> int:
        await periodic.renew(tx, job, lease_seconds=self._lease_seconds)
        return await work.verb(tx, work.chunk_rows_max)
