"""The relay: each fact has its effect once, a bad one fails alone, a late worker is refused."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from loyalty import outbox
from loyalty.actor import MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.notifications.providers import Message, NullProvider
from loyalty.outbox import ATTEMPTS_MAX, LEASE_SECONDS, Leased, OutboxEvent, StaleLease
from loyalty.webhooks.catalogue import EVENT_TYPES, TEST_TYPE
from tests.clocks import SettableClock
from tests.workers.facts import (
    Gateway,
    add_enrolments,
    add_event,
    add_member,
    add_product,
    add_scans,
    count_rollups,
    list_events,
    list_notifications,
    states,
)
from tiers.ladders.service import publish_ladder, starter_levels
from workers.handlers import count_scans
from workers.relay import INTERRUPTED, SENDING_AT_ONCE_MAX
from workers.wiring import make_relay


async def test_whatever_is_told_outside_is_dealt_with_inside(db: Database) -> None:
    relay = make_relay(db, NullProvider())
    told = {each.topic for each in EVENT_TYPES} - {TEST_TYPE}  # which is no fact
    assert {topic for topic in told if not relay.knows(topic)} == set()


class HangingGateway(Gateway):
    """Takes a message only once it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.reached.set()
        await self.released.wait()
        await super().send(message)


async def lease(tx: Tx) -> tuple[UUID, list[Leased]]:
    return await outbox.lease(tx, batch_size_max=1000)


async def test_nothing_due_is_nothing(db: Database) -> None:
    assert await make_relay(db, NullProvider()).run_once() == 0


async def test_scans_are_counted_once(db: Database, brand: Brand) -> None:
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, 120)
    relay = make_relay(db, NullProvider())
    assert [await relay.run_once(50) for _ in range(4)] == [50, 50, 20, 0]
    assert await count_rollups(db) == (120, 60, 40)
    assert await states(db) == {"delivered": 120}


async def test_a_new_consumer_is_welcomed_and_others_are_not(db: Database, brand: Brand) -> None:
    members = await db.in_transaction(add_enrolments, brand, 2)
    guide = await db.in_transaction(add_member, brand, "GUIDE")
    await db.in_transaction(add_event, brand, "member.enrolled", guide, role="GUIDE")
    gateway = Gateway()
    assert await make_relay(db, gateway).run_once() == 3
    assert await states(db) == {"delivered": 3}
    assert {message.member_id for message in gateway.taken} == set(members)
    sent = await list_notifications(db)
    events = [event for event in await list_events(db) if event.subject_id != guide]
    assert {row.id for row in sent} == {event.id for event in events}
    assert {(row.kind, row.provider, row.content["en"]) for row in sent} == {
        ("WELCOME", "gateway", "Welcome to Demo!")
    }


async def test_a_tier_is_told_by_its_name_in_the_members_ladder(db: Database, brand: Brand) -> None:
    await db.in_transaction(
        publish_ladder, system_actor(brand.id), role=MemberRole.CONSUMER, levels=starter_levels()
    )
    member = await db.in_transaction(add_member, brand)
    guide = await db.in_transaction(add_member, brand, "GUIDE")
    for member_id in (member, guide):
        change = {"change_id": member_id.hex, "from_rank": 0, "to_rank": 2, "code": "GOLD"}
        await db.in_transaction(add_event, brand, "tier.reached", member_id, **change)
    await make_relay(db, NullProvider()).run_once()
    said = {row.member_id: row.content for row in await list_notifications(db)}
    assert said[member]["zh"] == "恭喜您成为Demo金卡会员!"
    assert said[member]["en"] == "Congratulations! You are now Gold at Demo."
    assert "GOLD" in said[guide]["en"]  # no such level in the guides' ladder: its code


async def test_a_worker_past_its_lease_counts_nothing(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    product_id = await clocked_db.in_transaction(add_product, brand)
    await clocked_db.in_transaction(add_scans, brand, product_id, 30)
    token, events = await clocked_db.in_transaction(lease)
    clock.advance(seconds=LEASE_SECONDS + 1)  # the first worker is paused here
    assert await make_relay(clocked_db, NullProvider()).run_once() == 30
    with pytest.raises(StaleLease):
        await clocked_db.in_transaction(count_scans, token, events)
    assert await count_rollups(clocked_db) == (30, 15, 10)


async def test_a_worker_whose_events_are_leased_anew_counts_nothing(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    product_id = await clocked_db.in_transaction(add_product, brand)
    await clocked_db.in_transaction(add_scans, brand, product_id, 30)
    late_token, late = await clocked_db.in_transaction(lease)
    clock.advance(seconds=LEASE_SECONDS + 1)
    token, events = await clocked_db.in_transaction(lease)
    with pytest.raises(StaleLease):
        await clocked_db.in_transaction(count_scans, late_token, late)
    assert await count_rollups(clocked_db) == (0, 0, 0)
    await clocked_db.in_transaction(count_scans, token, events)
    assert await count_rollups(clocked_db) == (30, 15, 10)


async def test_a_message_of_a_worker_past_its_lease_is_recorded_once(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    await clocked_db.in_transaction(add_enrolments, brand, 3)
    late, prompt = HangingGateway(), Gateway()
    paused = asyncio.create_task(make_relay(clocked_db, late).run_once())
    await late.reached.wait()
    clock.advance(seconds=LEASE_SECONDS + 1)
    assert await make_relay(clocked_db, prompt).run_once() == 3
    late.released.set()
    assert await paused == 3  # told by the log, no crash
    assert len(late.taken) == len(prompt.taken) == 3  # sent at least once, recorded once:
    assert {row.provider for row in await list_notifications(clocked_db)} == {"gateway"}
    assert len(await list_notifications(clocked_db)) == 3
    assert await states(clocked_db) == {"delivered": 3}


async def test_a_provider_that_recovers_is_tried_again(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    await clocked_db.in_transaction(add_enrolments, brand, 5)
    gateway = Gateway(failures=3)
    relay = make_relay(clocked_db, gateway)
    for attempt in range(1, 4):
        assert await relay.run_once() == 5
        for event in await list_events(clocked_db):
            assert (event.attempts, event.failures) == (attempt, attempt)
            assert event.lease_token is None
            assert event.due_at == clock() + timedelta(seconds=2**attempt)
            assert event.last_error is not None
            assert event.last_error.startswith("ConnectionError: gateway busy")
            assert "13800138000" not in event.last_error
        assert await relay.run_once() == 0  # not before it is due
        clock.advance(seconds=2**attempt)
    assert await list_notifications(clocked_db) == []
    assert await relay.run_once() == 5
    assert len(await list_notifications(clocked_db)) == len(gateway.taken) == 5
    assert await states(clocked_db) == {"delivered": 5}


async def test_what_fails_too_often_is_dead_and_visible(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    await clocked_db.in_transaction(add_enrolments, brand, 1)
    gateway = Gateway(failures=100)
    relay = make_relay(clocked_db, gateway)
    for _ in range(ATTEMPTS_MAX):
        assert await states(clocked_db) == {"waiting": 1}
        assert await relay.run_once() == 1
        clock.advance(hours=1)
    assert await states(clocked_db) == {"dead": 1}
    assert gateway.tried.total() == ATTEMPTS_MAX
    clock.advance(days=30)
    assert await relay.run_once() == 0
    (event,) = await list_events(clocked_db)
    assert event.last_error is not None
    assert (event.attempts, event.failures) == (ATTEMPTS_MAX, ATTEMPTS_MAX)


@pytest.mark.parametrize(
    "payload",
    [
        {"product_id": new_id().hex, "first": True, "paid": True},  # no such product
        {"product_id": "tea", "first": True, "paid": True},
        {"first": True},
        {},
    ],
    ids=["unknown product", "no id", "no product", "empty"],
)
async def test_a_bad_scan_fails_alone(db: Database, brand: Brand, payload: dict[str, Any]) -> None:
    product_id = await db.in_transaction(add_product, brand)
    await db.in_transaction(add_scans, brand, product_id, 30)
    bad = await db.in_transaction(add_event, brand, "scan.recorded", **payload)
    await db.in_transaction(add_scans, brand, product_id, 30)
    assert await make_relay(db, NullProvider()).run_once() == 61
    assert await count_rollups(db) == (60, 30, 20)
    assert await states(db) == {"delivered": 60, "waiting": 1}
    (waiting,) = [event for event in await list_events(db) if event.delivered_at is None]
    assert waiting.id == bad
    assert waiting.last_error is not None


async def test_a_bad_message_fails_alone_and_is_sent_to_nobody(db: Database, brand: Brand) -> None:
    await db.in_transaction(add_enrolments, brand, 4)
    nobody = await db.in_transaction(add_event, brand, "member.enrolled", new_id(), role="CONSUMER")
    roleless = await db.in_transaction(add_event, brand, "member.enrolled", new_id())
    await db.in_transaction(add_enrolments, brand, 4)
    gateway = Gateway()
    await make_relay(db, gateway).run_once()
    assert len(gateway.taken) == len(await list_notifications(db)) == 8
    errors = {e.id: e.last_error for e in await list_events(db) if e.delivered_at is None}
    assert errors == {nobody: "UnknownMember", roleless: "KeyError: 'role'"}


async def test_a_message_that_is_recorded_is_not_sent_again(db: Database, brand: Brand) -> None:
    async def resend(tx: Tx) -> None:
        await tx.session.exec(update(OutboxEvent).values(delivered_at=None, due_at=tx.now))

    await db.in_transaction(add_enrolments, brand, 1)
    gateway = Gateway()
    await make_relay(db, gateway).run_once()
    await db.in_transaction(resend)
    assert await make_relay(db, gateway).run_once() == 1
    assert len(gateway.taken) == 1
    assert await states(db) == {"delivered": 1}


async def test_an_unknown_topic_is_never_delivered(db: Database, brand: Brand) -> None:
    await db.in_transaction(add_event, brand, "moon.landed")
    await db.in_transaction(add_enrolments, brand, 1)
    assert await make_relay(db, NullProvider()).run_once() == 2
    (waiting,) = [event for event in await list_events(db) if event.delivered_at is None]
    assert waiting.last_error == "no handler for the topic 'moon.landed'"


async def test_brands_are_counted_apart_each_in_its_zone(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    other = Brand(slug="other", name="Other", timezone="America/New_York", created_at=clock())
    await clocked_db.in_transaction(Tx.add, other)
    at = datetime(2026, 11, 9, 2, 0, tzinfo=UTC)
    for each, count in ((brand, 3), (other, 5)):
        product_id = await clocked_db.in_transaction(add_product, each)
        await clocked_db.in_transaction(add_scans, each, product_id, count, at)
    await make_relay(clocked_db, NullProvider()).run_once()
    assert await count_rollups(clocked_db) == (8, 5, 3)


async def attempts_of(db: Database) -> Counter[tuple[int, str | None]]:
    """How many events wait with so many attempts behind them and this error."""
    waiting = [event for event in await list_events(db) if event.delivered_at is None]
    assert all(event.lease_token is None for event in waiting)
    return Counter((event.attempts, event.last_error) for event in waiting)


async def test_a_round_that_is_broken_off_hands_back_what_it_holds(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    await clocked_db.in_transaction(add_enrolments, brand, SENDING_AT_ONCE_MAX + 8)
    gateway = HangingGateway()
    round_ = asyncio.create_task(make_relay(clocked_db, gateway).run_once())
    await gateway.reached.wait()
    round_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await round_
    assert await attempts_of(clocked_db) == {(1, INTERRUPTED): SENDING_AT_ONCE_MAX, (0, None): 8}
    prompt = Gateway()
    assert await make_relay(clocked_db, prompt).run_once() == 8
    clock.advance(seconds=2)  # what may have arrived waits as after any failure
    assert await make_relay(clocked_db, prompt).run_once() == SENDING_AT_ONCE_MAX
    assert await states(clocked_db) == {"delivered": SENDING_AT_ONCE_MAX + 8}


async def test_what_was_sent_before_the_stop_is_recorded(db: Database, brand: Brand) -> None:
    class LastHangs(HangingGateway):
        async def send(self, message: Message) -> None:
            self.tried[message.id] += 1
            if self.tried.total() < 5:
                self.taken.append(message)
            else:
                await super().send(message)

    await db.in_transaction(add_enrolments, brand, 5)
    gateway = LastHangs()
    round_ = asyncio.create_task(make_relay(db, gateway).run_once())
    await gateway.reached.wait()
    round_.cancel()
    await asyncio.wait({round_})
    assert {row.id for row in await list_notifications(db)} == {m.id for m in gateway.taken}
    assert await attempts_of(db) == {(1, INTERRUPTED): 1}
    assert await states(db) == {"delivered": 4, "waiting": 1}


async def test_what_a_hung_provider_left_untried_is_given_back(
    clocked_db: Database, brand: Brand
) -> None:
    count = 4 * SENDING_AT_ONCE_MAX
    await clocked_db.in_transaction(add_enrolments, brand, count)
    assert await make_relay(clocked_db, HangingGateway(), lease_seconds=1).run_once() == count
    found = await attempts_of(clocked_db)
    assert found[(1, "TimeoutError")] >= SENDING_AT_ONCE_MAX
    assert found[(0, None)] >= 1
    assert found.total() == count == found[(1, "TimeoutError")] + found[(0, None)]
