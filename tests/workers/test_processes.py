"""Real worker processes: side by side, killed in the middle, paused past their lease."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loyalty.brands.models import Brand
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import LEASE_SECONDS
from tests.child import start_child, stop_child
from tests.house.source import ROOT
from tests.workers.facts import (
    add_enrolments,
    add_product,
    add_scans,
    count_rollups,
    list_events,
    list_notifications,
    states,
    wait_for_counts,
)
from workers.wiring import make_relay

Drain = Callable[..., "subprocess.Popen[bytes]"]

SCANS = 1200
COUNTED = (SCANS, SCANS // 2, SCANS // 3)
WAIT_SECONDS_MAX = 30


@pytest.fixture
def drain(database_url: str, tmp_path: Path) -> Iterator[Drain]:
    """Starts a draining process; all are ended with the test."""
    started = []
    log = (tmp_path / "drain.log").open("wb")

    def start(batch_size: int, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-m", "tests.workers.draining_process"]
        process = start_child(
            [*program, database_url, str(batch_size), *arguments],
            log=log,
            environment=os.environ,
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        stop_child(process, signal.SIGKILL, seconds=5)
    log.close()


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_so():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.02)


async def take_over(url: str, seconds: int = LEASE_SECONDS + 5) -> None:
    """Drain what is left, as from ``seconds`` on, when every lease of the dead has lapsed."""
    db = Database(url, clock=lambda: utc_now() + timedelta(seconds=seconds))
    relay = make_relay(db, NullProvider())
    while await relay.run_once():
        pass
    await db.close()


async def scans_waiting(db: Database, brand: Brand) -> None:
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, SCANS)


async def test_workers_side_by_side_never_count_twice(
    db: Database, brand: Brand, drain: Drain, tmp_path: Path
) -> None:
    log = tmp_path / "drain.log"
    workers = [drain(20) for _ in range(2)]
    await wait_until(lambda: log.read_text().count("ready") == 2)
    await scans_waiting(db, brand)
    await wait_until(lambda: all(worker.poll() is not None for worker in workers))
    assert [worker.returncode for worker in workers] == [0, 0]
    shares = [int(share) for share in re.findall(r"drained (\d+)", log.read_text())]
    assert sum(shares) == SCANS
    assert min(shares) > 0
    assert await count_rollups(db) == COUNTED
    assert await states(db) == {"delivered": SCANS}
    assert {event.attempts for event in await list_events(db)} == {1}


async def test_a_killed_worker_loses_and_doubles_nothing(
    db: Database, database_url: str, brand: Brand, drain: Drain
) -> None:
    await scans_waiting(db, brand)
    for counted in (100, 500):
        worker = drain(7)
        await wait_for_counts(db, counted)
        worker.kill()
        worker.wait()
        counts, found = await count_rollups(db), await states(db)
        assert counts[0] == found["delivered"] < SCANS  # killed in the middle, and never half
    await take_over(database_url)
    assert await count_rollups(db) == COUNTED
    assert await states(db) == {"delivered": SCANS}


async def test_a_worker_killed_while_sending_has_its_messages_recorded_once(
    db: Database, database_url: str, brand: Brand, drain: Drain, tmp_path: Path
) -> None:
    await db.in_transaction(add_enrolments, brand, 20)
    sent = tmp_path / "sent"
    worker = drain(100, sent)
    await wait_until(lambda: sent.exists() and len(sent.read_text().split()) >= 20)
    worker.kill()
    worker.wait()
    assert await list_notifications(db) == []
    assert await states(db) == {"waiting": 20}
    await take_over(database_url)
    rows = await list_notifications(db)
    assert {str(row.id) for row in rows} == set(sent.read_text().split())
    assert len(rows) == 20
    assert await states(db) == {"delivered": 20}


async def test_a_worker_stopped_past_its_lease_records_nothing(
    db: Database, database_url: str, brand: Brand, drain: Drain, tmp_path: Path
) -> None:
    await db.in_transaction(add_enrolments, brand, 20)
    sent = tmp_path / "sent"
    worker = drain(100, sent)
    await wait_until(lambda: sent.exists() and len(sent.read_text().split()) >= 20)
    worker.send_signal(signal.SIGSTOP)
    await take_over(database_url)
    sent.with_suffix(".release").touch()
    worker.send_signal(signal.SIGCONT)
    await wait_until(lambda: worker.poll() is not None)
    assert worker.returncode == 0
    assert "lease_lost" in (tmp_path / "drain.log").read_text()
    assert {row.provider for row in await list_notifications(db)} == {"null"}
    assert len(await list_notifications(db)) == 20
    assert await states(db) == {"delivered": 20}
