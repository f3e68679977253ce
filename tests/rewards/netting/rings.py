"""Five brands, of which neighbours have positions, and the finance people of each."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import Actor, system_actor
from loyalty.brands.service import get_brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.outbox import OutboxEvent
from rewards.clearing import queries as clearing_queries
from rewards.clearing import service as clearing
from rewards.clearing.models import ClearingEntry, EntryKind
from rewards.clearing.rules import Due
from rewards.netting import queries, service
from rewards.netting.models import NettingLeg, NettingRun
from tests.brands_made import make_brand
from tests.clocks import SettableClock

SIZE = 5


async def make_ring(tx: Tx) -> list[UUID]:
    ids = [(await make_brand(tx, f"ring-{new_id().hex}")).id for _ in range(SIZE)]
    for n in range(SIZE):
        await clearing.open_position(tx, ids[n - 1], ids[n])
    return ids


@dataclass
class Ring:
    db: Database
    clock: SettableClock
    ids: list[UUID]

    def actor(self, n: int) -> Actor:
        return system_actor(self.ids[n])

    async def owe(self, debtor: int, creditor: int, fen: int) -> None:
        if fen < 0:
            debtor, creditor, fen = creditor, debtor, -fen
        if fen == 0:
            return
        due = Due(
            debtor_id=self.ids[debtor],
            creditor_id=self.ids[creditor],
            kind=EntryKind.FEE,
            amount_fen=fen,
        )
        await self.db.in_transaction(clearing.post, self.actor(debtor), [due])

    async def open(self, one: int, other: int) -> None:
        await self.db.in_transaction(clearing.open_position, self.ids[one], self.ids[other])

    async def propose(self, by: int, *others: int) -> NettingRun:
        async with self.db.snapshot() as snapshot:
            partners = [(await get_brand(snapshot, self.ids[n])).slug for n in others]
        return await self.db.in_transaction(service.propose, self.actor(by), partners)

    async def approve(self, by: int, run_id: UUID, net_fen: int | None = None) -> NettingRun:
        if net_fen is None:
            net_fen = (await self.run(by, run_id)).net_fen
        return await self.db.in_transaction(service.approve, self.actor(by), run_id, net_fen)

    async def approve_all(self, run_id: UUID, *brands: int) -> NettingRun:
        for n in brands:
            run = await self.approve(n, run_id)
        return run

    async def decline(self, by: int, run_id: UUID, reason: str = "not ours") -> NettingRun:
        return await self.db.in_transaction(service.decline, self.actor(by), run_id, reason)

    async def withdraw(self, by: int, run_id: UUID) -> NettingRun:
        return await self.db.in_transaction(service.withdraw, self.actor(by), run_id)

    async def run(self, n: int, run_id: UUID) -> NettingRun:
        async with self.db.snapshot() as snapshot:
            return await queries.get_run(snapshot, self.ids[n], run_id)

    async def legs(self, n: int, run_id: UUID) -> list[NettingLeg]:
        async with self.db.snapshot() as snapshot:
            return await queries.list_legs(snapshot, self.ids[n], [run_id])

    async def owed(self) -> dict[tuple[int, int], int]:
        """What each owes each other, where it is something."""
        found = {}
        async with self.db.snapshot() as snapshot:
            for n, id in enumerate(self.ids):
                for row in await clearing_queries.list_positions(snapshot, id):
                    if row.owed_fen:
                        found[n, self.ids.index(row.partner_id)] = row.owed_fen
        return found

    async def nets(self) -> list[int]:
        owed = await self.owed()
        return [sum(fen for (n, _), fen in owed.items() if n == m) for m in range(SIZE)]

    async def entries(self, run_id: UUID) -> list[ClearingEntry]:
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(ClearingEntry).where(col(ClearingEntry.netting_run_id) == run_id)
            )
            return list(found)

    async def told(self, run_id: UUID) -> dict[str, dict[int, dict[str, Any]]]:
        """What of a run was told to whom."""
        told: dict[str, dict[int, dict[str, Any]]] = {}
        async with self.db.snapshot() as snapshot:
            for fact in await snapshot.session.exec(
                select(OutboxEvent).where(col(OutboxEvent.subject_id) == run_id)
            ):
                told.setdefault(fact.topic, {})[self.ids.index(fact.brand_id)] = fact.payload
        return told

    async def broken(self) -> dict[str, list[str]]:
        checks = [each for each in await audit(self.db) if each.invariant in (1, 3, 5, 12)]
        return {each.name: each.examples for each in checks if each.broken}
