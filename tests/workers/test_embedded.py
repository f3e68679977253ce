"""The worker inside the server: prompt, gentle, and not to be brought down."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog

from loyalty.brands.models import Brand
from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from tests.workers.facts import (
    Gateway,
    add_enrolments,
    add_product,
    add_scans,
    count_rollups,
    list_notifications,
    states,
    wait_for_counts,
)
from workers.embedded import REST_SECONDS, EmbeddedWorker
from workers.handlers import SETTLED_HERE
from workers.relay import Relay
from workers.wiring import make_relay

NEVER_SECONDS = 3600.0


class CountingRelay(Relay):
    """Counts its rounds; the first ``crashes`` of them raise."""

    def __init__(self, db: Database, crashes: int = 0) -> None:
        super().__init__(db, SETTLED_HERE, {})
        self.rounds = 0
        self.crashes = crashes

    async def run_once(self, batch_size_max: int = 500) -> int:
        self.rounds += 1
        if self.rounds <= self.crashes:
            raise ConnectionError("no database")
        return await super().run_once(batch_size_max)


class SlowGateway(Gateway):
    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def send(self, message: object) -> None:
        self.reached.set()
        await asyncio.sleep(0.3)
        await super().send(message)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def started() -> AsyncIterator[list[EmbeddedWorker]]:
    """Workers to be stopped with the test."""
    workers: list[EmbeddedWorker] = []
    yield workers
    for worker in workers:
        await worker.stop()


async def test_it_drains_all_that_waits(
    db: Database, brand: Brand, started: list[EmbeddedWorker]
) -> None:
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, 300)
    worker = EmbeddedWorker(make_relay(db, NullProvider()), NEVER_SECONDS, batch_size_max=100)
    started.append(worker)
    worker.start()
    await wait_for_counts(db, 300)
    assert await count_rollups(db) == (300, 150, 100)


@pytest.mark.parametrize("by", ["wake", "poll"])
async def test_it_comes_back_when_woken_or_when_it_is_time(
    db: Database, brand: Brand, started: list[EmbeddedWorker], by: str
) -> None:
    wake = asyncio.Event()
    relay = CountingRelay(db)
    worker = EmbeddedWorker(relay, NEVER_SECONDS if by == "wake" else 0.1, wake)
    started.append(worker)
    worker.start()
    await asyncio.sleep(3 * REST_SECONDS)
    assert relay.rounds >= 1
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, 30)
    if by == "wake":
        wake.set()
    await wait_for_counts(db, 30)


async def test_it_sleeps_while_nothing_happens(db: Database, started: list[EmbeddedWorker]) -> None:
    relay = CountingRelay(db)
    worker = EmbeddedWorker(relay, NEVER_SECONDS)
    started.append(worker)
    worker.start()
    await asyncio.sleep(5 * REST_SECONDS)
    assert relay.rounds == 1


async def test_it_rests_however_often_it_is_woken(
    db: Database, started: list[EmbeddedWorker]
) -> None:
    wake = asyncio.Event()
    relay = CountingRelay(db)
    worker = EmbeddedWorker(relay, NEVER_SECONDS, wake)
    started.append(worker)
    began_at = time.monotonic()
    worker.start()
    while time.monotonic() < began_at + 10 * REST_SECONDS:
        wake.set()
        await asyncio.sleep(0.001)
    assert 2 <= relay.rounds <= (time.monotonic() - began_at) / REST_SECONDS + 1


async def test_it_goes_on_after_a_crash_and_logs_it_with_an_id(
    db: Database, brand: Brand, started: list[EmbeddedWorker]
) -> None:
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, 30)
    with structlog.testing.capture_logs() as logs:
        worker = EmbeddedWorker(CountingRelay(db, crashes=1), 0.1)
        started.append(worker)
        worker.start()
        await wait_for_counts(db, 30)
    crashes = [entry for entry in logs if entry["event"] == "round_failed"]
    assert len(crashes) == 1
    assert crashes[0]["error_id"]
    assert crashes[0]["log_level"] == "error"
    assert json.dumps(crashes[0]["retry_seconds"]) == "1.0"


async def test_stopping_finishes_the_running_round(db: Database, brand: Brand) -> None:
    await db.in_transaction(add_enrolments, brand, 3)
    gateway = SlowGateway()
    worker = EmbeddedWorker(make_relay(db, gateway), NEVER_SECONDS)
    worker.start()
    await gateway.reached.wait()
    await worker.stop()
    assert await states(db) == {"delivered": 3}
    assert len(await list_notifications(db)) == 3


async def test_stopping_wakes_a_sleeping_or_failing_worker(db: Database) -> None:
    for relay in (CountingRelay(db), CountingRelay(db, crashes=1000)):
        worker = EmbeddedWorker(relay, NEVER_SECONDS)
        worker.start()
        await asyncio.sleep(3 * REST_SECONDS)
        async with asyncio.timeout(1):
            await worker.stop()
        assert relay.rounds == 1


async def test_stopping_what_never_started_is_fine(db: Database) -> None:
    await EmbeddedWorker(CountingRelay(db), NEVER_SECONDS).stop()
