"""The outbox race: a worker is paused past its lease, others take its events, then it goes on.

Run as a script it is the paused worker, with whatever engine ``PYTHONPATH`` names; the others are
those inside the servers.
"""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from analytics.models import ScanRollup
from loyalty import outbox
from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.outbox import Leased, OutboxEvent
from rewards.scans.service import settle_scans
from rewards.scans.world import ScanRequest
from tests.races.arena import Arena, Broken
from workers.handlers import count_scans

DELIVERY_SECONDS_MAX = 60


async def paused_worker_counts_nothing(arena: Arena, size: int) -> Broken:
    """A paused worker, run as a process of its own, counts scans that others have counted."""
    broken = Broken()
    stage = await arena.stage("fenced").build()
    (consumer,) = await stage.consumers(1)
    batch = stage.inner_batch
    ids = (stage.brand_id, consumer.identity_id, batch.key_epoch_id)
    words = [arena.db.url, *(each.hex for each in ids), str(batch.number), str(size)]
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


def _scans(who: Actor, epoch_id: UUID, batch_number: int, size: int) -> list[ScanRequest]:
    return [
        ScanRequest(
            scan_id=new_id(),
            actor=who,
            key_epoch_id=epoch_id,
            batch_number=batch_number,
            serial=serial,
            idempotency_key=f"k{serial}",
            body_hash="",
            device_hash=None,
            latitude=None,
            longitude=None,
            scene=None,
            address="",
        )
        for serial in range(size)
    ]


async def _scan_and_lease(tx: Tx, scans: list[ScanRequest]) -> tuple[UUID, list[Leased]]:
    """In one transaction, so that this worker has the events first; its lease is over at once."""
    await settle_scans(tx, scans, {})
    token, leased = await outbox.lease(tx, batch_size_max=10_000, lease_seconds=0)
    own = {scan.scan_id for scan in scans}
    return token, [event for event in leased if event.subject_id in own]


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


async def _be_paused(url: str, scans: list[ScanRequest]) -> str:
    db = Database(url)
    try:
        token, events = await db.in_transaction(_scan_and_lease, scans)
        await _wait_for_others(db, events)
        await db.in_transaction(count_scans, token, events)
    except outbox.StaleLease:
        return "fenced"
    finally:
        await db.close()
    return "counted"


if __name__ == "__main__":
    url, brand, identity, epoch, number, count = sys.argv[1:]
    who = Actor(ActorKind.MEMBER, UUID(brand), UUID(identity), MemberRole.CONSUMER.value)
    wanted = _scans(who, UUID(epoch), int(number), int(count))
    sys.stdout.write(f"{asyncio.run(_be_paused(url, wanted))}\n")
