"""PostgreSQL pulled away from under the servers: backends terminated, the server ended at once and
started again. The engine recovers by itself; a retry under the same key settles what is unknown."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.db import Database
from migrations.runner import upgrade
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.kills.clients import Client, check_books, lost_by
from tests.postgresql_server import PostgresqlMissing, PostgresqlServer, run_apart
from tests.races.arena import SERVERS, audit_findings, start_side_by_side
from tests.races.stage import Stage
from tests.servers import ServerFactory, environment_for

SEED = 20261122
CLIENTS = 16
TERMINATIONS = 6
RESTARTS = 2
RECOVERY_SECONDS_MAX = 20
DATABASE = "pulled_away"
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    f" WHERE datname = '{DATABASE}' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """A server that a test may restart."""
    server = PostgresqlServer()
    try:
        server.start()
    except PostgresqlMissing as why:
        pytest.skip(f"missing PostgreSQL: {why}")
    yield server
    server.stop()


async def _all_are_served(clients: list[Client]) -> None:
    """Until every client has had an answer to what it asks now."""
    before = [len(client.receipts) for client in clients]
    async with asyncio.timeout(RECOVERY_SECONDS_MAX):
        while any(  # noqa: ASYNC110 - other tasks and processes
            len(client.receipts) < count + 2 for client, count in zip(clients, before, strict=True)
        ):
            await asyncio.sleep(0.02)


async def test_servers_outlive_their_database(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    url = own_postgresql.create_database(DATABASE)
    run_apart(upgrade(url))
    secrets = {"LOYALTY_TOKEN_SECRET": TOKEN_SECRET, "LOYALTY_MASTER_KEY": MASTER_KEY}
    environment = environment_for(url, secrets)
    factory = ServerFactory(tmp_path, environment)
    db = Database(url)
    chance = random.Random(SEED)
    try:
        ports = [server.port for server in start_side_by_side(factory, 2, SERVERS)]
        stage = await Stage(db, "pulled").build()
        callers = await stage.consumers(CLIENTS, await stage.guides(4))
        await stage.warm(ports)
        clients = [
            Client(stage, caller, lambda port=ports[n % 2]: port, SEED + n)  # type: ignore[misc]
            for n, caller in enumerate(callers)
        ]
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(client.run(stop))
            for _ in range(TERMINATIONS):
                await asyncio.sleep(chance.uniform(0.1, 0.4))
                await asyncio.to_thread(own_postgresql.execute, TERMINATE)
                await _all_are_served(clients)
            for _ in range(RESTARTS):
                await asyncio.sleep(chance.uniform(0.1, 0.4))
                await asyncio.to_thread(own_postgresql.restart_at_once)
                await _all_are_served(clients)
            stop.set()
        assert lost_by(clients).total() > 0
        await db.close()
        stage.db = Database(url)
        await check_books(stage, clients, ports[0])
        await stage.db.close()
        assert audit_findings(environment, stage.slug) == []
    finally:
        await db.close()
        factory.stop_all()
