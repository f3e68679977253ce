"""What levels give: once, whoever asks again, and only what there is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from sqlmodel import select

from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.ledger.queries import list_balances
from loyalty.members.service import change_birthday, freeze_member
from loyalty.outbox import OutboxEvent
from rewards.coupons.models import Coupon
from rewards.gifts.models import TierGift
from rewards.gifts.rules import GiftDue, anniversaries_on, birthdays_on
from rewards.gifts.service import give_days_gifts, give_gifts
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.rewards.coupons.wallets import add_template
from tiers.ladders.rules import Level
from tiers.ladders.service import publish_ladder
from tiers.privileges.rules import Privilege, PrivilegeKind
from tiers.standings.folding import GIFTS_TOPIC

DAY = date(2026, 11, 9)
CASH = Privilege("WELCOME", PrivilegeKind.LEVEL_GIFT, "礼", "Gift", asset="CASH", amount=500)
SILVER = Level(1, "SILVER", "银卡", "Silver", 100, 100)
LEVELS = (Level(0, "BASIC", "普通", "Basic", 0, 100), SILVER)


async def publish(tx: Tx, brand: Brand, *granted: Privilege) -> None:
    levels = (LEVELS[0], replace(SILVER, privileges=granted))
    await publish_ladder(tx, system_actor(brand.id), role=MemberRole.CONSUMER, levels=levels)


async def buy(db: Database, brand: Brand, ref: str, fen: int) -> UUID:
    fact = PurchaseFact(new_id().hex, ref, DAY, 1, fen)
    [result] = await db.in_transaction(settle_purchases, brand.id, system_actor(brand.id), [fact])
    assert result.member_id is not None
    return result.member_id


async def gifts(db: Database) -> list[tuple[str, str]]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(TierGift))
        return sorted((gift.occasion, gift.status) for gift in found)


async def has(db: Database, brand: Brand, member_id: UUID, asset: str) -> int:
    async with db.snapshot() as snapshot:
        rows = await list_balances(snapshot, brand.id, member_id, DAY)
    return sum(row.balance for row in rows if row.asset == asset)


async def audited(db: Database) -> None:
    assert [c for c in await audit(db) if c.broken] == []


async def dues_told(db: Database, levels: Sequence[Privilege]) -> list[GiftDue]:
    async with db.snapshot() as snapshot:
        facts = await snapshot.session.exec(
            select(OutboxEvent).where(OutboxEvent.topic == GIFTS_TOPIC)
        )
        return [
            GiftDue(fact.brand_id, fact.subject_id, privilege, gift["occasion"])
            for fact in facts
            for gift, privilege in zip(fact.payload["gifts"], levels, strict=True)
        ]


async def test_reaching_a_level_tells_what_it_gives_and_it_is_given_once(
    clocked_db: Database,
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    template = await db.in_transaction(add_template, brand, stock_max=1)
    coupon = Privilege(
        "BOTTLE", PrivilegeKind.LEVEL_GIFT, "券", "Coupon", coupon_template_id=template.id
    )
    await db.in_transaction(publish, brand, CASH, coupon)
    ann = await buy(db, brand, "ann", 10_000)
    await buy(db, brand, "ann", 10_000)  # earns it again, and rises no more
    dues = await dues_told(db, [CASH, coupon])
    assert {due.occasion for due in dues} == {"level:SILVER:2026"}
    told = await asyncio.gather(*(db.in_transaction(give_gifts, dues) for _ in range(4)))
    assert sorted(told) == [0, 0, 0, 2]
    assert await has(db, brand, ann, "CASH") == 500
    assert await gifts(db) == [("level:SILVER:2026", "GIVEN")] * 2
    bob = await buy(db, brand, "bob", 10_000)
    assert await db.in_transaction(give_gifts, await dues_told(db, [CASH, coupon])) == 2
    assert await has(db, brand, bob, "CASH") == 500
    assert (await gifts(db)).count(("level:SILVER:2026", "UNAVAILABLE")) == 1  # one in stock
    async with db.snapshot() as snapshot:
        [issued] = await snapshot.session.exec(select(Coupon))
        assert (issued.member_id, issued.cause_kind) == (ann, "GIFT")
    await audited(db)


async def test_birthdays_and_anniversaries_are_kept_once_a_year_by_who_has_such_a_level(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand = await db.in_transaction(make_brand)
    cake = Privilege("CAKE", PrivilegeKind.BIRTHDAY_GIFT, "蛋糕", "Cake", asset="CASH", amount=100)
    year = Privilege("YEAR", PrivilegeKind.ANNIVERSARY_GIFT, "周年", "Year", asset="CASH", amount=7)
    await db.in_transaction(publish, brand, cake, year)
    ann, bob = await buy(db, brand, "ann", 10_000), await buy(db, brand, "bob", 10)
    cid = await buy(db, brand, "cid", 10_000)
    operator = system_actor(brand.id)
    for member_id in (ann, bob, cid):
        await db.in_transaction(change_birthday, operator, member_id, 12, 24, "told at the till")
    await db.in_transaction(freeze_member, operator, cid, "lost")
    assert await db.in_transaction(give_days_gifts, 100) == 0
    clock.set(datetime(2026, 12, 23, 16, 0, tzinfo=UTC))  # the 24th where the brand is
    assert await db.in_transaction(give_days_gifts, 100) == 1
    assert await db.in_transaction(give_days_gifts, 100) == 0
    assert [await has(db, brand, member_id, "CASH") for member_id in (ann, bob, cid)] == [100, 0, 0]
    clock.set(datetime(2027, 12, 24, 1, 0, tzinfo=UTC))
    assert await db.in_transaction(give_days_gifts, 100) == 1
    assert await has(db, brand, ann, "CASH") == 200
    # Ids are made by the machine's own clock, which is where the day of joining is read.
    joined_at = datetime.fromtimestamp((ann.int >> 80) / 1000, UTC)
    clock.set(joined_at.replace(day=min(joined_at.day, 28), year=joined_at.year + 2))
    clock.advance(days=joined_at.day - min(joined_at.day, 28))
    assert await db.in_transaction(give_days_gifts, 100) == 1
    assert await has(db, brand, ann, "CASH") == 207
    await audited(db)


def test_leap_days_are_kept_on_the_28th_of_other_years() -> None:
    assert birthdays_on(date(2026, 2, 28)) == ["02-28", "02-29"]
    assert birthdays_on(date(2028, 2, 28)) == ["02-28"]
    assert birthdays_on(date(2028, 2, 29)) == ["02-29"]
    assert date(2024, 2, 29) in anniversaries_on(date(2026, 2, 28))
    assert date(2026, 2, 28) in anniversaries_on(date(2027, 2, 28))
    assert date(2026, 11, 9) not in anniversaries_on(date(2026, 11, 9))
