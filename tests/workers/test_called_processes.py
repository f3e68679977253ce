"""Real ``loyalty worker`` processes on one Redis: stopped, killed, paused past their lease."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from loyalty.brands.models import Brand
from loyalty.db import Database
from tests.child import stop_child
from tests.forks import Forked, start_command
from tests.workers.facts import add_enrolments, list_events, list_notifications, states
from tests.workers.gateway_server import GatewayServer
from workers.relay import INTERRUPTED, SENDING_AT_ONCE_MAX

Start = Callable[..., Forked]

WAIT_SECONDS_MAX = 25
LEASE_SECONDS = 4  # shorter than the wait, which is shorter than what it is otherwise

pytestmark = pytest.mark.only_database(
    "postgresql", reason="processes that share a Redis share a server; elsewhere on both"
)


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[GatewayServer]:
    async with GatewayServer() as server:
        yield server


class Log:
    """What the workers wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def says(self, word: str) -> bool:
        return word in self.path.read_text()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "workers.log")


@pytest.fixture
def start(
    redis_url: str, command_env: dict[str, str], gateway: GatewayServer, log: Log
) -> Iterator[Start]:
    """Starts a worker; all are ended with the test."""
    started = []
    file = log.path.open("wb")

    def start_one(**settings: object) -> Forked:
        variables = {
            "redis_url": redis_url,
            "notification_url": gateway.url,
            "notification_secret": "whsec_" + "c2VjcmV0" * 4,
            "log_format": "json",
            **settings,
        }
        named = {f"LOYALTY_{name.upper()}": str(value) for name, value in variables.items()}
        process = start_command(["worker"], {**command_env, **named}, file)
        started.append(process)
        return process

    yield start_one
    for process in started:
        stop_child(process, signal.SIGKILL, seconds=5)
    file.close()


async def wait_until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_so():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.02)


async def wait_until_delivered(db: Database, count: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (await states(db))["delivered"] < count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def held_worker(
    db: Database, brand: Brand, start: Start, gateway: GatewayServer, count: int
) -> Forked:
    """A worker that has sent messages and waits for the gateway's answers."""
    gateway.answers.clear()
    await db.in_transaction(add_enrolments, brand, count)
    worker = start(lease_seconds=LEASE_SECONDS)
    await wait_until(lambda: len(gateway.received) >= count)
    return worker


async def test_a_killed_worker_delays_its_work_by_its_lease_and_no_more(
    db: Database, brand: Brand, start: Start, gateway: GatewayServer
) -> None:
    worker = await held_worker(db, brand, start, gateway, 3)
    worker.kill()
    gateway.answers.set()
    other = start(lease_seconds=LEASE_SECONDS)
    await wait_until_delivered(db, 3)
    assert len(await list_notifications(db)) == 3
    assert {event.attempts for event in await list_events(db)} == {2}
    other.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(other.wait, 20) == 0


async def test_a_worker_paused_past_its_lease_has_its_writes_refused(
    db: Database, brand: Brand, start: Start, gateway: GatewayServer, log: Log
) -> None:
    late = await held_worker(db, brand, start, gateway, 3)
    late.send_signal(signal.SIGSTOP)
    gateway.answers.set()
    start(lease_seconds=LEASE_SECONDS)
    await wait_until_delivered(db, 3)
    before = [event.model_dump() for event in await list_events(db)]
    assert not log.says("lease_lost")
    late.send_signal(signal.SIGCONT)
    await wait_until(lambda: log.says("lease_lost"))
    assert [event.model_dump() for event in await list_events(db)] == before
    assert len(await list_notifications(db)) == 3
    assert late.poll() is None  # and it works on


async def test_a_stopped_worker_hands_back_and_ends_in_order(
    db: Database, brand: Brand, start: Start, gateway: GatewayServer, log: Log
) -> None:
    gateway.answers.clear()
    count = SENDING_AT_ONCE_MAX + 8
    await db.in_transaction(add_enrolments, brand, count)
    worker = start()
    await wait_until(lambda: len(gateway.received) >= SENDING_AT_ONCE_MAX)
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, 20) == 0
    events = await list_events(db)
    assert all(event.lease_token is None for event in events)
    found = sorted((event.attempts, event.last_error) for event in events if not event.attempts)
    assert found == [(0, None)] * 8
    assert [e.last_error for e in events if e.attempts] == [INTERRUPTED] * SENDING_AT_ONCE_MAX
    assert not log.says("Traceback")
