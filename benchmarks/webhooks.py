"""Whether endpoints that hang delay the others: the time until all healthy ones of a thousand were
told everything, with a tenth of them taking requests and never answering, against the time when
that tenth answers as well.

The real sender over real sockets on this machine; the receiver runs in a thread of its own. It
starts on a full queue and with no memory of who hangs.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from benchmarks.postgres import Postgres
from benchmarks.processes import run_loyalty
from loyalty import outbox
from loyalty.actor import system_actor
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import Fact
from loyalty.webhooks.service import create_endpoint
from loyalty.webhooks.targets import Sender
from server.founding import BrandWanted, found_brand
from workers.webhook_facts import Describer
from workers.webhooks import WebhookSender
from workers.wiring import make_relay

ENDPOINTS = 1_000
HANGING = 100
BRANDS = 10
EVENTS = 3
REQUEST_SECONDS_MAX = 5
TOLD_SECONDS_MAX = 60
LOOK_SECONDS = 0.02
DATABASE = "webhooks"
TYPE = "payout.paid"
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class NotTold(Exception):
    """Not every healthy endpoint was told everything: the time would be of something else."""


def told_seconds(
    postgres: Postgres, environment: dict[str, str], keyring: Keyring, hang: bool
) -> float:
    """Seconds until the healthy endpoints were told all; ``hang``: the others never answer."""
    url = postgres.create_database(DATABASE)
    try:
        run_loyalty({**environment, "LOYALTY_DATABASE_URL": url}, "migrate")
        with _receiver() as address:
            return asyncio.run(_measure(url, keyring, address, hang))
    finally:
        postgres.drop_database(DATABASE)


async def _measure(url: str, keyring: Keyring, address: str, hang: bool) -> float:
    db = Database(url)
    try:
        for number in range(BRANDS):
            brand_id = await db.in_transaction(_found, f"bench-{number}", keyring, address, hang)
            await db.in_transaction(_happen, brand_id)
        await make_relay(db, NullProvider()).run_once()
        await asyncio.sleep(1)  # everything is due
        sender = WebhookSender(
            db,
            keyring,
            Sender(REQUEST_SECONDS_MAX, is_private_allowed=True),
            Describer(keyring),
        )
        started = time.perf_counter()
        sender.start()
        wanted = (ENDPOINTS - HANGING) * EVENTS
        try:
            async with asyncio.timeout(TOLD_SECONDS_MAX):
                while await _told(db) < wanted:  # noqa: ASYNC110 - the sender does not tell
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as late:
            raise NotTold(f"{await _told(db)} of {wanted} after {TOLD_SECONDS_MAX} s") from late
        seconds = time.perf_counter() - started
        await sender.stop()
        return seconds
    finally:
        await db.close()


async def _found(tx: Tx, slug: str, keyring: Keyring, address: str, hang: bool) -> UUID:
    brand = await found_brand(tx, BrandWanted(slug=slug, name="Bench"))
    for number in range(ENDPOINTS // BRANDS):
        tenth = number % (ENDPOINTS // HANGING) == 0
        path = "hangs" if tenth and hang else "tenth" if tenth else "in"
        await create_endpoint(
            tx,
            system_actor(brand.id),
            keyring,
            url=f"{address}/{path}",
            event_types=[TYPE],
            description=path,
            is_private_allowed=True,
        )
    return brand.id


async def _happen(tx: Tx, brand_id: UUID) -> None:
    facts = []
    for _ in range(EVENTS):
        told = {"place_id": new_id().hex, "amount_fen": 500}
        facts.append(Fact(brand_id, TYPE, new_id(), told, tx.now))
    await outbox.emit(tx, facts)


async def _told(db: Database) -> int:
    """Deliveries to the healthy ones that were taken."""
    async with db.snapshot() as snapshot:
        found = await snapshot.session.connection()
        counted = await found.exec_driver_sql(
            "SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints e"
            " ON e.brand_id = d.brand_id AND e.id = d.endpoint_id"
            " WHERE d.status = 'DELIVERED' AND e.description = 'in'"
        )
        return int(counted.scalar_one())


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST /hangs"):
            await reader.read()  # until the sender hangs up
            await reader.read()
        else:
            writer.write(_OK)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass  # the sender has gone
    finally:
        writer.close()


@contextmanager
def _receiver() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_answer, "127.0.0.1", 0, backlog=1024))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
