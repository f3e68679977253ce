"""A brand with products and members, and facts about them in the outbox, for the workers' tests."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from analytics.models import ScanRollup
from loyalty import outbox
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.members.models import Identity, Member
from loyalty.notifications.models import Notification
from loyalty.notifications.providers import Message
from loyalty.outbox import Fact, OutboxEvent
from loyalty.products.models import Product

WAIT_SECONDS_MAX = 30


async def add_product(tx: Tx, brand: Brand) -> UUID:
    product = Product(
        brand_id=brand.id, sku=new_id().hex, name_zh="茶", name_en="Tea", created_at=tx.now
    )
    await tx.add(product)
    return product.id


async def add_member(
    tx: Tx, brand: Brand, role: str = "CONSUMER", member_id: UUID | None = None
) -> UUID:
    identity = Identity(brand_id=brand.id, external_ref=new_id().hex, created_at=tx.now)
    member = Member(
        brand_id=brand.id,
        id=member_id or new_id(),
        identity_id=identity.id,
        role=role,
        enrolled_at=tx.now,
    )
    await tx.add(identity, member)
    return member.id


async def add_event(
    tx: Tx, brand: Brand, topic: str, subject_id: UUID | None = None, /, **payload: Any
) -> UUID:
    event = Fact(
        brand_id=brand.id,
        topic=topic,
        subject_id=subject_id or new_id(),
        payload=payload,
        created_at=tx.now,
        due_at=tx.now,
    )
    await outbox.emit(tx, [event])
    return event.id


async def add_scans(
    tx: Tx, brand: Brand, product_id: UUID, count: int, at: datetime | None = None
) -> None:
    """``count`` scans, of which each second is a first one and each third is paid."""
    events = [
        Fact(
            brand_id=brand.id,
            topic="scan.recorded",
            subject_id=new_id(),
            payload={"product_id": product_id.hex, "first": n % 2 == 0, "paid": n % 3 == 0},
            created_at=at or tx.now,
            due_at=tx.now,
        )
        for n in range(count)
    ]
    await outbox.emit(tx, events)


async def add_enrolments(tx: Tx, brand: Brand, count: int) -> list[UUID]:
    """New consumers, each with its fact; their ids."""
    member_ids = [await add_member(tx, brand) for _ in range(count)]
    for member_id in member_ids:
        await add_event(tx, brand, "member.enrolled", member_id, role="CONSUMER")
    return member_ids


async def list_events(db: Database) -> list[OutboxEvent]:
    async with db.snapshot() as snapshot:
        return list(await snapshot.session.exec(select(OutboxEvent).order_by(col(OutboxEvent.id))))


async def list_notifications(db: Database) -> list[Notification]:
    async with db.snapshot() as snapshot:
        return list(await snapshot.session.exec(select(Notification)))


async def count_rollups(db: Database) -> tuple[int, int, int]:
    """Scans, first scans and paid scans over all rollups."""
    async with db.snapshot() as snapshot:
        rows = list(await snapshot.session.exec(select(ScanRollup)))
    return (
        sum(row.scans for row in rows),
        sum(row.first_scans for row in rows),
        sum(row.paid_scans for row in rows),
    )


async def wait_for_counts(db: Database, scans: int) -> None:
    """Until the rollups hold so many scans, counted by a worker elsewhere."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while (await count_rollups(db))[0] < scans:  # noqa: ASYNC110 - not of this process
            await asyncio.sleep(0.01)


async def states(db: Database) -> Counter[str]:
    """How many events are delivered, dead or waiting."""
    found: Counter[str] = Counter()
    for event in await list_events(db):
        found["delivered" if event.delivered_at else "dead" if event.dead_at else "waiting"] += 1
    return found


@dataclass
class Gateway:
    """A provider with a bad day: refuses each message ``failures`` times, then takes it."""

    failures: int = 0
    name: str = "gateway"
    taken: list[Message] = field(default_factory=list)
    tried: Counter[UUID] = field(default_factory=Counter)

    async def send(self, message: Message) -> None:
        self.tried[message.id] += 1
        if self.tried[message.id] <= self.failures:
            raise ConnectionError(
                f"gateway busy, cannot reach 13800138000 \0 \ud800 {message.kind}"
            )
        self.taken.append(message)
