"""Periodic work and its due times: in the database, so that workers come and go, and of any
number of them one runs a job that is due.

Nobody's rows: a job looks after every brand. Due times go by the transaction's clock (the
database's on PostgreSQL) and keep their rhythm; runs that were missed are made up for by one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from loyalty.db import Statement, Tx, insert_statement
from loyalty.ids import new_id
from loyalty.outbox import StaleLease, storable

BACKOFF_SECONDS_MIN = 60
"""A job of a shorter interval that keeps failing comes back this often, in the end."""


class PeriodicJob(SQLModel, table=True):
    """When a job is due next, and who runs it now: ``lease_token`` until ``leased_until``.
    ``failures`` in a row, and what the last one said."""

    __tablename__ = "periodic_jobs"

    name: str = Field(primary_key=True)
    due_at: datetime
    lease_token: UUID | None = None
    leased_until: datetime | None = None
    ran_at: datetime | None = None
    failures: int = Field(default=0, sa_type=BigInteger)
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job as the worker sees it that runs it now; ``due_at`` is when it should have run."""

    name: str
    token: UUID
    due_at: datetime
    failures: int


_ENSURE = insert_statement(
    PeriodicJob, "name text, due_at timestamptz, failures bigint", "ON CONFLICT (name) DO NOTHING"
)

_LEASE = Statement(
    """
    WITH due AS MATERIALIZED (
        SELECT p.name FROM periodic_jobs p
        WHERE p.name IN (SELECT name FROM {known}) AND p.due_at <= :now
            AND (p.leased_until IS NULL OR p.leased_until <= :now)
        ORDER BY p.due_at LIMIT 1 {skip:p}
    )
    UPDATE periodic_jobs SET lease_token = :token, leased_until = :until
    WHERE name IN (SELECT name FROM due)
    RETURNING name, due_at, failures
    """,
    sets={"known": "name text"},
    params="token uuid, until timestamptz, now timestamptz",
    returns="name text, due_at timestamptz, failures bigint",
)

_RENEW = Statement(
    """
    UPDATE periodic_jobs SET leased_until = :until WHERE name = :name AND lease_token = :token
    RETURNING name
    """,
    params="until timestamptz, name text, token uuid",
    returns="name text",
)

_END = Statement(
    """
    UPDATE periodic_jobs SET lease_token = NULL, leased_until = NULL, due_at = :due_at,
        ran_at = COALESCE(:ran_at, ran_at), failures = :failures, last_error = :error
    WHERE name = :name AND lease_token = :token
    RETURNING name
    """,
    params="due_at timestamptz, ran_at timestamptz, failures bigint, error text, name text,"
    " token uuid",
    returns="name text",
)

_RELEASE = Statement(
    """
    UPDATE periodic_jobs SET lease_token = NULL, leased_until = NULL
    WHERE name = :name AND lease_token = :token
    RETURNING name
    """,
    params="name text, token uuid",
    returns="name text",
)


async def ensure(tx: Tx, names: Collection[str]) -> None:
    """Register jobs that are not yet, due now; the others keep their due times."""
    await tx.fetch(_ENSURE, rows=[(name, tx.now, 0) for name in sorted(names)])


async def lease(tx: Tx, names: Collection[str], *, lease_seconds: float) -> LeasedJob | None:
    """Of these jobs take the one that is overdue the longest; None if none is due and free."""
    token = new_id()
    rows = await tx.fetch(
        _LEASE,
        known=[(name,) for name in sorted(names)],
        token=token,
        until=tx.now + timedelta(seconds=lease_seconds),
        now=tx.now,
    )
    return LeasedJob(rows[0][0], token, rows[0][1], rows[0][2]) if rows else None


async def renew(tx: Tx, job: LeasedJob, *, lease_seconds: float) -> None:
    """Go on with a job, in the transaction that does a part of it; StaleLease if it was lost."""
    until = tx.now + timedelta(seconds=lease_seconds)
    if not await tx.fetch(_RENEW, until=until, name=job.name, token=job.token):
        raise StaleLease


async def finish(tx: Tx, job: LeasedJob, *, interval_seconds: int) -> None:
    """Done: due again at the next beat of its rhythm. StaleLease if it was lost."""
    interval = timedelta(seconds=interval_seconds)
    beats = floor((tx.now - job.due_at) / interval) + 1
    await _end(tx, job, job.due_at + beats * interval, ran_at=tx.now, failures=0, error=None)


async def fail(tx: Tx, job: LeasedJob, error: str, *, interval_seconds: int) -> None:
    """Not done: due again after 2, 4, 8 ... seconds, up to its interval or a minute. StaleLease if
    it was lost."""
    longest = max(interval_seconds, BACKOFF_SECONDS_MIN)
    wait_seconds = min(longest, 2 ** min(job.failures + 1, 20))
    due_at = tx.now + timedelta(seconds=wait_seconds)
    await _end(tx, job, due_at, ran_at=None, failures=job.failures + 1, error=storable(error))


async def release(tx: Tx, job: LeasedJob) -> None:
    """Give a job back as it was, still due; nothing if it was lost."""
    await tx.fetch(_RELEASE, name=job.name, token=job.token)


async def _end(
    tx: Tx,
    job: LeasedJob,
    due_at: datetime,
    *,
    ran_at: datetime | None,
    failures: int,
    error: str | None,
) -> None:
    ended = await tx.fetch(
        _END,
        due_at=due_at,
        ran_at=ran_at,
        failures=failures,
        error=error,
        name=job.name,
        token=job.token,
    )
    if not ended:
        raise StaleLease
