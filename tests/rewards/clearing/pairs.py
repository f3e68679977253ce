"""Three brands that may owe each other, and what their rows say of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import system_actor
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.outbox import OutboxEvent
from rewards.clearing import queries, service
from rewards.clearing.rules import Due
from tests.brands_made import make_brand
from tests.clocks import SettableClock


async def make_alliance(tx: Tx) -> list[UUID]:
    ids = [(await make_brand(tx, f"ally-{new_id().hex}")).id for _ in range(3)]
    for one, other in ((0, 1), (1, 2), (2, 0)):
        await service.open_position(tx, ids[one], ids[other])
    return ids


@dataclass
class Alliance:
    db: Database
    clock: SettableClock
    a: UUID
    b: UUID
    c: UUID

    async def post(self, *dues: Due, **values: Any) -> list[UUID]:
        actor = system_actor(self.a)
        return await self.db.in_transaction(service.post, actor, dues, **values)

    async def owed(self, one: UUID, other: UUID) -> tuple[int, int]:
        """What one owes the other, and has reserved."""
        async with self.db.snapshot() as snapshot:
            position = await queries.find_position(snapshot, one, other)
        assert position is not None
        return position.owed_fen, position.reserved_fen

    async def facts(self, topic: str) -> list[OutboxEvent]:
        """What was told of this alliance."""
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(OutboxEvent).where(
                    col(OutboxEvent.topic) == topic,
                    col(OutboxEvent.brand_id).in_((self.a, self.b, self.c)),
                )
            )
            return list(found)

    async def broken(self) -> dict[str, list[str]]:
        """Of the books and of clearing; times are of each test's own clock."""
        checks = [each for each in await audit(self.db) if each.invariant in (1, 3, 5)]
        return {each.name: each.examples for each in checks if each.broken}
