"""Growth that is spent in the mall or handed back by it moves the level at once, put down to
the transfer; and the mall opens to whoever stands at the level today, looked at or not."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from loyalty.actor import MemberRole, system_actor
from loyalty.assets.rules import Unit
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import RankTooLow
from loyalty.ledger.models import Transfer
from rewards.orders.ending import cancel_order
from rewards.orders.models import OfferOrder
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.offers.malls import (
    FAR,
    GIFT,
    Shopper,
    add_offer,
    add_shopper,
    priced,
    set_rank,
)
from tests.rewards.orders.taking import assert_clean, rows_of, take
from tiers.ladders.models import PeriodKind, TierEnd
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderPolicy
from tiers.ladders.service import publish_ladder, starter_levels
from tiers.standings.models import Standing, StandingChange

GROWTH = "GROWTH"
SILVER, GOLD = 1, 2


async def open_mall(db: Database, policy: LadderPolicy) -> Brand:
    brand = await db.in_transaction(make_brand)
    await db.in_transaction(
        publish_ladder,
        system_actor(brand.id),
        role=MemberRole.CONSUMER,
        levels=starter_levels(),
        policy=policy,
        allow_lowering=True,
    )
    return brand


async def moves(db: Database, brand: Brand) -> Sequence[tuple[int, int, str, UUID | None]]:
    """(from, to, why, transfer) of every change but those a test was set up by."""
    rows = await rows_of(db, StandingChange, brand)
    return [
        (row.from_rank, row.to_rank, row.reason, row.transfer_id)
        for row in sorted(rows, key=lambda row: row.id)
        if row.reason != "GRANTED"
    ]


async def transfer_of(db: Database, brand: Brand, kind: str) -> UUID:
    rows = await rows_of(db, Transfer, brand)
    [found] = [row.id for row in rows if row.kind == kind and row.cause_kind == "ORDER"]
    return UUID(str(found))


async def test_growth_that_is_spent_lowers_and_growth_that_is_handed_back_raises(
    clocked_db: Database, keyring: Keyring
) -> None:
    db = clocked_db
    brand = await open_mall(db, LadderPolicy(ends=TierEnd.BALANCE_DROP))
    offer = await db.in_transaction(add_offer, brand, GIFT, priced((GROWTH, 150)))
    shopper = await db.in_transaction(add_shopper, brand, {GROWTH: {FAR: 600}})
    await db.in_transaction(set_rank, brand, shopper, GOLD)
    assert await take(db, keyring, shopper, offer) == "PLACED"
    spent = await transfer_of(db, brand, "SPEND")
    assert await moves(db, brand) == [(GOLD, SILVER, "DROPPED", spent)]
    [order] = await rows_of(db, OfferOrder, brand)
    await db.in_transaction(cancel_order, system_actor(brand.id), order.id, "售罄")
    returned = await transfer_of(db, brand, "REVERSE")
    assert (await moves(db, brand))[1:] == [(SILVER, GOLD, "EARNED", returned)]
    await assert_clean(db)


async def hold_until(tx: Tx, brand: Brand, shopper: Shopper, day: date) -> None:
    await tx.session.exec(
        update(Standing)
        .where(col(Standing.brand_id) == brand.id, col(Standing.member_id) == shopper.member_id)
        .values(held_until=day, earned_until=day, due_on=day + timedelta(days=1))
        .execution_options(synchronize_session=False)
    )


@pytest.mark.parametrize("days", [0, 1])
async def test_whose_level_is_over_is_not_let_in_though_nobody_has_looked(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, days: int
) -> None:
    db = clocked_db
    year = LadderPolicy(ends=TierEnd.PERIOD_END, period=PeriodRule(PeriodKind.CALENDAR, Unit.YEAR))
    brand = await open_mall(db, year)
    offer = await db.in_transaction(add_offer, brand, rank_min=SILVER)
    shopper = await db.in_transaction(add_shopper, brand, {"POINTS": {FAR: 100}})
    await db.in_transaction(set_rank, brand, shopper, SILVER)
    await db.in_transaction(hold_until, brand, shopper, clock.at.date() - timedelta(days=days))
    assert await take(db, keyring, shopper, offer) == (RankTooLow.code if days else "PLACED")
