"""Taking offers, and what can be seen of it afterwards."""

from collections import Counter
from typing import Any

from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import Refusal
from loyalty.ledger.audit import audit
from loyalty.ledger.models import Account
from loyalty.outbox import list_events
from rewards.offers.models import Offer
from rewards.orders import queries, service
from rewards.orders.models import OfferOrder
from tests.rewards.offers.malls import Shopper


async def take(db: Database, keyring: Keyring, shopper: Shopper, offer: Offer, **more: Any) -> str:
    """What comes of it: the refusal's code, or the order's status."""
    try:
        order, _ = await db.in_transaction(
            service.redeem_offer, shopper.actor, keyring, offer.id, **more
        )
    except Refusal as refusal:
        return refusal.code
    return order.status


async def parts_of(db: Database, order: OfferOrder) -> dict[tuple[str, str], int]:
    async with db.snapshot() as snapshot:
        rows = await queries.list_parts(snapshot, order.brand_id, [order.id])
    return {(row.purpose, row.asset): row.amount for row in rows}


async def rows_of(db: Database, model: type[Any], brand: Brand) -> list[Any]:
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        table = model.__table__
        return list(
            (await connection.execute(table.select().where(table.c.brand_id == brand.id))).all()
        )


async def books_of(db: Database, brand: Brand) -> dict[tuple[str, str], int]:
    """What lies in the brand's own books, by kind and asset."""
    return {
        (row.kind, row.asset): row.credits_posted - row.debits_posted
        for row in await rows_of(db, Account, brand)
        if row.owner_id == brand.id and row.credits_posted != row.debits_posted
    }


async def topics(db: Database, brand: Brand) -> Counter[str]:
    async with db.snapshot() as snapshot:
        return Counter(event.topic for event in await list_events(snapshot, brand_id=brand.id))


async def assert_clean(db: Database) -> None:
    assert [(c.name, c.examples) for c in await audit(db) if c.broken] == []
