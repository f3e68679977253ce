"""Offers stay inside their brand, are changed on record, and never have less stock than is
taken."""

import asyncio
from typing import Any

import pytest

from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import AlreadyExists, NotFound, Refusal, StockBelowTaken
from loyalty.ids import new_id
from rewards.offers.models import OfferKind, OfferStatus
from rewards.offers.service import create_offer, get_offer, update_offer
from rewards.offers.terms import OfferGives, OfferTerms, Part, prices_of
from rewards.orders.service import redeem_offer
from tests.brands_made import make_brand
from tests.rewards.coupons.wallets import add_template
from tests.rewards.offers.malls import FAR, GIFT, add_offer, add_shopper, priced, terms

ACTIVE, PAUSED = OfferStatus.ACTIVE, OfferStatus.PAUSED


async def test_an_offer_gives_and_costs_what_its_brand_has(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    admin = system_actor(brand.id)
    theirs = await db.in_transaction(add_template, other)

    async def refused(noun: str, gives: OfferGives = GIFT, **more: Any) -> None:
        with pytest.raises(NotFound) as refusal:
            await db.in_transaction(create_offer, admin, "cup", gives, terms(**more))
        assert refusal.value.details == {"noun": noun}

    await refused("coupon template", OfferGives(OfferKind.COUPON, template_id=theirs.id))
    await refused("asset", OfferGives(OfferKind.ASSET, asset="STARS", amount=1))
    await refused("asset", fee=Part("STARS", 1))
    await db.in_transaction(create_offer, admin, "cup", GIFT, terms())
    with pytest.raises(AlreadyExists):
        await db.in_transaction(create_offer, admin, "cup", GIFT, terms())
    await db.in_transaction(create_offer, system_actor(other.id), "cup", GIFT, terms())


async def test_new_terms_replace_the_old_ones_whole_and_on_record(db: Database) -> None:
    brand = await db.in_transaction(make_brand)
    other = await db.in_transaction(make_brand, "other")
    offer = await db.in_transaction(add_offer, brand, stock_max=5, rank_min=2)
    admin, dearer = system_actor(brand.id), terms(priced(("POINTS", 300)))
    changed = await db.in_transaction(update_offer, admin, offer.id, dearer, PAUSED)
    assert (changed.stock_max, changed.rank_min, changed.status) == (None, 0, "PAUSED")
    assert prices_of(changed) == dearer.prices
    assert (changed.code, changed.kind) == (offer.code, "GIFT")
    for actor, id in ((system_actor(other.id), offer.id), (admin, new_id())):
        with pytest.raises(NotFound):
            await db.in_transaction(update_offer, actor, id, dearer, ACTIVE)
    assert await _acts(db, brand) == ["offer.create", "offer.update"]


async def _acts(db: Database, brand: Brand) -> list[str]:
    async with db.snapshot() as snapshot:
        connection = await snapshot.session.connection()
        table = AuditLogEntry.__table__  # type: ignore[attr-defined]
        found = await connection.execute(
            table.select().where(table.c.brand_id == brand.id).order_by(table.c.id)
        )
        return [row.action for row in found if row.action.startswith("offer.")]


async def test_the_stock_is_never_set_below_what_is_taken_also_while_it_is_taken(
    db: Database, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    offer = await db.in_transaction(add_offer, brand, stock_max=9)
    admin = system_actor(brand.id)
    shoppers = [
        await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 100}}) for _ in range(6)
    ]

    async def end(verb: Any, *arguments: Any) -> str:
        try:
            await db.in_transaction(verb, *arguments)
        except Refusal as refusal:
            return refusal.code
        return "DONE"

    def stock(count: int) -> OfferTerms:
        return terms(stock_max=count)

    ends = await asyncio.gather(
        *(end(redeem_offer, shopper.actor, keyring, offer.id) for shopper in shoppers),
        *(end(update_offer, admin, offer.id, stock(count), ACTIVE) for count in (3, 2, 4)),
    )
    async with db.snapshot() as snapshot:
        now = await get_offer(snapshot, brand.id, offer.id)
    assert now.taken == ends[:6].count("DONE")
    assert now.stock_max is not None
    assert now.taken <= now.stock_max
    assert set(ends) <= {"DONE", "OUT_OF_STOCK", "STOCK_BELOW_TAKEN"}
    await db.in_transaction(update_offer, admin, offer.id, stock(now.taken), ACTIVE)
    if now.taken > 1:
        with pytest.raises(StockBelowTaken) as refused:
            await db.in_transaction(update_offer, admin, offer.id, stock(now.taken - 1), ACTIVE)
        assert refused.value.details == {"taken": now.taken}
