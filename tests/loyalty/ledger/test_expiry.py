"""The sweep of lots past their last day: what it takes and when, in chunks, and never twice."""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ledger.audit import audit
from loyalty.ledger.expiry import Swept, list_due, sweep_chunk
from loyalty.ledger.models import NEVER_EXPIRES, Account, ExpiryRun, Transfer
from loyalty.periodic import PeriodicJob
from tests.brands_made import make_brand
from tests.clocks import SettableClock
from tests.kills.holding import process_waits
from tests.loyalty.ledger.corruptions import broken
from tests.loyalty.ledger.lots_made import POINTS, add_members, give, lots_of, spend
from tests.statement_log import statements_told
from workers.periodic import PeriodicRunner

TODAY = date(2026, 11, 9)
YESTERDAY = TODAY - timedelta(days=1)


async def run_of(db: Database) -> ExpiryRun:
    async with db.snapshot() as snapshot:
        return (await snapshot.session.exec(select(ExpiryRun))).one()


async def expiries(db: Database) -> dict[tuple[UUID, date | None], int]:
    """What expired, by account and lot."""
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(Transfer).where(col(Transfer.kind) == "EXPIRE"))
        return {(t.debit_account_id, t.debit_expires_on): t.amount for t in found}


async def balances(db: Database, kind: str = "MAIN", asset: str = POINTS) -> list[int]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(Account)
            .where(col(Account.kind) == kind, col(Account.asset) == asset)
            .order_by(col(Account.owner_id))
        )
        return [account.credits_posted - account.debits_posted for account in found]


async def members_with(
    db: Database, brand: Brand, lots: Mapping[date, int], count: int = 1
) -> list[UUID]:
    ids = await db.in_transaction(add_members, brand, count)
    await db.in_transaction(give, brand, dict.fromkeys(ids, lots))
    return ids


async def sweep(db: Database, brand: Brand, limit: int = 100, *, again: bool = False) -> Swept:
    return await db.in_transaction(sweep_chunk, brand.id, limit, again=again)


async def due(db: Database) -> list[UUID]:
    async with db.snapshot() as snapshot:
        return await list_due(snapshot)


async def test_what_is_left_expires_when_the_last_day_is_over(
    clocked_db: Database, clock: SettableClock
) -> None:
    clock.advance(days=-1)
    brand = await clocked_db.in_transaction(make_brand)
    lots = {YESTERDAY: 5, TODAY: 7, NEVER_EXPIRES: 11}
    (member_id,) = await members_with(clocked_db, brand, lots)
    await clocked_db.in_transaction(spend, brand, member_id, 2, YESTERDAY)
    assert (await sweep(clocked_db, brand)).lots_past == 0
    clock.advance(days=1)
    swept = await sweep(clocked_db, brand)
    assert (swept.lots_past, swept.lots_seen, swept.expired_now) == (1, 1, 1)
    assert await lots_of(clocked_db, brand, member_id) == {TODAY: 7, NEVER_EXPIRES: 11}
    assert await balances(clocked_db) == [18]
    assert await balances(clocked_db, "EXPIRED") == [3]
    async with clocked_db.snapshot() as snapshot:
        (expiry,) = await snapshot.session.exec(
            select(Transfer).where(col(Transfer.kind) == "EXPIRE")
        )
    assert (expiry.amount, expiry.debit_expires_on) == (3, YESTERDAY)
    assert (expiry.cause_kind, expiry.cause_id) == ("EXPIRY", swept.run_id)
    assert expiry.occurred_at == expiry.created_at == clock()
    assert broken(await audit(clocked_db)) == {}
    clock.advance(days=1)
    assert (await sweep(clocked_db, brand)).expired_now == 1
    assert await lots_of(clocked_db, brand, member_id) == {NEVER_EXPIRES: 11}
    assert broken(await audit(clocked_db)) == {}


@pytest.mark.parametrize(
    ("zone", "day", "first_instant"),
    [
        ("Asia/Shanghai", date(2026, 11, 9), datetime(2026, 11, 8, 16, tzinfo=UTC)),
        # Clocks go from 24:00 to 01:00: the day begins at one.
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("Asia/Beirut", date(2027, 3, 28), datetime(2027, 3, 27, 22, tzinfo=UTC)),
        # 00:00 is told twice: the day begins with the first.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ("America/New_York", date(2026, 11, 2), datetime(2026, 11, 2, 5, tzinfo=UTC)),
    ],
)
async def test_a_brand_is_due_from_the_first_instant_of_its_local_day(
    clocked_db: Database, clock: SettableClock, zone: str, day: date, first_instant: datetime
) -> None:
    assert first_instant.astimezone(ZoneInfo(zone)).date() == day
    clock.set(first_instant - timedelta(hours=5))
    brand = await clocked_db.in_transaction(make_brand)
    await set_zone(clocked_db, brand, zone)
    (member_id,) = await members_with(clocked_db, brand, {day - timedelta(days=1): 5, day: 7})
    clock.set(first_instant - timedelta(microseconds=1))
    assert await due(clocked_db) == [brand.id]
    assert (await sweep(clocked_db, brand)).expired_now == 0
    assert await due(clocked_db) == []
    clock.set(first_instant)
    assert await due(clocked_db) == [brand.id]
    assert (await sweep(clocked_db, brand)).expired_now == 1
    assert await lots_of(clocked_db, brand, member_id) == {day: 7}
    clock.set(first_instant + timedelta(hours=22))
    assert await due(clocked_db) == []
    assert broken(await audit(clocked_db)) == {}


async def set_zone(db: Database, brand: Brand, zone: str) -> None:
    async def run(tx: Tx) -> None:
        found = await tx.session.get(Brand, brand.id)
        assert found is not None
        found.timezone = zone
        await tx.session.flush()

    await db.in_transaction(run)


async def test_chunks_take_all_lots_once_and_go_on_where_the_last_one_ended(
    clocked_db: Database, clock: SettableClock
) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    dates = [YESTERDAY, YESTERDAY - timedelta(days=1), date(2024, 2, 29)]
    await members_with(clocked_db, brand, dict.fromkeys(dates, 3), count=4)
    expired = []
    for _ in range(2):
        swept = await sweep(clocked_db, brand, 5)
        assert not swept.is_finished
        expired.append(swept.expired_now)
    clock.advance(hours=1)  # whoever goes on may be another process
    swept = await sweep(clocked_db, brand, 5)
    assert swept.is_finished
    assert (swept.lots_past, swept.lots_seen, swept.lots_expired) == (12, 12, 12)
    assert [*expired, swept.expired_now] == [5, 5, 2]
    assert list((await expiries(clocked_db)).values()) == [3] * 12
    assert await balances(clocked_db) == [0] * 4
    assert (await sweep(clocked_db, brand, 5)).expired_now == 0
    assert broken(await audit(clocked_db)) == {}


async def test_a_chunk_is_a_few_statements_however_many_lots(clocked_db: Database) -> None:
    brand = await clocked_db.in_transaction(make_brand)

    async def counted(tx: Tx) -> tuple[int, int]:
        async with statements_told(tx) as told:
            swept = await sweep_chunk(tx, brand.id, 1000, again=True)
        return swept.expired_now, len(told)

    counts = {}
    await clocked_db.in_transaction(counted)
    for size in (2, 1, 40):
        await members_with(clocked_db, brand, {YESTERDAY: 5, date(2025, 1, 1): 5}, count=size)
        expired, counts[size] = await clocked_db.in_transaction(counted)
        assert expired == 2 * size
    assert counts[1] == counts[2] == counts[40] <= 12


async def test_a_lot_that_was_spent_meanwhile_is_not_expired_as_well(
    clocked_db: Database,
) -> None:
    """Whoever spends began before midnight, and ends after the sweep has found the lot."""
    brand = await clocked_db.in_transaction(make_brand)
    ids = await members_with(clocked_db, brand, {YESTERDAY: 5}, count=3)
    spends, ends = asyncio.Event(), asyncio.Event()

    async def spend_slowly(tx: Tx) -> None:
        await spend(tx, brand, ids[0], 5, YESTERDAY)
        await spend(tx, brand, ids[1], 2, YESTERDAY)
        spends.set()
        await ends.wait()

    spending = asyncio.create_task(clocked_db.in_transaction(spend_slowly))
    await spends.wait()
    sweeping = asyncio.create_task(sweep(clocked_db, brand))
    if clocked_db.dialect == "postgresql":
        await process_waits(clocked_db.url, os.getpid())
    ends.set()
    await spending
    assert (await sweeping).expired_now == 2
    assert sorted((await expiries(clocked_db)).values()) == [3, 5]
    assert await balances(clocked_db) == [0, 0, 0]


async def test_two_sweeps_of_a_brand_share_its_lots(clocked_db: Database) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    await members_with(clocked_db, brand, {YESTERDAY: 5, date(2025, 1, 1): 5}, count=10)

    async def sweep_on() -> int:
        count = 0
        while not (swept := await sweep(clocked_db, brand, 3)).is_finished:
            count += swept.expired_now
        return count + swept.expired_now

    assert sum(await asyncio.gather(*(sweep_on() for _ in range(4)))) == 20
    run = await run_of(clocked_db)
    assert run.lots_seen == run.lots_expired == 20
    assert len(await expiries(clocked_db)) == 20
    assert broken(await audit(clocked_db)) == {}


async def test_a_lot_that_is_filled_again_too_late_expires_again(
    clocked_db: Database, clock: SettableClock
) -> None:
    brand = await clocked_db.in_transaction(make_brand)
    (member_id,) = await members_with(clocked_db, brand, {YESTERDAY: 5})
    assert (await sweep(clocked_db, brand)).expired_now == 1
    await clocked_db.in_transaction(give, brand, {member_id: {YESTERDAY: 2}})
    assert (await sweep(clocked_db, brand)).expired_now == 0, "the day's sweep is over"
    assert (await sweep(clocked_db, brand, again=True)).expired_now == 1
    await clocked_db.in_transaction(give, brand, {member_id: {YESTERDAY: 1}})
    clock.advance(days=1)
    swept = await sweep(clocked_db, brand)
    assert (swept.lots_past, swept.expired_now) == (1, 1)
    assert await balances(clocked_db, "EXPIRED") == [8]
    assert broken(await audit(clocked_db)) == {}


async def test_the_worker_sweeps_each_brand_once_a_local_day(
    clocked_db: Database, clock: SettableClock
) -> None:
    east = await clocked_db.in_transaction(make_brand, "east")
    west = await clocked_db.in_transaction(make_brand, "west")
    await clocked_db.in_transaction(make_brand, "idle")
    await set_zone(clocked_db, west, "America/New_York")
    for brand in (east, west):
        lots = {TODAY - timedelta(days=2): 5, YESTERDAY: 5, TODAY: 5}
        await members_with(clocked_db, brand, lots, count=3)
    clock.set(datetime(2026, 11, 8, 17, tzinfo=UTC))  # the 9th in the east, the 8th in the west
    runner = PeriodicRunner(clocked_db)
    await runner.run_due()
    assert len(await expiries(clocked_db)) == 9
    assert await due(clocked_db) == []
    clock.set(datetime(2026, 11, 9, 5, tzinfo=UTC))  # the 9th in the west too
    await runner.run_due()
    assert len(await expiries(clocked_db)) == 12
    async with clocked_db.snapshot() as snapshot:
        job = await snapshot.session.get(PeriodicJob, "expire_lots")
    assert job is not None and (job.failures, job.ran_at) == (0, clock())
    assert broken(await audit(clocked_db)) == {}
