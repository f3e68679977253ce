"""Purchases that tills and shops report one by one: their own instant, and one content with the
file's."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import MemberClosed, ReferenceConflict
from loyalty.ledger.models import Transfer
from loyalty.members.models import Member
from loyalty.outbox import OutboxEvent
from rewards.campaigns.models import CapSubject, CapWindow
from rewards.campaigns.rules import Cap
from rewards.merges.service import merge_members
from rewards.purchases.models import PurchaseEvent, PurchaseSource
from rewards.purchases.reading import LineReport, PurchaseReport
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import BuyerReport, Recorded, record_purchase
from tests.brands_made import make_brand
from tests.rewards.purchases.test_service import DAY, publish, rows, settle

CHINA = timezone(timedelta(hours=8))
LATE = datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=CHINA)
ANN = BuyerReport(external_ref="ann")


async def report(
    db: Database,
    brand: Brand,
    keyring: Keyring,
    ref: str,
    at: datetime,
    buyer: BuyerReport = ANN,
    lines: tuple[LineReport, ...] = (),
    source: PurchaseSource = PurchaseSource.TILL,
) -> Recorded:
    told = PurchaseReport(ref, at, 2, 500, source, lines)
    return await db.in_transaction(record_purchase, system_actor(brand.id), keyring, told, buyer)


async def test_a_purchase_keeps_its_instant_and_counts_on_its_own_day(
    db: Database, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    await publish(db, brand, caps=[Cap(CapSubject.MEMBER, CapWindow.DAY, 1)])
    instant = timedelta(microseconds=1)
    found = [
        await report(db, brand, keyring, ref, at)
        for ref, at in (("1", LATE + instant), ("2", LATE), ("3", LATE - instant))
    ]
    assert [bool(recorded.earned) for recorded in found] == [True, True, False]
    events = {event.purchase_ref: event for event in await rows(db, PurchaseEvent)}
    assert events["2"].occurred_at == LATE.astimezone(UTC)
    assert [events[ref].purchased_on.day for ref in "123"] == [1, 31, 31]
    assert {t.occurred_at for t in await rows(db, Transfer)} == {
        event.occurred_at for ref, event in events.items() if ref != "3"
    }


async def test_a_report_of_noon_is_the_same_purchase_as_the_files_row(
    db: Database, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    [imported] = await settle(db, brand, PurchaseFact("1", "ann", DAY, 2, 500))
    noon = datetime(2026, 3, 31, 12, tzinfo=CHINA)
    again = await report(db, brand, keyring, "1", noon)
    assert (again.is_new, again.purchase_id) == (False, imported.purchase_id)
    with pytest.raises(ReferenceConflict):
        await report(db, brand, keyring, "1", noon + timedelta(seconds=1))
    with pytest.raises(ReferenceConflict):
        await report(db, brand, keyring, "1", noon, lines=(LineReport(1, 2, 500, sku="tea"),))


async def test_a_list_of_past_purchases_is_no_news(db: Database, keyring: Keyring) -> None:
    brand = await db.in_transaction(make_brand)
    for source in PurchaseSource:
        await report(db, brand, keyring, source.value, LATE, source=source)
    told = [e.payload for e in await rows(db, OutboxEvent) if e.topic == "purchase.recorded"]
    assert sorted(payload["source"] for payload in told) == ["ORDER", "TILL"]


async def test_a_merged_member_buys_as_who_it_is_now(db: Database, keyring: Keyring) -> None:
    brand = await db.in_transaction(make_brand)
    actor = system_actor(brand.id)
    ids = [
        (await report(db, brand, keyring, ref, LATE, BuyerReport(external_ref=ref))).member_id
        for ref in ("ann", "eve")
    ]
    await db.in_transaction(
        merge_members, actor, from_member_id=ids[0], into_member_id=ids[1], reason="one person"
    )
    assert (await report(db, brand, keyring, "later", LATE)).member_id == ids[1]
    [imported] = await settle(db, brand, PurchaseFact("listed", "ann", DAY, 2, 500))
    assert imported.member_id == ids[1]
    with pytest.raises(MemberClosed):
        await report(db, brand, keyring, "4", LATE, BuyerReport(member_id=ids[0]))


async def test_a_phone_that_buys_at_many_tills_at_once_is_one_member(
    db: Database, database_url: str, keyring: Keyring
) -> None:
    brand = await db.in_transaction(make_brand)
    phone = BuyerReport(phone="138 0013 8001")
    rivals = [Database(database_url) for _ in range(5)]
    try:
        found = await asyncio.gather(
            *(
                report(rival, brand, keyring, str(n // 2), LATE, phone)
                for n, rival in enumerate(rivals)
            )
        )
    finally:
        for rival in rivals:
            await rival.close()
    assert sum(recorded.is_new for recorded in found) == 3
    assert len({recorded.member_id for recorded in found}) == 1
    assert len(await rows(db, Member)) == 1
