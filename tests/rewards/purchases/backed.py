"""A shop with a place that has a store, a dealer and a salesperson."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.db import Database
from loyalty.members import service as members
from loyalty.places.channel import import_roster, set_place_channel
from loyalty.places.service import create_place
from rewards.purchases.models import PurchaseSource
from rewards.purchases.queries import list_shares
from rewards.purchases.reading import PurchaseReport
from rewards.purchases.service import BuyerReport, Recorded, record_purchase
from rewards.returns.queries import list_returns, list_takings
from tests.rewards.returns.shopping import Shop, open_shop

STORE, DEALER, SALESPERSON = MemberRole.STORE, MemberRole.DEALER, MemberRole.SALESPERSON
PHONES = {STORE: "13600136001", DEALER: "13700137001", SALESPERSON: "13700137002"}


@dataclass
class Backed:
    """A shop with a place that has a store, a dealer and a salesperson."""

    shop: Shop
    place_id: UUID

    async def buy(
        self, ref: str, amount_fen: int = 1_000, phone: str = "13800138001", **told: Any
    ) -> Recorded:
        """A purchase of this moment at the place, or wherever ``place_id`` says."""
        shop = self.shop
        report = PurchaseReport(
            ref,
            shop.brand.created_at,
            told.pop("quantity", 1),
            amount_fen,
            PurchaseSource.TILL,
            place_id=told.pop("place_id", self.place_id),
        )
        done = await shop.run(
            record_purchase, shop.actor, shop.keyring, report, BuyerReport(phone=phone)
        )
        shop.members["ann"] = done.member_id
        return done

    async def shares(self, bought: Recorded) -> dict[str, str | None]:
        """Why each role that is paid got nothing, or None; by role."""
        async with self.shop.db.snapshot() as snapshot:
            rows = await list_shares(snapshot, self.shop.brand.id, [bought.purchase_id])
        return {row.role: row.unpaid_reason for row in rows}

    async def has(self, role: MemberRole) -> dict[str, tuple[int, int]]:
        return await self.shop.balances(role.value)

    async def takings(self, bought: Recorded) -> dict[tuple[str, str], tuple[int, int, int]]:
        """(taken, owed, voided) of the last return, by role and asset."""
        async with self.shop.db.snapshot() as snapshot:
            brand_id = self.shop.brand.id
            [*_, last] = await list_returns(snapshot, brand_id, [bought.purchase_id])
            rows = await list_takings(snapshot, brand_id, [last.id])
        return {(row.role, row.asset): (row.taken, row.owed, row.voided) for row in rows}


async def join(shop: Shop, role: MemberRole, phone: str) -> UUID:
    """The member of a phone in a role, which acts for the first time."""

    async def enrol(tx: Any) -> UUID:
        identity = await members.find_or_create_identity_by_phone(
            tx, shop.keyring, shop.brand.id, phone
        )
        actor = Actor(ActorKind.MEMBER, shop.brand.id, identity.id, role.value)
        return (await members.enrol(tx, actor)).id

    return await shop.run(enrol)


async def open_place(shop: Shop, code: str, phones: dict[MemberRole, str]) -> UUID:
    place = await shop.run(
        create_place,
        shop.actor,
        shop.keyring,
        code=code,
        name="东店",
        address="路 1 号",
        payout_threshold_fen=100,
        store_phone=phones.get(STORE),
    )
    for role in (DEALER, SALESPERSON):
        if role in phones:
            entries = [(phones[role], "陈", None)]
            await shop.run(import_roster, shop.actor, shop.keyring, role.value, entries)
    await shop.run(
        set_place_channel,
        shop.actor,
        shop.keyring,
        place.id,
        dealer_phone=phones.get(DEALER),
        salesperson_phone=phones.get(SALESPERSON),
    )
    return place.id


async def open_backed(db: Database) -> Backed:
    shop = await open_shop(db)
    place_id = await open_place(shop, "SH-1", PHONES)
    for role, phone in PHONES.items():
        shop.members[role.value] = await join(shop, role, phone)
    return Backed(shop, place_id)
