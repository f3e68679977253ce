"""``loyalty worker``."""

import asyncio
import logging
import signal

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.settings import Settings
from server.console import Exit, fail, read_settings, require_schema, run
from server.logs import LibraryWarnings, configure_logs
from server.providers import Providers
from workers.periodic import PeriodicRunner
from workers.process import WorkerProcess
from workers.wiring import make_jobs, make_relay, make_webhooks

POOL_SIZE = 4
STATEMENT_SECONDS_MAX = 30.0
"""A database that does not answer must not hold a worker for ever."""


def worker() -> None:
    """Work off the outbox and the periodic work, called through Redis. Any number may run."""
    settings = read_settings()
    if settings.redis_url is None:
        raise fail(
            "LOYALTY_REDIS_URL is not set. Without Redis no worker is needed: "
            "`loyalty serve` does the work itself.",
            Exit.SETTINGS,
        )
    configure_logs(settings)
    logging.getLogger("arq").addHandler(LibraryWarnings())
    run(work_until_stopped(settings, settings.redis_url))


async def work_until_stopped(settings: Settings, redis_url: str) -> None:
    """Run one worker until SIGTERM or SIGINT, which it follows in order within 20 seconds."""
    await require_schema(settings)
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    database = Database(
        settings.database_url, pool_size=POOL_SIZE, statement_seconds_max=STATEMENT_SECONDS_MAX
    )
    providers = Providers(settings)
    keyring = Keyring(settings.secret_bytes("master_key"))
    webhooks = make_webhooks(database, keyring, settings)
    process = WorkerProcess(
        database,
        make_relay(
            database,
            providers.notifier,
            providers.paymaster,
            keyring=keyring,
            lease_seconds=settings.lease_seconds,
        ),
        PeriodicRunner(
            database,
            make_jobs(keyring),
            lease_seconds=settings.lease_seconds,
        ),
        redis_url,
        poll_seconds=settings.outbox_poll_seconds,
    )
    webhooks.start()
    try:
        await process.run(stopping)
    finally:
        await webhooks.stop()
        await providers.close()
        await database.close()
