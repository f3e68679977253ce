"""Raffles where people are merged, and what is asked of who enters."""

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update
from sqlmodel import col

from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.brands.models import Brand
from loyalty.brands.rules import MemberDay
from loyalty.brands.service import set_member_days
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound, RaffleNotForMember, Refusal
from loyalty.ledger.audit import audit
from loyalty.ledger.audit_raffle_winners import verify_raffles
from loyalty.ledger.models import Transfer
from loyalty.members.models import Member
from loyalty.notifications.models import Notification
from loyalty.notifications.providers import NullProvider
from rewards.coupons.models import Coupon, CouponTemplate, CouponTemplateStatus
from rewards.coupons.service import buy_coupon, set_template_status
from rewards.merges.service import merge_members
from rewards.raffles.drawing import take_step
from rewards.raffles.models import Raffle, RaffleEntry, RaffleStatus, RaffleWinner
from rewards.raffles.queries import get_raffle
from rewards.raffles.rules import Prize, RaffleDefinition, Step
from rewards.raffles.service import cancel_raffle, create_raffle, enter_raffle
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.loyalty.ledger.lots_made import add_members, give
from tests.rewards.coupons.wallets import add_buyer, add_template
from tests.rewards.payouts.stores import drain, rows
from tests.statement_log import statements_told
from workers.periodic import Periodic, PeriodicRunner
from workers.raffles import RaffleKeeper
from workers.wiring import make_relay

PRIZES = tuple(Prize("茶", "Tea", 1, "POINTS", amount) for amount in (300, 200, 100))


@pytest_asyncio.fixture
async def brand(clocked_db: Database) -> Brand:
    return await clocked_db.in_transaction(make_brand)


async def announce(tx: Tx, /, brand: Brand, keyring: Keyring, **more: Any) -> Raffle:
    values: dict[str, Any] = {
        "code": "free",
        "name_zh": "抽奖",
        "name_en": "Raffle",
        "opens_at": tx.now,
        "closes_at": tx.now + timedelta(hours=1),
        "entries_max": 2,
        "table": (Step(1, PRIZES[:1]), Step(2, PRIZES)),
    }
    definition = RaffleDefinition(**values | more)
    return await create_raffle(tx, system_actor(brand.id), keyring, definition)


async def people(db: Database, brand: Brand, count: int) -> list[tuple[Member, Actor]]:
    ids = await db.in_transaction(add_members, brand, count)
    found = {row.id: row for row in await rows(db, Member)}
    kind = ActorKind.MEMBER
    return [(found[id], Actor(kind, brand.id, found[id].identity_id, "CONSUMER")) for id in ids]


async def test_a_raffle_whose_step_fails_keeps_no_other_waiting(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db = clocked_db
    broken = await db.in_transaction(announce, brand, keyring)
    later = timedelta(hours=1, minutes=1)
    good = await db.in_transaction(
        announce, brand, keyring, code="good", closes_at=broken.opens_at + later
    )
    [(_, actor)] = await people(db, brand, 1)
    for raffle in (broken, good):
        await db.in_transaction(enter_raffle, actor, raffle.id)
    async with db.engine.begin() as connection:
        await connection.execute(
            update(Raffle).where(col(Raffle.id) == broken.id).values(sealed="nothing")
        )
    clock.advance(hours=2)
    keeper = RaffleKeeper(keyring)
    runner = PeriodicRunner(db, {"settle_raffles": Periodic(15, keeper, 1_000)})
    for _ in range(2):
        await runner.run_due()
        clock.advance(hours=1)
    async with db.snapshot() as snapshot:
        ends = [(await get_raffle(snapshot, brand.id, each.id)).status for each in (broken, good)]
    assert ends == [RaffleStatus.CLOSED, RaffleStatus.DRAWN]
    assert keeper.failed == {broken.id}


async def settle(db: Database, keyring: Keyring) -> None:
    while await db.in_transaction(take_step, keyring, 3, set()) is not None:
        pass


async def test_who_was_merged_enters_once_as_the_other_and_is_paid_as_the_other(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db = clocked_db
    raffle = await db.in_transaction(announce, brand, keyring)
    crowd = await people(db, brand, 3)
    for _, actor in crowd:
        for _ in range(2):
            await db.in_transaction(enter_raffle, actor, raffle.id)
    (one, _), (other, _), (third, _) = crowd
    operator = system_actor(brand.id)
    await db.in_transaction(
        merge_members, operator, from_member_id=one.id, into_member_id=other.id, reason="twice"
    )
    clock.advance(hours=1)
    await db.in_transaction(take_step, keyring, 3, set())
    async with db.snapshot() as snapshot:
        closed = await get_raffle(snapshot, brand.id, raffle.id)
    assert (closed.status, closed.entries, closed.entrants) == (RaffleStatus.CLOSED, 6, 2)
    # Of two entrants both win, also where they become one before they are paid.
    await db.in_transaction(
        merge_members, operator, from_member_id=other.id, into_member_id=third.id, reason="all one"
    )
    await settle(db, keyring)
    winners = await rows(db, RaffleWinner)
    assert {winner.member_id for winner in winners} == {other.id, third.id}
    assert sorted(winner.amount for winner in winners) == [200, 300]
    paid = [t for t in await rows(db, Transfer) if t.cause_kind == "RAFFLE_PRIZE"]
    assert sum(transfer.amount for transfer in paid) == 500
    assert len({transfer.credit_account_id for transfer in paid}) == 1
    assert all(entry.score for entry in await rows(db, RaffleEntry))
    assert [check.name for check in await audit(db, brand.slug) if check.broken] == []


async def test_a_raffle_that_nobody_entered_ends_with_its_seed_and_without_winners(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    raffle = await clocked_db.in_transaction(announce, brand, keyring)
    await settle(clocked_db, keyring)
    clock.advance(hours=1)
    await settle(clocked_db, keyring)
    async with clocked_db.snapshot() as snapshot:
        ended = await get_raffle(snapshot, brand.id, raffle.id)
    assert (ended.status, ended.entrants, ended.settled_at) == ("DRAWN", 0, clock.at)
    assert ended.seed is not None and await rows(clocked_db, RaffleWinner) == []


async def test_its_condition_is_asked_of_who_enters_on_the_day(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db = clocked_db
    said = {"condition": "calendar.memberDay && tier.rank == 0 && tier.code != ''"}
    raffle = await db.in_transaction(announce, brand, keyring, **said)
    [(_, actor)] = await people(db, brand, 1)
    with pytest.raises(RaffleNotForMember):
        await db.in_transaction(enter_raffle, actor, raffle.id)
    today = MemberDay(None, local_date(clock.at, brand.timezone), "会员日", "Member day")
    await db.in_transaction(set_member_days, system_actor(brand.id), [today])
    assert (await db.in_transaction(enter_raffle, actor, raffle.id)).number == 1


async def test_assets_and_codes_are_those_of_the_brand(
    clocked_db: Database, brand: Brand, keyring: Keyring
) -> None:
    async def refused(kind: type[Refusal], **more: Any) -> None:
        with pytest.raises(kind):
            await clocked_db.in_transaction(announce, brand, keyring, **more)

    await refused(NotFound, cost=("STARS", 1))
    await refused(NotFound, budgets=(("STARS", 1),))
    await clocked_db.in_transaction(announce, brand, keyring)
    await refused(AlreadyExists)


async def _steps_told(tx: Tx, keyring: Keyring) -> list[str] | None:
    """What one step over everybody says to the database; None when there is none to take."""
    async with statements_told(tx) as told:
        raffle = await take_step(tx, keyring, 1_000, set())
    return None if raffle is None else list(told)


async def test_a_step_says_as_much_whatever_the_number_of_entries(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db, operator = clocked_db, system_actor(brand.id)
    told: dict[int, list[int]] = {}
    for size in (2, 12):
        prize = Prize("茶", "Tea", size, "POINTS", 5)
        more = {"table": (Step(1, (prize,)),), "cost": ("POINTS", 1)}
        codes = (f"drawn-{size}", f"cancelled-{size}")
        drawn, cancelled = [
            await db.in_transaction(announce, brand, keyring, code=code, **more) for code in codes
        ]
        crowd = await people(db, brand, size)
        until = local_date(clock.at, brand.timezone) + timedelta(days=30)
        await db.in_transaction(give, brand, {member.id: {until: 9} for member, _ in crowd})
        for _, actor in crowd:
            for raffle in (drawn, cancelled):
                await db.in_transaction(enter_raffle, actor, raffle.id)
        await db.in_transaction(cancel_raffle, operator, cancelled.id, "no more")
        clock.advance(hours=1)
        told[size] = []
        while (steps := await db.in_transaction(_steps_told, keyring)) is not None:
            told[size].append(len(steps))
    assert told[2] == told[12], "as many for two as for a dozen"
    assert len(told[2]) == 4, "closed, drawn, paid; and given back"


def coupons_of(template: CouponTemplate, winners: int) -> dict[str, Any]:
    return {"table": (Step(1, (Prize("券", "Coupon", winners, "POINTS", 7, template.id),)),)}


async def test_a_coupon_that_there_is_not_is_refused_where_it_is_named(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db = clocked_db
    two = await db.in_transaction(add_template, brand, stock_max=2)
    over = await db.in_transaction(add_template, brand, usable_until=clock.at.date())
    paused = await db.in_transaction(add_template, brand)
    status = CouponTemplateStatus.PAUSED
    await db.in_transaction(set_template_status, system_actor(brand.id), paused.id, status)
    later = {"closes_at": clock.at + timedelta(days=2)}
    for template, problem in ((two, "gives up to 3"), (over, "OVER"), (paused, "PAUSED")):
        with pytest.raises(InvalidInput) as refused:
            await db.in_transaction(announce, brand, keyring, **coupons_of(template, 3), **later)
        assert refused.value.details["field"] == "prizeTable[0].prizes[0].couponTemplateId"
        assert problem in refused.value.details["problem"]
    other = await db.in_transaction(make_brand, "other")
    with pytest.raises(NotFound):
        await db.in_transaction(announce, other, keyring, **coupons_of(two, 1))


async def test_coupons_go_to_the_first_and_who_comes_after_gets_the_amount(
    clocked_db: Database, clock: SettableClock, brand: Brand, keyring: Keyring
) -> None:
    db, operator = clocked_db, system_actor(brand.id)
    template = await db.in_transaction(add_template, brand, stock_max=3)
    raffle = await db.in_transaction(announce, brand, keyring, **coupons_of(template, 3))
    crowd = await people(db, brand, 3)
    for _, actor in crowd:
        await db.in_transaction(enter_raffle, actor, raffle.id)
    buyer = await db.in_transaction(add_buyer, brand, {clock.at.date() + timedelta(days=9): 100})
    await db.in_transaction(buy_coupon, buyer.actor, template.id)
    clock.advance(hours=1)
    for _ in range(2):
        await db.in_transaction(take_step, keyring, 4, set())
    [first, second, third] = sorted(await rows(db, RaffleWinner), key=lambda row: row.place)
    into = {"from_member_id": first.member_id, "into_member_id": third.member_id}
    await db.in_transaction(merge_members, operator, **into, reason="one person")
    await settle(db, keyring)
    winners = sorted(await rows(db, RaffleWinner), key=lambda row: row.place)
    assert [winner.no_coupon for winner in winners] == [None, None, "OUT_OF_STOCK"]
    won = {row.cause_id: row for row in await rows(db, Coupon) if row.cause_kind == "RAFFLE"}
    assert {id: row.member_id for id, row in won.items()} == {
        first.id: third.member_id,
        second.id: second.member_id,
    }
    [paid] = [row for row in await rows(db, Transfer) if row.cause_kind == "RAFFLE_PRIZE"]
    assert (paid.cause_id, paid.amount) == (third.id, 7)
    assert (await verify_raffles(db, brand.slug)).broken == 0
    assert [check.name for check in await audit(db, brand.slug) if check.broken] == []
    await drain(make_relay(db, NullProvider()))
    told = [row.content["en"] for row in await rows(db, Notification) if row.kind == "RAFFLE_WON"]
    assert sum("The coupon Five off is among your coupons." in each for each in told) == 2
    assert sum("The reward of 7 points is in your account instead" in each for each in told) == 1
    assert "COUPON_ISSUED" not in {
        row.kind for row in await rows(db, Notification) if row.member_id != buyer.member_id
    }
