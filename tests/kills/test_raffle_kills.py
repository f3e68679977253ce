"""SIGKILL of a worker that draws a raffle, pays its winners, or gives entries back: the next one
goes on, the winners are those that the seed says, and each is paid, or given back, once."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.brands.models import Brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ledger.audit import audit
from loyalty.ledger.audit_raffle_winners import verify_raffles
from loyalty.ledger.models import Transfer
from loyalty.members.models import Member
from rewards.coupons.models import Coupon
from rewards.raffles.models import Raffle, RaffleEntry, RaffleWinner
from rewards.raffles.rules import Prize, RaffleDefinition, Step
from rewards.raffles.service import cancel_raffle, create_raffle, enter_raffle
from tests.brands_made import make_brand
from tests.kills.killed import KilledWorker, count
from tests.kills.raffling import finish
from tests.loyalty.ledger.lots_made import POINTS, add_members, give
from tests.rewards.coupons.wallets import add_template

PEOPLE, WINNERS, COUPONS, POINTS_EACH, COST, PRIZE = 30, 20, 10, 9, 2, 7


@pytest.fixture
def worker(command_env: dict[str, str], tmp_path: Path) -> KilledWorker:
    return KilledWorker("tests.kills.raffling", command_env, tmp_path / "log", min(WINNERS, PEOPLE))


async def announce(tx: Tx, brand: Brand, keyring: Keyring) -> Raffle:
    template = await add_template(tx, brand, stock_max=COUPONS)
    prizes = (
        Prize("券", "Coupon", COUPONS, POINTS, PRIZE, template.id),
        Prize("茶", "Tea", WINNERS - COUPONS, POINTS, PRIZE),
    )
    table = (Step(1, prizes),)
    window = (tx.now - timedelta(days=1), tx.now + timedelta(days=1))
    definition = RaffleDefinition(
        "kill", "抽奖", "Raffle", *window, entries_max=1, table=table, cost=(POINTS, COST)
    )
    return await create_raffle(tx, system_actor(brand.id), keyring, definition)


async def enter_all(tx: Tx, raffle: Raffle) -> None:
    members = await tx.session.exec(select(Member).where(col(Member.role) == "CONSUMER"))
    for member in list(members):
        actor = Actor(ActorKind.MEMBER, raffle.brand_id, member.identity_id, "CONSUMER")
        await enter_raffle(tx, actor, raffle.id)


async def end_now(tx: Tx, raffle: Raffle) -> None:
    found = (await tx.session.exec(select(Raffle).where(col(Raffle.id) == raffle.id))).one()
    found.closes_at = tx.now
    await tx.session.flush()


async def entered(db: Database, keyring: Keyring) -> tuple[Brand, Raffle]:
    brand = await db.in_transaction(make_brand)
    members = await db.in_transaction(add_members, brand, PEOPLE)
    async with db.snapshot() as snapshot:
        until = local_date(snapshot.now, brand.timezone) + timedelta(days=30)
    await db.in_transaction(give, brand, {id: {until: POINTS_EACH} for id in members})
    raffle = await db.in_transaction(announce, brand, keyring)
    await db.in_transaction(enter_all, raffle)
    return brand, raffle


async def transfers(db: Database, kind: str, cause_kind: str) -> list[Transfer]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(Transfer).where(
                col(Transfer.kind) == kind, col(Transfer.cause_kind) == cause_kind
            )
        )
        return list(found)


async def test_killed_while_it_draws_and_while_it_pays(
    db: Database, keyring: Keyring, worker: KilledWorker
) -> None:
    brand, raffle = await entered(db, keyring)
    await db.in_transaction(end_now, raffle)
    await worker.kill_after(db, (RaffleEntry, "score"), 6)
    assert await count(db, RaffleWinner, "id") == 0
    await worker.kill_after(db, (RaffleWinner, "paid_at"), 6)
    await finish(db, keyring)
    paid = await transfers(db, "EARN", "RAFFLE_PRIZE")
    assert len(paid) == len({transfer.cause_id for transfer in paid}) == WINNERS - COUPONS
    async with db.snapshot() as snapshot:
        won = list(await snapshot.session.exec(select(Coupon.cause_id)))
    assert len(won) == len(set(won)) == COUPONS
    report = await verify_raffles(db)
    assert (report.entries, report.winners, report.broken) == (PEOPLE, WINNERS, 0)
    assert [check.name for check in await audit(db, brand.slug) if check.broken] == []


async def test_killed_while_it_gives_back(
    db: Database, keyring: Keyring, worker: KilledWorker
) -> None:
    brand, raffle = await entered(db, keyring)
    await db.in_transaction(cancel_raffle, system_actor(brand.id), raffle.id, "the cups broke")
    await worker.kill_after(db, (RaffleEntry, "returned_at"), 6)
    await finish(db, keyring)
    back = await transfers(db, "REVERSE", "RAFFLE_ENTRY")
    assert len(back) == len({transfer.cause_id for transfer in back}) == PEOPLE
    assert {transfer.amount for transfer in back} == {COST}
    assert [check.name for check in await audit(db, brand.slug) if check.broken] == []
