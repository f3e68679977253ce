"""Payouts: whatever the provider does, each is paid once, and three sets of books agree."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty import outbox
from loyalty.clock import utc_now
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import ATTEMPTS_MAX, Leased, StaleLease
from loyalty.places.models import Place
from rewards.payouts.models import Payout, PayoutReport
from rewards.payouts.providers import HttpPayoutProvider, NullPayoutProvider, Paymaster
from rewards.payouts.rules import Report, ReportState
from rewards.payouts.service import REQUESTED_TOPIC, record_callback
from tests.clocks import SettableClock
from tests.fakes.payout_provider import FakePayoutProvider, Fault
from tests.rewards.payouts.stores import (
    balance_of,
    check_books_agree,
    drain,
    drain_over,
    make_stores,
    payouts_of,
    redeem,
    reports_of,
    rows,
    set_place,
    waiting,
)
from tests.rewards.redemptions.shops import Shops, add_counter, add_place, make_shops
from workers.payouts import PayoutCourier
from workers.relay import Relay
from workers.wiring import make_relay

TIMEOUT_SECONDS = 1.0
REFUSED = "http://127.0.0.1:9"
"""Where nobody listens."""


@pytest.fixture
def provider() -> Iterator[FakePayoutProvider]:
    with FakePayoutProvider() as provider:
        yield provider


@pytest_asyncio.fixture
async def paymaster(provider: FakePayoutProvider) -> AsyncIterator[Paymaster]:
    client = HttpPayoutProvider(provider.url, provider.secret.encode(), TIMEOUT_SECONDS, utc_now)
    yield Paymaster(client)
    await client.close()


@pytest_asyncio.fixture
async def shops(clocked_db: Database) -> Shops:
    """``east`` has 12,345 fen to come."""
    shops = await clocked_db.in_transaction(make_stores)
    await clocked_db.in_transaction(redeem, shops.east, 12_345)
    return shops


def relay_of(db: Database, paymaster: Paymaster) -> Relay:
    return make_relay(db, NullProvider(), paymaster)


SENT, ASKED, UNKNOWN_THEN_SENT = (
    [("SEND", "PAID")],
    [("ASK", "PAID")],
    [("ASK", "NOT_FOUND"), ("SEND", "PAID")],
)
REPORTS: dict[Fault | None, list[tuple[str, str]]] = {
    None: SENT,
    Fault.DELAY: SENT,
    Fault.ERROR_AFTER_PAYING: ASKED,
    Fault.RESET_AFTER_PAYING: ASKED,
    Fault.NO_ANSWER: ASKED,
    Fault.GARBAGE: ASKED,
    Fault.HUGE: ASKED,
    Fault.WRONG_AMOUNT: ASKED,
    Fault.WRONG_NUMBER: ASKED,
    Fault.ERROR_BEFORE_PAYING: UNKNOWN_THEN_SENT,
    Fault.RESET_BEFORE_PAYING: UNKNOWN_THEN_SENT,
    Fault.REDIRECT: UNKNOWN_THEN_SENT,
    Fault.FORGET: [("SEND", "ACCEPTED"), *UNKNOWN_THEN_SENT],
    Fault.PROCESSING: [("SEND", "PROCESSING"), *[("ASK", "PROCESSING")] * 2, *ASKED],
    Fault.FAIL: [("SEND", "FAILED")],
}
"""All that is ever heard of a payout whose first request met a fault."""


async def add_store(tx: Tx, shops: Shops, name: str) -> Place:
    """With 12,345 fen to come."""
    place = await add_place(tx, shops.brand.id, name)
    await set_place(tx, place, payee=name)
    await redeem(tx, await add_counter(tx, place, 1), 12_345)
    return place


async def test_whatever_goes_wrong_a_payout_is_paid_once(
    clocked_db: Database, clock: SettableClock, provider: FakePayoutProvider, paymaster: Paymaster
) -> None:
    assert set(REPORTS) == {None, *Fault}
    shops = await clocked_db.in_transaction(make_shops)
    stores: dict[Fault | None, Place] = {}
    for fault in REPORTS:
        provider.plan_for(str(fault), fault)
        stores[fault] = await clocked_db.in_transaction(add_store, shops, str(fault))
    await drain_over(relay_of(clocked_db, paymaster), clock, hours=0.3)
    for fault, place in stores.items():
        [payout] = await payouts_of(clocked_db, place)
        assert await reports_of(clocked_db, payout) == REPORTS[fault], fault
        is_paid = fault is not Fault.FAIL
        assert (payout.status, payout.amount_fen) == ("PAID" if is_paid else "FAILED", 12_345)
        assert payout.provider_reference == provider.transfers[payout.number].reference
        assert await balance_of(clocked_db, place) == (0 if is_paid else 12_345, 0, 0)
    assert len(provider.paid) == len(stores) - 1
    assert await waiting(clocked_db, REQUESTED_TOPIC) == []
    await check_books_agree(clocked_db, provider, [shops.brand])


async def test_what_takes_long_is_visible_and_asked_about_ever_less_often(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
    shops: Shops,
) -> None:
    provider.processing_asks = 10**6
    provider.plan(Fault.PROCESSING)
    relay = relay_of(clocked_db, paymaster)
    await drain(relay)
    for seconds in (30, 60, 120):
        [ask] = await waiting(clocked_db, "payout.ask")
        assert ask.due_at - clock() == timedelta(seconds=seconds)
        [payout] = await payouts_of(clocked_db, shops.east.place)
        assert (payout.status, payout.resolved_at) == ("PROCESSING", None)
        assert await balance_of(clocked_db, shops.east.place) == (12_345, 0, 12_345)
        clock.advance(seconds=seconds)
        await drain(relay)
    assert len(provider.asked) == 3
    assert len(provider.transfers[payout.number].bodies) == 1


async def test_a_failure_gives_the_money_back_and_is_tried_later_under_a_new_number(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
    shops: Shops,
) -> None:
    provider.plan(Fault.FAIL)
    relay = relay_of(clocked_db, paymaster)
    await drain(relay)
    east = shops.east.place
    [failed] = await payouts_of(clocked_db, east)
    assert (failed.status, failed.failure) == ("FAILED", "收款账户已注销")
    assert await balance_of(clocked_db, east) == (12_345, 0, 0)
    await clocked_db.in_transaction(redeem, shops.east, 55)
    clock.advance(seconds=3599)
    await drain(relay)
    assert await payouts_of(clocked_db, east) == [failed]  # the same payee is left alone
    clock.advance(seconds=1)
    await drain(relay)
    first, second = await payouts_of(clocked_db, east)
    assert first == failed
    assert (second.status, second.amount_fen) == ("PAID", 12_400)
    assert second.number != first.number
    assert await balance_of(clocked_db, east) == (0, 0, 0)
    await check_books_agree(clocked_db, provider, [shops.brand])


async def test_a_store_with_another_payee_is_paid_at_once_after_a_failure(
    clocked_db: Database, provider: FakePayoutProvider, paymaster: Paymaster, shops: Shops
) -> None:
    provider.plan(Fault.FAIL)
    relay = relay_of(clocked_db, paymaster)
    await drain(relay)
    await clocked_db.in_transaction(set_place, shops.east.place, payee="another")
    await clocked_db.in_transaction(redeem, shops.east, 1)
    await drain(relay)
    assert [t.payee for t in provider.transfers.values()] == ["wallet-of-east-0001", "another"]
    assert [p.status for p in await payouts_of(clocked_db, shops.east.place)] == ["FAILED", "PAID"]


async def lease_request(db: Database, paymaster: Paymaster) -> tuple[UUID, list[Leased]]:
    """Settle, and lease the request of the payout as a worker does."""

    async def lease(tx: Tx) -> tuple[UUID, list[Leased]]:
        return await outbox.lease(tx, batch_size_max=100)

    await relay_of(db, paymaster).run_once()
    token, events = await db.in_transaction(lease)
    return token, [event for event in events if event.topic == REQUESTED_TOPIC]


async def test_a_worker_that_dies_after_sending_is_followed_by_one_that_asks(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
    shops: Shops,
) -> None:
    token, events = await lease_request(clocked_db, paymaster)
    courier = PayoutCourier(paymaster)
    async with clocked_db.snapshot() as snapshot:
        [(event_id, parcel)] = (await courier.prepare(snapshot, events)).items()
    reports = {event_id: await courier.send(parcel)}  # and here it is paused, or dies
    clock.advance(seconds=31)
    await drain(relay_of(clocked_db, paymaster))
    with pytest.raises(StaleLease):
        await clocked_db.in_transaction(courier.record, token, events, reports)
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert await reports_of(clocked_db, payout) == ASKED
    assert len(provider.transfers[payout.number].bodies) == 1
    await check_books_agree(clocked_db, provider, [shops.brand])


async def test_two_workers_that_both_send_are_paid_for_once(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
    shops: Shops,
) -> None:
    token, events = await lease_request(clocked_db, paymaster)
    courier = PayoutCourier(paymaster)
    async with clocked_db.snapshot() as snapshot:
        parcels = await courier.prepare(snapshot, events)  # paused here, before sending
    clock.advance(seconds=31)
    await drain(relay_of(clocked_db, paymaster))
    reports = {id: await courier.send(parcel) for id, parcel in parcels.items()}
    with pytest.raises(StaleLease):
        await clocked_db.in_transaction(courier.record, token, events, reports)
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert provider.paid == {payout.number: 12_345}
    assert len(provider.transfers[payout.number].bodies) == 2
    await check_books_agree(clocked_db, provider, [shops.brand])


async def test_a_dead_letter_stays_live_and_visible_and_goes_on_by_asking(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
    shops: Shops,
) -> None:
    provider.plan(Fault.ERROR_AFTER_PAYING)
    await drain(relay_of(clocked_db, paymaster))  # it is paid, and we do not know
    client = HttpPayoutProvider(REFUSED, b"-", TIMEOUT_SECONDS, utc_now)
    await drain_over(relay_of(clocked_db, Paymaster(client)), clock, hours=3)
    await client.close()
    [event] = await waiting(clocked_db, REQUESTED_TOPIC)
    assert event.dead_at is not None
    assert event.attempts == ATTEMPTS_MAX
    assert event.last_error is not None
    assert event.last_error.startswith("ConnectError")
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert payout.status == "CREATED"
    assert await balance_of(clocked_db, shops.east.place) == (12_345, 0, 12_345)

    await clocked_db.in_transaction(outbox.retry, [(event.brand_id, event.id)])
    await drain(relay_of(clocked_db, paymaster))
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert payout.status == "PAID"
    assert await reports_of(clocked_db, payout) == ASKED
    assert len(provider.transfers[payout.number].bodies) == 1
    await check_books_agree(clocked_db, provider, [shops.brand])


async def test_final_states_stay_whatever_is_reported_later(
    clocked_db: Database, paymaster: Paymaster, provider: FakePayoutProvider, shops: Shops
) -> None:
    await clocked_db.in_transaction(redeem, shops.west, 10_000)
    provider.plan_for("wallet-of-west-0001", Fault.FAIL)
    await drain(relay_of(clocked_db, paymaster))
    before = {payout.status: payout for payout in await rows(clocked_db, Payout)}
    assert set(before) == {"PAID", "FAILED"}
    for payout in before.values():
        for state in ReportState.ACCEPTED, ReportState.PROCESSING, *FINAL:
            report = Report(state, payout.number, payout.amount_fen, "another", "later")
            await clocked_db.in_transaction(record_callback, paymaster, report)
    assert {payout.status: payout for payout in await rows(clocked_db, Payout)} == before
    for payout in before.values():
        assert len(await reports_of(clocked_db, payout)) == 5  # recorded, and no more
    assert await balance_of(clocked_db, shops.east.place) == (0, 0, 0)
    assert await balance_of(clocked_db, shops.west.place) == (10_000, 0, 0)
    await check_books_agree(clocked_db, provider, [shops.brand])


OF_COUPONS = {6, 7, 8}
"""Invariants that do not hold here: these coupons were won by no scan."""

FINAL = (ReportState.PAID, ReportState.FAILED)


async def test_reports_at_once_move_the_money_once(
    db: Database, provider: FakePayoutProvider, paymaster: Paymaster
) -> None:
    shops = await db.in_transaction(make_stores)
    await db.in_transaction(redeem, shops.east, 10_000)
    await lease_request(db, paymaster)
    [payout] = await payouts_of(db, shops.east.place)
    reports = [Report(state, payout.number, 10_000) for state in (*ReportState, *FINAL)]
    known = [report for report in reports if report.state is not ReportState.NOT_FOUND]
    await asyncio.gather(
        *(db.in_transaction(record_callback, paymaster, report) for report in known * 2)
    )
    posted, _, held = await balance_of(db, shops.east.place)
    after = await payouts_of(db, shops.east.place)
    assert after[0].resolved_at is not None
    assert (posted, held) == ((0, 0) if after[0].status == "PAID" else (10_000, 0))
    assert len(after) == 1
    assert len(await reports_of(db, payout)) == len(known * 2)


@pytest.mark.only_database(
    "postgresql", reason="SQLite has one writer, whose times are in the order of its commits"
)
@pytest.mark.parametrize("first", FINAL)
async def test_a_report_that_began_first_and_comes_last_changes_nothing_and_is_no_alarm(
    db: Database, provider: FakePayoutProvider, paymaster: Paymaster, first: ReportState
) -> None:
    shops = await db.in_transaction(make_stores)
    await db.in_transaction(redeem, shops.east, 10_000)
    await lease_request(db, paymaster)
    [payout] = await payouts_of(db, shops.east.place)
    paid, failed = (Report(state, payout.number, 10_000) for state in FINAL)
    late, prompt = (paid, failed) if first is ReportState.PAID else (failed, paid)
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def record_late(tx: Tx) -> None:
        has_begun.set()
        await may_go_on.wait()
        await record_callback(tx, paymaster, late)

    paused = asyncio.create_task(db.in_transaction(record_late))
    await has_begun.wait()
    await db.in_transaction(record_callback, paymaster, prompt)
    may_go_on.set()
    await paused
    [payout] = await payouts_of(db, shops.east.place)
    told = {row.state: row.created_at for row in await rows(db, PayoutReport)}
    assert told[late.state] < told[prompt.state] == payout.resolved_at
    assert payout.status == prompt.state
    broken = [check for check in await audit(db) if check.broken]
    assert {check.invariant for check in broken} <= OF_COUPONS


async def test_many_payouts_meet_every_fault_at_random(
    clocked_db: Database,
    clock: SettableClock,
    provider: FakePayoutProvider,
    paymaster: Paymaster,
) -> None:
    quick = tuple(fault for fault in Fault if fault not in (Fault.NO_ANSWER, Fault.DELAY))
    provider.misbehave(0.7, quick)
    relay = relay_of(clocked_db, paymaster)
    every = [await clocked_db.in_transaction(make_stores, f"brand-{n}") for n in range(4)]
    for _ in range(2):
        for n, shops in enumerate(every):
            for counter in (shops.east, shops.west):
                await clocked_db.in_transaction(redeem, counter, 10_000 + n)
        await drain_over(relay, clock, hours=2)
    provider.misbehave(0)
    await drain_over(relay, clock, hours=6)
    payouts = await rows(clocked_db, Payout)
    assert {payout.status for payout in payouts} <= {"PAID", "FAILED"}
    assert sum(p.amount_fen for p in payouts if p.status == "PAID") == 4 * sum(
        10_000 + n for n in range(4)
    )
    await check_books_agree(clocked_db, provider, [shops.brand for shops in every])
    broken = [check for check in await audit(clocked_db) if check.broken]
    assert {check.invariant for check in broken} <= OF_COUPONS


async def test_a_payout_of_another_provider_is_not_sent_by_this_one(
    clocked_db: Database, provider: FakePayoutProvider, paymaster: Paymaster, shops: Shops
) -> None:
    await lease_request(clocked_db, Paymaster(NullPayoutProvider()))
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert payout.provider == "null"
    event = Leased(shops.brand.id, new_id(), REQUESTED_TOPIC, payout.id, {}, 1, payout.created_at)
    async with clocked_db.snapshot() as snapshot:
        with pytest.raises(Exception, match="null"):
            await PayoutCourier(paymaster).prepare(snapshot, [event])
    assert provider.transfers == {}
