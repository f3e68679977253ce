"""The outbox race: a worker is paused past its lease, others take its events, then it goes on.

Run as a script it is the paused worker, with whatever engine ``PYTHONPATH`` names; the others are
those inside the servers.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlmodel import col, select

from analytics.models import ScanRollup
from loyalty import outbox
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.outbox import Fact, Leased, OutboxEvent
from loyalty.products.models import Product
from tests.races.arena import Arena, Broken
from workers.handlers import count_scans

DELIVERY_SECONDS_MAX = 60


async def paused_worker_counts_nothing(arena: Arena, size: int) -> Broken:
    """A paused worker, run as a process of its own, counts scans that others have counted."""
    broken = Broken()
    stage = await arena.stage("fenced").build()
    (product,) = await stage.rows(Product)
    words = [arena.db.url, stage.brand_id.hex, product.id.hex, str(size)]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.races.fenced", *words],
        env=dict(arena.engine_environment),
        cwd=arena.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    broken.unless(done.stdout.startswith("fenced"), "the paused worker's writes are refused")
    counted = sum(rollup.scans for rollup in await stage.rows(ScanRollup))
    broken.unless(counted == size, f"{size} scans are counted once, not {counted}")
    return broken


async def _emit_and_lease(
    tx: Tx, brand_id: UUID, product_id: UUID, size: int
) -> tuple[UUID, list[Leased]]:
    """In one transaction, so that this worker has the events first; its lease is over at once."""
    payload = {"product_id": product_id.hex, "first": True, "paid": True}
    facts = [
        Fact(brand_id, "scan.recorded", new_id(), payload, created_at=tx.now) for _ in range(size)
    ]
    await outbox.emit(tx, facts)
    token, leased = await outbox.lease(tx, batch_size_max=10_000, lease_seconds=0)
    own = {fact.id for fact in facts}
    return token, [event for event in leased if event.id in own]


async def _wait_for_others(db: Database, events: Sequence[Leased]) -> None:
    waiting = select(OutboxEvent.id).where(
        col(OutboxEvent.id).in_([event.id for event in events]),
        col(OutboxEvent.delivered_at).is_(None),
    )
    async with asyncio.timeout(DELIVERY_SECONDS_MAX):
        while True:
            async with db.snapshot() as snapshot:
                if not (await snapshot.session.exec(waiting)).first():
                    return
            await asyncio.sleep(0.05)


async def _be_paused(url: str, brand_id: UUID, product_id: UUID, size: int) -> str:
    db = Database(url)
    try:
        token, events = await db.in_transaction(_emit_and_lease, brand_id, product_id, size)
        await _wait_for_others(db, events)
        await db.in_transaction(count_scans, token, events)
    except outbox.StaleLease:
        return "fenced"
    finally:
        await db.close()
    return "counted"


if __name__ == "__main__":
    url, brand, product, count = sys.argv[1:]
    said = asyncio.run(_be_paused(url, UUID(brand), UUID(product), int(count)))
    sys.stdout.write(f"{said} {Path(os.fspath(outbox.__file__)).parent}\n")
