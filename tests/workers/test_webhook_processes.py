"""Processes that send webhooks: killed in the middle of a request, nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.webhooks import service
from tests.child import start_child, stop_child
from tests.clocks import SettableClock
from tests.house.source import ROOT
from tests.workers.hooks import Hooks
from tests.workers.receiver import OK, Got, receiving

LEASE_SECONDS = 60
WAIT_SECONDS_MAX = 30


@pytest.fixture
def sending(database_url: str, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (tmp_path / "send.log").open("wb") as log:
        program = [sys.executable, "-m", "tests.workers.sending_process"]
        process = start_child(
            [*program, database_url, str(LEASE_SECONDS)],
            log=log,
            environment=os.environ,
            cwd=ROOT,
        )
        yield process
        stop_child(process, signal.SIGKILL, seconds=5)


async def test_a_worker_killed_in_the_middle_of_a_request_loses_nothing(
    sending: "subprocess.Popen[bytes]", db: Database, brand: Brand, keyring: Keyring
) -> None:
    hangs = True

    def answer(got: Got) -> bytes | None:
        return None if hangs else OK

    async with receiving(answer) as receiver:
        hooks = Hooks(db, brand, keyring, SettableClock(utc_now()))
        new = await hooks.endpoint(receiver.url)
        for _ in range(2):
            await db.in_transaction(service.send_test, system_actor(brand.id), new.endpoint.id)
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not receiver.got:  # noqa: ASYNC110 - another process sends
                await asyncio.sleep(0.02)
        sending.kill()
        sending.wait()
        assert await hooks.statuses() == ["PENDING", "PENDING"]
        assert await hooks.send() == 0  # leased by the dead
        hangs = False
        later = Database(db.url, clock=lambda: utc_now() + timedelta(seconds=LEASE_SECONDS + 1))
        heir = Hooks(later, brand, keyring, SettableClock(utc_now()))
        assert await heir.send() == 1
        await later.close()
    assert await hooks.statuses() == ["DELIVERED", "DELIVERED"]
    first, *rest = [got.id for got in receiver.got]
    assert first == rest[0] != rest[1]  # at least once, in order
