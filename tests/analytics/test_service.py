"""Rollups agree with the scans they count; a day's figures begin and end with the brand's day."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from analytics import service as analytics
from analytics.service import DayFigures
from loyalty import outbox
from loyalty.brands.models import Brand
from loyalty.clock import first_id_at, utc_now
from loyalty.db import Database, Tx
from loyalty.errors import NotFound
from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from loyalty.members.models import Identity, Member
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import Fact
from rewards.scans.models import ScanEvent
from tests.workers.facts import add_member, add_product
from workers.wiring import make_relay

ON = date(2026, 11, 1)
NOTHING = DayFigures(0, 0, 0, 0, 0)


async def add_brand(tx: Tx, timezone: str) -> Brand:
    brand = Brand(slug=new_id().hex, name="Far", timezone=timezone, created_at=tx.now)
    await tx.add(brand)
    return brand


def id_at(at: datetime) -> UUID:
    """A UUIDv7 as if made at ``at``."""
    return UUID(int=first_id_at(at).int | (new_id().int & ((1 << 80) - 1)))


async def scan(tx: Tx, brand: Brand, product_id: UUID, at: datetime, n: int) -> None:
    """A scan as the scan writes it: its event, and its fact in the outbox."""
    row = ScanEvent(
        brand_id=brand.id,
        id=id_at(at),
        item_no=n,
        code_kind="INNER",
        batch_id=new_id(),
        product_id=product_id,
        identity_id=new_id(),
        member_id=None,
        role="CONSUMER",
        verdict="FIRST" if n % 2 else "REPEAT",
        unpaid_reason=None if n % 3 else "CAP",
        guide_member_id=None,
        guide_unpaid_reason=None,
        campaign_version_id=None,
        device_hash=None,
        latitude=None,
        longitude=None,
        scene=None,
        occurred_at=at,
        created_at=at,
    )
    fact = Fact(
        brand_id=brand.id,
        topic="scan.recorded",
        subject_id=row.id,
        payload={"product_id": product_id.hex, "first": n % 2 == 1, "paid": n % 3 != 0},
        created_at=at,
        due_at=at,
    )
    await tx.add(row)
    await outbox.emit(tx, [fact])


async def scans_at(tx: Tx, brand: Brand, product_id: UUID, *times: datetime) -> None:
    for n, at in enumerate(times):
        await scan(tx, brand, product_id, at, n)


async def enrol(tx: Tx, brand: Brand, *times: datetime) -> None:
    for at in times:
        identity = Identity(brand_id=brand.id, external_ref=new_id().hex, created_at=at)
        await tx.add(
            identity,
            Member(
                brand_id=brand.id,
                id=id_at(at),
                identity_id=identity.id,
                role="CONSUMER",
                enrolled_at=at,
            ),
        )


async def transfer(
    tx: Tx,
    brand: Brand,
    at: datetime,
    amount: int,
    *,
    asset: str = "POINTS",
    kind: str = "EARN",
    phase: str = "POSTED",
) -> None:
    await tx.add(
        Transfer(
            brand_id=brand.id,
            id=id_at(at),
            debit_account_id=new_id(),
            credit_account_id=new_id(),
            asset=asset,
            amount=amount,
            phase=phase,
            pending_id=new_id() if phase in ("POST", "VOID") else None,
            kind=kind,
            cause_kind="SCAN",
            cause_id=new_id(),
            actor_kind="SYSTEM",
            actor_id=new_id(),
            reason="",
            occurred_at=at - timedelta(days=400),  # booked now, for an event of long ago
            created_at=at,
        )
    )


async def drain(db: Database) -> None:
    while await make_relay(db, NullProvider()).run_once():
        pass


async def figures(db: Database, brand: Brand, on: date = ON) -> DayFigures:
    async with db.snapshot() as snapshot:
        return await analytics.figures_of_day(snapshot, brand.id, on)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"])
async def test_rollups_equal_the_scans_they_count(db: Database, zone: str) -> None:
    brand = await db.in_transaction(add_brand, zone)
    chance = random.Random(zone)
    start = datetime(2026, 10, 31, tzinfo=UTC)
    products = [await db.in_transaction(add_product, brand) for _ in range(2)]
    for product_id in products:
        times = [start + timedelta(seconds=chance.randrange(3 * 86_400)) for _ in range(150)]
        await db.in_transaction(scans_at, brand, product_id, *times)
    await drain(db)
    async with db.snapshot() as snapshot:
        events = list(await snapshot.session.exec(select(ScanEvent)))
        days = [date(2026, 10, 30) + timedelta(days=n) for n in range(6)]
        rollups = [
            row for on in days for row in await analytics.list_rollups(snapshot, brand.id, on)
        ]
    tz = ZoneInfo(zone)
    wanted = Counter[tuple[date, int, UUID, str]]()
    for event in events:
        local = event.occurred_at.astimezone(tz)
        key = (local.date(), local.hour, event.product_id)
        wanted[(*key, "all")] += 1
        wanted[(*key, "first")] += event.verdict == "FIRST"
        wanted[(*key, "paid")] += event.unpaid_reason is None
    found = Counter[tuple[date, int, UUID, str]]()
    for row in rollups:
        key = (row.scanned_on, row.hour, row.product_id)
        found[(*key, "all")] += row.scans
        found[(*key, "first")] += row.first_scans
        found[(*key, "paid")] += row.paid_scans
    assert found == wanted
    assert found.total() > 300


@pytest.mark.parametrize(
    ("zone", "first_at", "last_at"),
    [
        ("Asia/Shanghai", "2026-10-31T16:00:00+00:00", "2026-11-01T15:59:59.999999+00:00"),
        ("America/New_York", "2026-11-01T04:00:00+00:00", "2026-11-02T04:59:59.999999+00:00"),
    ],
    ids=["Shanghai", "New York, 25 hours"],
)
async def test_a_days_figures_are_of_the_brands_own_day(
    db: Database, zone: str, first_at: str, last_at: str
) -> None:
    brand = await db.in_transaction(add_brand, zone)
    first, last = datetime.fromisoformat(first_at), datetime.fromisoformat(last_at)
    edges = [first - timedelta(microseconds=1), first, last, last + timedelta(microseconds=1)]
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(scans_at, brand, product_id, *edges)  # inside: 1 and 2 of 0 to 3
    await db.in_transaction(enrol, brand, *edges)
    for amount, at in zip((1, 20, 300, 4000), edges, strict=True):
        await db.in_transaction(transfer, brand, at, amount)
    await drain(db)
    assert await figures(db, brand) == DayFigures(2, 1, 2, 2, 320)
    before, after = ON - timedelta(days=1), ON + timedelta(days=1)
    assert await figures(db, brand, before) == DayFigures(1, 0, 0, 1, 1)
    assert await figures(db, brand, after) == DayFigures(1, 1, 0, 1, 4000)


async def test_points_count_when_they_become_the_members_own(db: Database, brand: Brand) -> None:
    at = datetime(2026, 11, 1, 4, tzinfo=UTC)
    await db.in_transaction(transfer, brand, at, 1)
    await db.in_transaction(transfer, brand, at, 20, phase="POST")
    for phase in ("PENDING", "VOID"):
        await db.in_transaction(transfer, brand, at, 300, phase=phase)
    await db.in_transaction(transfer, brand, at, 300, asset="GROWTH")
    for kind in ("MOVE", "EXPIRE"):
        await db.in_transaction(transfer, brand, at, 300, kind=kind)
    assert await figures(db, brand) == DayFigures(0, 0, 0, 0, 21)


async def test_what_is_made_now_is_in_todays_figures(db: Database, brand: Brand) -> None:
    await db.in_transaction(add_member, brand)
    days = [(utc_now() + timedelta(hours=8, days=n)).date() for n in (-1, 0, 1)]
    assert sum([(await figures(db, brand, day)).new_members for day in days]) == 1


async def test_another_brands_day_and_an_empty_day_are_nothing(db: Database, brand: Brand) -> None:
    other = await db.in_transaction(add_brand, "Asia/Shanghai")
    at = datetime(2026, 11, 1, 4, tzinfo=UTC)
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(scans_at, brand, product_id, at)
    await db.in_transaction(enrol, brand, at)
    await db.in_transaction(transfer, brand, at, 5)
    await drain(db)
    assert await figures(db, brand) == DayFigures(1, 0, 0, 1, 5)
    assert await figures(db, other) == NOTHING
    assert await figures(db, brand, ON + timedelta(days=1)) == NOTHING
    async with db.snapshot() as snapshot:
        assert await analytics.list_rollups(snapshot, other.id, ON) == []
        assert len(await analytics.list_rollups(snapshot, brand.id, ON)) == 1


async def test_an_unknown_brand_has_no_figures(db: Database) -> None:
    async with db.snapshot() as snapshot:
        with pytest.raises(NotFound):
            await analytics.figures_of_day(snapshot, new_id(), ON)
