"""Settlement: each rebate is posted once, and a store is paid when enough has come together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from loyalty import outbox
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import Fact, Leased, StaleLease
from rewards.payouts.models import Payout
from rewards.payouts.providers import NullPayoutProvider, Paymaster
from rewards.payouts.rules import order_of
from rewards.redemptions.models import Redemption
from rewards.redemptions.service import CAPTURED_TOPIC, reverse
from tests.clocks import SettableClock
from tests.rewards.payouts.stores import (
    balance_of,
    drain,
    make_stores,
    payouts_of,
    redeem,
    reports_of,
    rows,
    set_place,
    waiting,
)
from workers.relay import Relay
from workers.settlement import settlement
from workers.wiring import make_relay

PAYMASTER = Paymaster(NullPayoutProvider())
settle = settlement(PAYMASTER)[CAPTURED_TOPIC]


def relay_of(db: Database) -> Relay:
    return make_relay(db, NullProvider(), PAYMASTER)


async def lease(tx: Tx) -> tuple[UUID, list[Leased]]:
    return await outbox.lease(tx, batch_size_max=1000)


async def captures(db: Database) -> tuple[UUID, list[Leased]]:
    """Leased, as a worker has them."""
    token, events = await db.in_transaction(lease)
    return token, [event for event in events if event.topic == CAPTURED_TOPIC]


async def test_a_rebate_is_posted_and_waits_for_the_threshold(clocked_db: Database) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    east = shops.east.place
    [first] = await clocked_db.in_transaction(redeem, shops.east, 9_999)
    assert await balance_of(clocked_db, east) == (0, 9_999, 0)
    await drain(relay_of(clocked_db))
    assert await balance_of(clocked_db, east) == (9_999, 0, 0)
    [settled] = await rows(clocked_db, Redemption)
    assert settled.settled_at is not None
    assert await payouts_of(clocked_db, east) == []
    [post] = [t for t in await rows(clocked_db, Transfer) if t.pending_id is not None]
    assert (post.phase, post.kind, post.amount) == ("POST", "REBATE", 9_999)
    assert (post.cause_kind, post.cause_id) == ("REDEMPTION", first.id)
    assert post.pending_id == first.rebate_transfer_id

    await clocked_db.in_transaction(redeem, shops.east, 1)
    await drain(relay_of(clocked_db))
    [payout] = await payouts_of(clocked_db, east)
    assert (payout.status, payout.amount_fen, payout.provider) == ("PAID", 10_000, "null")
    assert order_of(payout.request).payee == "wallet-of-east-0001"
    assert order_of(payout.request).number == payout.number
    assert order_of(payout.request).amount_fen == 10_000
    assert payout.sent_at is not None
    assert payout.resolved_at is not None
    assert await reports_of(clocked_db, payout) == [("SEND", "PAID")]
    assert await balance_of(clocked_db, east) == (0, 0, 0)
    assert await payouts_of(clocked_db, shops.west.place) == []


async def test_what_comes_together_meanwhile_is_paid_without_another_sale(
    clocked_db: Database, clock: SettableClock
) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    east = shops.east.place
    for rebate_fen, held_fen in ((15_000, 15_000), (12_000, 15_000)):
        await clocked_db.in_transaction(redeem, shops.east, rebate_fen)
        token, events = await captures(clocked_db)
        await clocked_db.in_transaction(settle, token, events)
        [live] = await payouts_of(clocked_db, east)  # one at a time
        assert (live.status, live.amount_fen) == ("CREATED", 15_000)
        assert (await balance_of(clocked_db, east))[2] == held_fen
    clock.advance(seconds=31)  # the leases above lapse
    await drain(relay_of(clocked_db))
    paid = [(p.status, p.amount_fen) for p in await payouts_of(clocked_db, east)]
    assert paid == [("PAID", 15_000), ("PAID", 12_000)]


async def test_a_reversal_before_settlement_leaves_nothing_to_post(clocked_db: Database) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    kept, undone = await clocked_db.in_transaction(redeem, shops.east, 20_000, 2)
    await clocked_db.in_transaction(reverse, shops.east.actor, undone.id, "wrong coupon")
    await drain(relay_of(clocked_db))
    [payout] = await payouts_of(clocked_db, shops.east.place)
    assert payout.amount_fen == 20_000
    settled = {r.id: r.settled_at is not None for r in await rows(clocked_db, Redemption)}
    assert settled == {kept.id: True, undone.id: False}
    assert await waiting(clocked_db, CAPTURED_TOPIC) == []
    assert await balance_of(clocked_db, shops.east.place) == (0, 0, 0)


async def test_a_reversal_after_the_payout_is_made_up_for_by_later_rebates(
    clocked_db: Database,
) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    east = shops.east.place
    [undone] = await clocked_db.in_transaction(redeem, shops.east, 11_000)
    await drain(relay_of(clocked_db))
    await clocked_db.in_transaction(reverse, shops.east.actor, undone.id, "brought back")
    assert await balance_of(clocked_db, east) == (-11_000, 0, 0)
    await clocked_db.in_transaction(redeem, shops.east, 12_000)
    await drain(relay_of(clocked_db))
    assert await balance_of(clocked_db, east) == (1_000, 0, 0)
    await clocked_db.in_transaction(redeem, shops.east, 9_000)
    await drain(relay_of(clocked_db))
    assert [p.amount_fen for p in await payouts_of(clocked_db, east)] == [11_000, 10_000]


async def test_settlement_and_reversal_at_once_agree_on_who_was_first(db: Database) -> None:
    shops = await db.in_transaction(make_stores)
    east = shops.east.place
    captured = await db.in_transaction(redeem, shops.east, 1_000, 12)
    token, events = await captures(db)

    async def undo(redemption: Redemption) -> None:
        await db.in_transaction(reverse, shops.east.actor, redemption.id, "undone")

    await asyncio.gather(
        *(undo(redemption) for redemption in captured[::2]),
        *(db.in_transaction(settle, token, [event]) for event in events),
    )
    after = await rows(db, Redemption)
    assert {r.status for r in after if r.id in {c.id for c in captured[::2]}} == {"REVERSED"}
    assert await balance_of(db, east) == (6_000, 0, 0)
    ends = [t for t in await rows(db, Transfer) if t.pending_id is not None]
    by_cause = {t.cause_id: t.phase for t in ends}
    assert len(ends) == len(by_cause) == 12  # each pending rebate ends once
    taken_back = {t.cause_id for t in await rows(db, Transfer) if t.kind == "REVERSE"}
    for redemption in after:
        was_posted = by_cause[redemption.id] == "POST"
        assert was_posted == (redemption.settled_at is not None)
        is_undone = redemption.status == "REVERSED"
        assert (redemption.id in taken_back) == (is_undone and was_posted)


async def test_a_worker_past_its_lease_settles_nothing(
    clocked_db: Database, clock: SettableClock
) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    await clocked_db.in_transaction(redeem, shops.east, 10_000, 3)
    token, events = await captures(clocked_db)
    clock.advance(seconds=31)
    await drain(relay_of(clocked_db))
    with pytest.raises(StaleLease):
        await clocked_db.in_transaction(settle, token, events)
    assert [p.amount_fen for p in await payouts_of(clocked_db, shops.east.place)] == [30_000]


async def test_a_fact_that_comes_twice_settles_once_and_a_strange_one_fails_alone(
    clocked_db: Database,
) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    redemptions = await clocked_db.in_transaction(redeem, shops.east, 1_000, 2)
    strange = new_id()

    async def emit_again(tx: Tx) -> None:
        subjects = [redemption.id for redemption in redemptions] + [strange]
        await outbox.emit(
            tx, [Fact(shops.brand.id, CAPTURED_TOPIC, id, {}, tx.now) for id in subjects]
        )

    await clocked_db.in_transaction(emit_again)
    await relay_of(clocked_db).run_once()
    await clocked_db.in_transaction(emit_again)
    await drain(relay_of(clocked_db))
    assert await balance_of(clocked_db, shops.east.place) == (2_000, 0, 0)
    assert {e.subject_id for e in await waiting(clocked_db, CAPTURED_TOPIC)} == {strange}
    assert {e.last_error for e in await waiting(clocked_db, CAPTURED_TOPIC)} == {
        "UnknownRedemption"
    }


@pytest.mark.parametrize("missing", [{"payee": None}, {"status": "CLOSED"}], ids=["payee", "open"])
async def test_a_store_that_cannot_be_paid_keeps_its_rebates(
    clocked_db: Database, missing: dict[str, Any]
) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    east = shops.east.place
    await clocked_db.in_transaction(redeem, shops.east, 30_000)
    await clocked_db.in_transaction(set_place, east, **missing)
    await drain(relay_of(clocked_db))
    assert await payouts_of(clocked_db, east) == []
    assert await balance_of(clocked_db, east) == (30_000, 0, 0)

    async def look_again(tx: Tx) -> None:
        await set_place(tx, east, payee="found", status="OPEN")
        await outbox.emit(tx, [Fact(shops.brand.id, "payout.due", east.id, {}, tx.now)])

    await clocked_db.in_transaction(look_again)
    await drain(relay_of(clocked_db))
    assert [p.status for p in await payouts_of(clocked_db, east)] == ["PAID"]


async def test_stores_and_brands_are_settled_apart_in_one_group(clocked_db: Database) -> None:
    one = await clocked_db.in_transaction(make_stores, "one")
    two = await clocked_db.in_transaction(make_stores, "two")
    wanted = {}
    for n, counter in enumerate((one.east, one.west, two.east, two.west)):
        await clocked_db.in_transaction(redeem, counter, 4_000 + n, 3)
        wanted[counter.place.id] = (12_000 + 3 * n, f"wallet-of-{counter.place.code}-0001")
    await drain(relay_of(clocked_db))
    paid = {
        p.place_id: (p.amount_fen, order_of(p.request).payee)
        for p in await rows(clocked_db, Payout)
    }
    assert paid == wanted


async def test_a_rebate_of_nothing_is_settled_without_a_transfer(clocked_db: Database) -> None:
    shops = await clocked_db.in_transaction(make_stores)
    await clocked_db.in_transaction(redeem, shops.east, 0)
    await drain(relay_of(clocked_db))
    [redemption] = await rows(clocked_db, Redemption)
    assert redemption.settled_at is not None
    assert await rows(clocked_db, Transfer) == []


# --- how many statements -------------------------------------------------------------------------


@asynccontextmanager
async def statements(tx: Tx) -> AsyncIterator[list[str]]:
    """What the driver is told to run on this transaction's connection."""
    told: list[str] = []
    connection = await tx.session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if tx.dialect == "sqlite":
        await driver.set_trace_callback(told.append)
        yield told
        await driver.set_trace_callback(None)
    else:
        with driver.query_logger(lambda record: told.append(record.query)):
            yield told


async def test_a_group_costs_the_same_number_of_statements(clocked_db: Database) -> None:
    async def counted(tx: Tx, token: UUID, events: list[Leased]) -> int:
        async with statements(tx) as told:
            await settle(tx, token, events)
        return len(told)

    counts = {}
    for size in (3, 1, 3, 120):  # twice 3: a new connection asks what it may be told
        shops = await clocked_db.in_transaction(make_stores, f"shops-{new_id().hex}")
        for counter in (shops.east, shops.west):
            await clocked_db.in_transaction(redeem, counter, 20_000, size)
        token, events = await captures(clocked_db)
        assert len(events) == 2 * size
        counts[size] = await clocked_db.in_transaction(counted, token, events)
    assert len(await rows(clocked_db, Payout)) == 8
    assert counts[1] == counts[3] == counts[120] <= 13
