"""What a race asks of the engine itself, not of a server: tasks, run many at once in a process of
its own, each in a transaction on a connection of its own.

Run as a script it is that process, with whatever engine ``PYTHONPATH`` names: for each line, an
order in JSON, it answers with a line.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlmodel import col, select

from loyalty import periodic
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.outbox import Leased, OutboxEvent
from loyalty.periodic import LeasedJob
from loyalty.webhooks import sending
from rewards.payouts.providers import NullPayoutProvider, Paymaster
from rewards.payouts.rules import Report, ReportState
from rewards.payouts.service import open_due_payouts, record_callback
from rewards.raffles.drawing import take_step
from rewards.redemptions.service import CAPTURED_TOPIC
from tests.databases import MASTER_KEY
from tests.races.arena import Arena
from workers.settlement import settlement

JOB_LEASE_SECONDS = 600

Task = Callable[..., Awaitable[str]]


async def settle_again(db: Database, token: str, *event_ids: str) -> str:
    """As a worker that leased these captures under that token some time ago."""
    ids = [UUID(id) for id in event_ids]
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(OutboxEvent).where(col(OutboxEvent.id).in_(ids)).order_by(col(OutboxEvent.id))
        )
        events = [
            Leased(e.brand_id, e.id, e.topic, e.subject_id, e.payload, 1, e.created_at)
            for e in found
        ]
    settle = settlement(PAYMASTER)[CAPTURED_TOPIC]
    await db.in_transaction(settle, UUID(token), events)
    return "settled"


class OtherProvider(NullPayoutProvider):
    """One that the servers do not know: they leave its payouts alone."""

    name = "other"


PAYMASTER = Paymaster(OtherProvider())


async def open_payout(db: Database, brand_id: str, place_id: str) -> str:
    place = (UUID(brand_id), UUID(place_id))
    await db.in_transaction(open_due_payouts, PAYMASTER, [place])
    return "looked"


async def report_paid(db: Database, number: str, amount_fen: str) -> str:
    report = Report(ReportState.PAID, number, int(amount_fen))
    await db.in_transaction(record_callback, PAYMASTER, report)
    return "recorded"


async def lease_job(db: Database, name: str) -> str:
    async def lease(tx: Tx) -> LeasedJob | None:
        return await periodic.lease(tx, [name], lease_seconds=JOB_LEASE_SECONDS)

    return "left to others" if await db.in_transaction(lease) is None else "leased"


async def renew_job(db: Database, name: str, token: str, due_at: str) -> str:
    job = LeasedJob(name, UUID(token), datetime.fromisoformat(due_at), 0)
    await db.in_transaction(periodic.renew, job, lease_seconds=JOB_LEASE_SECONDS)
    return "renewed"


async def take_raffle_step(db: Database) -> str:
    """As a worker that finds the job due, whoever else has it."""
    raffle = await db.in_transaction(take_step, Keyring(bytes.fromhex(MASTER_KEY)), 1_000, set())
    return "nothing" if raffle is None else raffle.status


async def lease_endpoint(db: Database) -> str:
    """As a sender in an hour from now."""

    async def lease(tx: Tx) -> list[sending.LeasedEndpoint]:
        tx.now += timedelta(hours=1)
        return await sending.lease(tx, 1, are_failing=False, lease_seconds=JOB_LEASE_SECONDS)

    return "leased" if await db.in_transaction(lease) else "left to others"


async def record_nothing(db: Database, brand_id: str, id: str, token: str) -> str:
    """As a sender that leased this endpoint under that token some time ago."""
    key = (UUID(brand_id), UUID(id), UUID(token))
    late = sending.LeasedEndpoint(*key, "https://hooks.example/", (), 0, utc_now())
    ours = await db.in_transaction(sending.record, [sending.Report(late)])
    return "recorded" if ours else "passed over"


TASKS: dict[str, Task] = {
    task.__name__: task
    for task in (
        *(settle_again, open_payout, report_paid, lease_job, renew_job),
        *(take_raffle_step, lease_endpoint, record_nothing),
    )
}


class EngineProcess:
    """A process that runs tasks with the engine of the arena's servers. It starts at once, and
    takes orders when it has read its program."""

    def __init__(self, arena: Arena, process: asyncio.subprocess.Process) -> None:
        self._url = arena.db.url
        self._process = process

    async def run(self, task: Task, count: int, *words: str) -> list[str]:
        """What came of so many runs at the same moment: what the task says, or the name of what
        it raised."""
        assert self._process.stdin is not None and self._process.stdout is not None
        order = json.dumps([self._url, task.__name__, count, words])
        self._process.stdin.write(order.encode() + b"\n")
        answer: list[str] = json.loads(await self._process.stdout.readline())
        return answer


@asynccontextmanager
async def engine_process(arena: Arena) -> AsyncIterator[EngineProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.engine_tasks"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=dict(arena.engine_environment),
        cwd=arena.folder,
    )
    try:
        yield EngineProcess(arena, process)
    finally:
        await process.communicate(b"")  # it ends with its standard input


async def _run_many(url: str, task: Task, count: int, words: list[str]) -> list[str]:
    db = Database(url)
    try:
        ran = await asyncio.gather(
            *(task(db, *words) for _ in range(count)), return_exceptions=True
        )
    finally:
        await db.close()
    return [one if isinstance(one, str) else type(one).__name__ for one in ran]


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for line in sys.stdin:
        url, name, count, words = json.loads(line)
        answer = asyncio.run(_run_many(url, TASKS[name], count, words))
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
