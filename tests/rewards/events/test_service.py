"""Events settled by the set: what they cost, when they count, and whose they are."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from sqlmodel import select

from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import Expiry, ExpiryKind, Unit
from loyalty.assets.service import configure_asset
from loyalty.db import Database, Tx
from loyalty.errors import ReferenceConflict
from loyalty.ledger.models import Lot
from loyalty.members.service import change_birthday, freeze_member
from rewards.campaigns.models import CapSubject, CapWindow, EventKind
from rewards.campaigns.rules import Cap
from rewards.events import service, sources
from rewards.events.models import EventUnpaidReason
from rewards.events.queries import list_member_events
from rewards.events.reading import EventReport
from rewards.events.rules import EventResult, EventStatus
from rewards.merges.service import merge_members
from rewards.purchases.service import ConfigurationCache
from tests.clocks import SettableClock
from tests.rewards.events.cafe import events, join, run_campaign, sell_coffee
from tests.rewards.returns.shopping import POINTS, Shop, open_shop
from tests.rewards.simulations.trying import recorded, tried
from tests.statement_log import statements_told

AT = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
SET_STATEMENTS_MAX = 25


def drunk(ref: str, member_id: UUID, at: datetime = AT, cups: int = 1) -> EventReport:
    return EventReport(ref, "coffee", at, [("cups", cups)], member_id)


async def post(shop: Shop, *reports: EventReport) -> list[EventResult]:
    posted = await shop.run(service.post_events, shop.actor, reports)
    return [each for each in posted if isinstance(each, EventResult)]


def reasons(results: Sequence[EventResult]) -> list[EventUnpaidReason | None]:
    return [result.recorded.unpaid_reason for result in results if result.recorded is not None]


async def test_a_thousand_events_are_as_many_statements_as_ten(db: Database) -> None:
    shop = await open_shop(db)
    per_day = Cap(CapSubject.MEMBER, CapWindow.DAY, 900)
    condition = "custom.cups > 0 && counters.memberToday >= 0 && tier.rank >= 0"
    await sell_coffee(shop, caps=(per_day,), budgets={POINTS: 950}, condition=condition)
    members = await join(shop, "ann", "bob", "cid")

    async def count(tx: Tx, name: str, size: int) -> int:
        reports = [drunk(f"{name}{n}", members[n % len(members)]) for n in range(size)]
        async with statements_told(tx) as told:
            await service.post_events(tx, shop.actor, reports, ConfigurationCache())
        return len(told)

    counts = [await shop.run(count, name, size) for name, size in (("a", 10), ("b", 10))]
    counts.append(await shop.run(count, "c", 1_000))
    assert counts[1] == counts[2] <= SET_STATEMENTS_MAX, counts
    rows = await events(db, EventKind.CUSTOM)
    assert len(rows) == 1_020
    assert sum(row.unpaid_reason is None for row in rows) == 950
    assert {row.unpaid_reason for row in rows} == {None, "BUDGET"}
    await shop.check_books()


async def test_an_event_told_many_times_at_once_is_recorded_once(db: Database) -> None:
    shop = await open_shop(db)
    await sell_coffee(shop)
    [ann] = await join(shop, "ann")
    told = await asyncio.gather(*(post(shop, drunk("e1", ann)) for _ in range(6)))
    statuses = sorted(result.status for results in told for result in results)
    assert statuses == [EventStatus.ALREADY_RECORDED] * 5 + [EventStatus.RECORDED]
    shop.members["ann"] = ann
    assert (await shop.balances())[POINTS] == (1, 0)


async def test_what_is_late_is_of_its_own_day(db: Database) -> None:
    shop = await open_shop(db)
    days = Expiry(ExpiryKind.AFTER, Unit.DAY, 30)
    await shop.run(
        configure_asset,
        shop.actor,
        POINTS,
        expiry=days,
        adjustment_limit=None,
        status=AssetStatus.ACTIVE,
    )
    once = Cap(CapSubject.MEMBER, CapWindow.DAY, 1)
    await sell_coffee(shop, caps=(once,), ends_at=datetime(2099, 1, 1, tzinfo=UTC))
    [ann] = await join(shop, "ann")
    last = datetime(2026, 11, 1, 15, 59, 59, tzinfo=UTC)  # the last second of a day of the brand
    told = (("e1", AT), ("e2", last), ("e3", AT.replace(hour=8)), ("e4", last.replace(hour=0)))
    results = await post(shop, *(drunk(ref, ann, at) for ref, at in told))
    assert reasons(results) == [None, None, EventUnpaidReason.CAP, EventUnpaidReason.CAP]
    async with db.snapshot() as snapshot:
        lots = (await snapshot.session.exec(select(Lot))).all()
    assert sorted(lot.expires_on for lot in lots) == [date(2026, 12, 1), date(2026, 12, 2)]
    await shop.check_books()


async def test_an_event_of_a_merged_member_is_of_whom_it_was_merged_into(db: Database) -> None:
    shop = await open_shop(db)
    await sell_coffee(shop)
    ann, bob = await join(shop, "ann", "bob")
    shop.members |= {"ann": ann, "bob": bob}
    assert reasons(await post(shop, drunk("e1", ann))) == [None]
    await shop.run(
        merge_members, shop.actor, from_member_id=ann, into_member_id=bob, reason="one person"
    )
    [again, new] = await post(shop, drunk("e1", ann), drunk("e2", ann))
    assert (again.status, new.status) == (EventStatus.ALREADY_RECORDED, EventStatus.RECORDED)
    both = [drunk("e1", ann), drunk("e1", bob)]
    [_, other] = await shop.run(service.post_events, shop.actor, both)
    assert isinstance(other, ReferenceConflict)
    assert (await shop.balances("bob"))[POINTS] == (2, 0)
    async with db.snapshot() as snapshot:
        shown = await list_member_events(snapshot, shop.brand.id, bob, before=None, limit=9)
    assert [event.ref for event in shown] == ["e2", "e1"]
    await shop.check_books()


async def test_birthdays_earn_once_a_year_where_a_campaign_pays_them(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    shop = await open_shop(db)
    ann, bob, cid = await join(shop, "ann", "bob", "cid")
    for member_id in (ann, cid):
        await shop.run(change_birthday, shop.actor, member_id, 2, 29, "told at the till")
    await shop.run(change_birthday, shop.actor, bob, 3, 1, "told at the till")
    await shop.run(freeze_member, shop.actor, cid, "lost")
    clock.set(datetime(2027, 2, 28, 4, 0, tzinfo=UTC))  # a year without a 29th
    assert await shop.run(service.settle_birthdays, 100) == 0, "nobody pays for it"
    await run_campaign(shop, EventKind.BIRTHDAY, condition="member.isBirthday")
    while await shop.run(service.settle_birthdays, 100):
        pass
    [event] = await events(db, EventKind.BIRTHDAY)
    midnight = datetime(2027, 2, 27, 16, 0, tzinfo=UTC)
    assert (event.member_id, event.unpaid_reason, event.occurred_at) == (ann, None, midnight)
    foreseen = await tried(db, shop.brand.id, EventKind.BIRTHDAY.value, days=7)
    assert foreseen == await recorded(db, EventKind.BIRTHDAY), "what a dry run of this week says"
    clock.set(datetime(2028, 2, 28, 16, 0, tzinfo=UTC))  # the 29th where the brand is
    while await shop.run(service.settle_birthdays, 100):
        pass
    assert [event.ref for event in await events(db, EventKind.BIRTHDAY)] == [
        f"{ann.hex}:2027",
        f"{ann.hex}:2028",
    ]
    await shop.check_books()


async def test_a_repeat_within_a_set_has_no_second_effect(db: Database) -> None:
    shop = await open_shop(db)
    await run_campaign(shop, EventKind.SIGN_UP, condition="member.isNew && tier.rank == 0")
    [ann] = await join(shop, "ann")
    facts = [sources.signed_up(ann, AT), sources.signed_up(ann, AT)]
    first, again = await shop.run(service.settle_events, shop.brand.id, shop.actor, facts)
    assert (first.status, again.status) == (EventStatus.RECORDED, EventStatus.ALREADY_RECORDED)
    assert first.recorded == again.recorded
