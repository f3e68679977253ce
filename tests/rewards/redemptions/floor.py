"""What clerks do, each act in a transaction of its own, and what the rows say of it."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlmodel import SQLModel, select, update

from loyalty.actor import SYSTEM_ID, Actor
from loyalty.db import Database, Tx
from loyalty.errors import Refusal
from loyalty.ids import new_id
from loyalty.ledger.models import Account, AccountKind
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import (
    issuance_accounts,
    lock_place_accounts,
    write_brands_side,
    write_members_side,
)
from loyalty.outbox import OutboxEvent
from rewards.coupons.models import Coupon
from rewards.redemptions import service
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.clocks import SettableClock
from tests.rewards.redemptions.shops import Counter, Shops, add_simple_coupon

Row = TypeVar("Row", bound=SQLModel)


@dataclass
class Floor:
    db: Database
    clock: SettableClock
    shops: Shops

    @property
    def brand_id(self) -> UUID:
        return self.shops.brand.id

    async def coupon(self, **template: Any) -> Coupon:
        return await self.db.in_transaction(add_simple_coupon, self.brand_id, **template)

    # --- acts -----------------------------------------------------------------------------------

    async def hold(self, coupon: Coupon, at: Counter | None = None, **basket: Any) -> Redemption:
        at = at or self.shops.east
        return await self.db.in_transaction(
            service.hold_coupon, at.actor, code=coupon.code, **basket
        )

    async def capture(self, id: UUID, at: Counter | None = None) -> Redemption:
        return await self.db.in_transaction(service.capture, (at or self.shops.east).actor, id)

    async def void(self, id: UUID, at: Counter | None = None) -> Redemption:
        return await self.db.in_transaction(service.void, (at or self.shops.east).actor, id)

    async def reverse(self, id: UUID, actor: Actor | None = None) -> Redemption:
        actor = actor or self.shops.east.actor
        return await self.db.in_transaction(service.reverse, actor, id, "wrong bottle")

    async def lapse(self, limit: int = 100) -> int:
        return await self.db.in_transaction(service.lapse_holds, limit)

    async def captured(self, **template: Any) -> Redemption:
        held = await self.hold(await self.coupon(**template))
        return await self.capture(held.id)

    async def settle(self, id: UUID) -> None:
        """As the settlement worker does: post the rebate, if it is still to be posted."""
        await self.db.in_transaction(_settle, self.brand_id, id)

    async def change(self, row: SQLModel, **fields: Any) -> None:
        """Somebody changes a row."""
        await self.db.in_transaction(_change, row, fields)

    # --- rows -----------------------------------------------------------------------------------

    async def all(self, model: type[Row]) -> list[Row]:
        """The brand's rows, oldest first."""
        table: Any = model
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(table).where(table.brand_id == self.brand_id).order_by(table.id)
            )
            return list(found)

    async def statuses(self, coupon: Coupon) -> tuple[str, list[str]]:
        """Of the coupon, and of its redemptions as stored, oldest first."""
        coupons = {row.id: row.status for row in await self.all(Coupon)}
        redemptions = await self.all(Redemption)
        return coupons[coupon.id], [r.status for r in redemptions if r.coupon_id == coupon.id]

    async def steps(self, id: UUID) -> list[str]:
        events = await self.all(RedemptionEvent)
        return [event.step for event in events if event.redemption_id == id]

    async def rebates(self, at: Counter | None = None) -> tuple[int, int]:
        """(balance, pending) of a place's account."""
        place_id = (at or self.shops.east).place.id
        (account,) = [row for row in await self.all(Account) if row.owner_id == place_id]
        return account.credits_posted - account.debits_posted, account.credits_pending

    async def issued(self) -> tuple[int, int]:
        """(balance, pending) of the brand's issuance of cash."""
        (account,) = [
            row
            for row in await self.all(Account)
            if row.asset == "CASH" and row.kind == AccountKind.ISSUANCE.value
        ]
        return account.credits_posted - account.debits_posted, account.debits_pending

    async def facts(self) -> list[tuple[str, UUID, dict[str, Any]]]:
        topics = (service.CAPTURED_TOPIC, service.REDEEMED_TOPIC)
        return [
            (event.topic, event.subject_id, event.payload)
            for event in await self.all(OutboxEvent)
            if event.topic in topics
        ]

    async def everything(self) -> list[str]:
        """All that the till writes, to compare."""
        models: list[type[SQLModel]] = [Coupon, Redemption, RedemptionEvent, Account, OutboxEvent]
        return [repr(row) for model in models for row in await self.all(model)]


async def refusal(act: Awaitable[Any]) -> Refusal:
    """What an act is refused with."""
    with pytest.raises(Refusal) as raised:
        await act
    return raised.value


async def _change(tx: Tx, row: SQLModel, fields: dict[str, Any]) -> None:
    table: Any = type(row)
    key: Any = row
    await tx.session.exec(
        update(table).where(table.brand_id == key.brand_id, table.id == key.id).values(**fields)
    )


async def _settle(tx: Tx, brand_id: UUID, id: UUID) -> None:
    (row,) = await service.lock_redemptions(tx, [(brand_id, id)])
    if row.status != "CAPTURED" or row.settled_at is not None or row.rebate_transfer_id is None:
        return
    places = await lock_place_accounts(tx, [(brand_id, row.place_id)])
    issuance = (await issuance_accounts(tx, [brand_id]))[brand_id, brand_id, "CASH"]
    book = Book(new_id)
    book.settle(
        issuance,
        places[brand_id, row.place_id],
        row.rebate_fen,
        "REBATE",
        Cause("REDEMPTION", row.id, "SYSTEM", SYSTEM_ID, "", tx.now),
        pending_id=row.rebate_transfer_id,
        post=True,
    )
    await write_members_side(tx, book)
    await service.mark_settled(tx, [(brand_id, id)])
    await write_brands_side(tx, book)
