"""The outbox: leased to one worker at a time, delivered once, put back, or dead and visible."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import select

from loyalty import outbox
from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry, record
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.outbox import Fact, Leased, OutboxEvent, StaleLease, next_attempt
from tests.clocks import SettableClock


async def write(tx: Tx, brand_id: UUID, count: int = 1) -> list[UUID]:
    events = [
        Fact(
            brand_id=brand_id,
            topic="member.enrolled",
            subject_id=new_id(),
            payload={"n": i, "text": "水\u2028'\"\\", "nothing": None},
            created_at=tx.now,
            due_at=tx.now,
        )
        for i in range(count)
    ]
    await outbox.emit(tx, events)
    return [event.id for event in events]


async def lease(tx: Tx, batch_size_max: int = 100) -> tuple[UUID, list[Leased]]:
    return await outbox.lease(tx, batch_size_max=batch_size_max)


async def events_of(db: Database) -> list[OutboxEvent]:
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(select(OutboxEvent).order_by("id"))
        return list(found)


async def test_an_event_is_leased_as_it_was_written(db: Database, brand: Brand) -> None:
    ids = await db.in_transaction(write, brand.id, 3)
    _, leased = await db.in_transaction(lease)
    assert [event.id for event in leased] == ids
    assert leased[1].payload == {"n": 1, "text": "水\u2028'\"\\", "nothing": None}
    assert leased[1].brand_id == brand.id
    assert leased[1].attempts == 1
    assert leased[1].created_at.tzinfo is not None


async def test_writing_nothing_is_nothing(db: Database, brand: Brand) -> None:
    assert await db.in_transaction(write, brand.id, 0) == []
    assert (await db.in_transaction(lease))[1] == []


async def test_an_event_rolls_back_with_what_it_tells_of(db: Database, brand: Brand) -> None:
    async def write_and_fail(tx: Tx) -> None:
        await write(tx, brand.id)
        raise StaleLease

    with pytest.raises(StaleLease):
        await db.in_transaction(write_and_fail)
    assert await events_of(db) == []


async def test_a_leased_event_is_nobody_elses_until_its_lease_ends(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    await db.in_transaction(lease)
    clock.advance(seconds=outbox.LEASE_SECONDS - 1)
    assert (await db.in_transaction(lease))[1] == []
    clock.advance(seconds=1)
    _, again = await db.in_transaction(lease)
    assert [event.attempts for event in again] == [2]


async def test_a_delivered_event_is_done(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id, 2)
    token, leased = await db.in_transaction(lease)
    await db.in_transaction(outbox.deliver, token, leased)
    clock.advance(days=1)
    assert (await db.in_transaction(lease))[1] == []
    for event in await events_of(db):
        assert event.delivered_at is not None
        assert event.lease_token is None
    with pytest.raises(StaleLease):
        await db.in_transaction(outbox.deliver, token, leased)


async def test_what_is_due_later_waits(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    token, leased = await db.in_transaction(lease)
    await db.in_transaction(outbox.fail, token, leased, "provider down")
    clock.advance(seconds=1)
    assert (await db.in_transaction(lease))[1] == []
    clock.advance(seconds=1)
    assert len((await db.in_transaction(lease))[1]) == 1


async def test_a_paused_worker_finds_its_work_undone(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    paused_token, paused = await db.in_transaction(lease)
    clock.advance(seconds=outbox.LEASE_SECONDS)
    token, leased = await db.in_transaction(lease)
    assert [event.id for event in leased] == [event.id for event in paused]

    async def work_and_deliver(tx: Tx, under: UUID, events: list[Leased]) -> None:
        await record(tx, system_actor(brand.id), "work", events[0].subject_id)
        await outbox.deliver(tx, under, events)

    with pytest.raises(StaleLease):
        await db.in_transaction(work_and_deliver, paused_token, paused)
    with pytest.raises(StaleLease):
        await db.in_transaction(outbox.fail, paused_token, paused, "late")
    async with db.snapshot() as snapshot:
        assert (await snapshot.session.exec(select(AuditLogEntry))).all() == []
    await db.in_transaction(work_and_deliver, token, leased)
    with pytest.raises(StaleLease):
        await db.in_transaction(work_and_deliver, paused_token, paused)
    async with db.snapshot() as snapshot:
        assert len((await snapshot.session.exec(select(AuditLogEntry))).all()) == 1


async def test_one_lost_event_undoes_the_delivery_of_its_whole_batch(
    db: Database, brand: Brand
) -> None:
    await db.in_transaction(write, brand.id, 3)
    token, leased = await db.in_transaction(lease)
    await db.in_transaction(outbox.deliver, token, leased[:1])
    with pytest.raises(StaleLease):
        await db.in_transaction(outbox.deliver, token, leased)
    assert sum(event.delivered_at is not None for event in await events_of(db)) == 1


async def test_after_the_last_attempt_an_event_is_dead_and_visible(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    for attempt in range(1, outbox.ATTEMPTS_MAX + 1):
        token, leased = await db.in_transaction(lease)
        assert [event.attempts for event in leased] == [attempt]
        await db.in_transaction(outbox.fail, token, leased, "x" * 2000)
        clock.advance(seconds=outbox.BACKOFF_SECONDS_MAX)
    assert (await db.in_transaction(lease))[1] == []
    (event,) = await events_of(db)
    assert event.dead_at is not None
    assert event.delivered_at is None
    assert event.last_error == "x" * 500


async def test_parallel_workers_never_share_an_event(db: Database, brand: Brand) -> None:
    ids = await db.in_transaction(write, brand.id, 200)

    async def work() -> list[UUID]:
        done: list[UUID] = []
        while True:
            token, leased = await db.in_transaction(lease, 7)
            if not leased:
                return done
            assert len(leased) <= 7
            await db.in_transaction(outbox.deliver, token, leased)
            done.extend(event.id for event in leased)

    done = [
        event_id for each in await asyncio.gather(*(work() for _ in range(6))) for event_id in each
    ]
    assert len(done) == len(set(done)) == 200
    assert set(done) == set(ids)


async def test_a_lease_passes_over_what_another_is_taking_now(db: Database, brand: Brand) -> None:
    await db.in_transaction(write, brand.id, 4)
    first_has_taken, second_is_done = asyncio.Event(), asyncio.Event()

    async def take_slowly(tx: Tx) -> list[Leased]:
        _, leased = await lease(tx, 2)
        first_has_taken.set()
        if tx.dialect == "postgresql":  # SQLite's second writer has to wait for the first
            await asyncio.wait_for(second_is_done.wait(), 10)
        return leased

    async def take_meanwhile() -> list[Leased]:
        await first_has_taken.wait()
        _, leased = await db.in_transaction(lease, 100)
        second_is_done.set()
        return leased

    slow, fast = await asyncio.gather(db.in_transaction(take_slowly), take_meanwhile())
    assert (len(slow), len(fast)) == (2, 2)
    assert not {event.id for event in slow} & {event.id for event in fast}


def test_attempts_are_spaced_from_seconds_to_an_hour_by_failures(clock: SettableClock) -> None:
    def waits(attempts: int, failures: int) -> float | None:
        event = Leased(new_id(), new_id(), "topic", new_id(), {}, attempts, clock(), failures)
        at = next_attempt(event, clock())
        return None if at is None else (at - clock()).total_seconds()

    assert [waits(failures + 1, failures) for failures in (0, 1, 4, 10, 11)] == [
        *(2, 4, 32, 2048),
        None,
    ]
    assert [waits(attempts, 0) for attempts in (1, 5, 11, 12)] == [2, 2, 2, None]


async def test_lost_leases_are_no_failures_and_make_nobody_wait(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    for _ in range(5):  # whose workers die
        assert len((await db.in_transaction(lease))[1]) == 1
        clock.advance(seconds=outbox.LEASE_SECONDS)
    for failures, seconds in ((1, 2), (2, 4), (3, 8)):
        token, events = await db.in_transaction(lease)
        await db.in_transaction(outbox.fail, token, events, "provider down")
        (event,) = await events_of(db)
        assert (event.attempts, event.failures) == (5 + failures, failures)
        clock.advance(seconds=seconds - 1)
        assert (await db.in_transaction(lease))[1] == []
        clock.advance(seconds=1)
    token, events = await db.in_transaction(lease)
    assert await db.in_transaction(outbox.release, token, events) == 1
    (event,) = await events_of(db)
    assert (event.attempts, event.failures) == (8, 3)  # given back: neither


async def test_an_error_that_cannot_be_stored_is_stored_all_the_same(
    db: Database, brand: Brand
) -> None:
    await db.in_transaction(write, brand.id)
    token, leased = await db.in_transaction(lease)
    await db.in_transaction(outbox.fail, token, leased, "a\x00b\ud800c")
    (event,) = await events_of(db)
    assert event.last_error is not None
    assert event.last_error.startswith("a")


async def test_what_is_given_back_is_due_again_with_its_attempt(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id, 3)
    token, leased = await db.in_transaction(lease)
    await db.in_transaction(outbox.deliver, token, leased[:1])
    assert await db.in_transaction(outbox.release, token, leased) == 2  # the first has ended
    again, events = await db.in_transaction(lease)
    assert [(event.id, event.attempts) for event in events] == [(e.id, 1) for e in leased[1:]]
    assert await db.in_transaction(outbox.release, token, leased) == 0  # others have them now
    await db.in_transaction(outbox.deliver, again, events)


async def test_an_event_whose_workers_all_died_is_a_dead_letter(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    await db.in_transaction(write, brand.id)
    for attempt in range(1, outbox.ATTEMPTS_MAX + 1):
        _, leased = await db.in_transaction(lease)
        assert [event.attempts for event in leased] == [attempt]
        clock.advance(seconds=outbox.LEASE_SECONDS)
    await db.in_transaction(write, brand.id)
    assert [event.attempts for event in (await db.in_transaction(lease))[1]] == [1]
    dead = (await events_of(db))[0]
    assert (dead.dead_at, dead.lease_token, dead.leased_until) == (clock(), None, None)
    assert (dead.attempts, dead.failures) == (outbox.ATTEMPTS_MAX, 0)
    assert dead.last_error == outbox.DIED_WITH_ITS_WORKER


async def kill_all(tx: Tx) -> None:
    await tx.session.exec(update(OutboxEvent).values(dead_at=tx.now, attempts=12, failures=9))


async def test_dead_letters_are_listed_apart_and_tried_again(
    clocked_db: Database, clock: SettableClock, brand: Brand
) -> None:
    db = clocked_db
    ids = await db.in_transaction(write, brand.id, 2)
    await db.in_transaction(kill_all)
    pending = await db.in_transaction(write, brand.id)
    clock.advance(hours=1)

    async def listed(**which: Any) -> list[UUID]:
        async with db.snapshot() as snapshot:
            return [event.id for event in await outbox.list_events(snapshot, **which)]

    assert await listed() == [*ids, *pending]
    assert await listed(state="dead") == ids
    assert await listed(state="pending") == pending
    assert await listed(limit=1) == ids[:1]
    assert await listed(topic="scan.recorded") == []
    assert await listed(brand_id=new_id()) == []

    async def retry(tx: Tx, only: list[UUID]) -> int:
        found = await outbox.find_dead(tx, ids=only)
        return await outbox.retry(tx, [(brand_id, event_id) for brand_id, event_id, _ in found])

    assert await db.in_transaction(retry, [ids[1], pending[0]]) == 1
    assert await listed(state="dead") == ids[:1]
    _, leased = await db.in_transaction(lease)
    found = {(event.id, event.attempts, event.failures) for event in leased}
    assert found == {(ids[1], 1, 0), (pending[0], 1, 0)}


async def test_who_waits_for_facts_is_told_after_the_commit_and_of_no_other(
    db: Database, brand: Brand
) -> None:
    told = []
    db.on_facts = lambda: told.append(1)

    async def write_and_fail(tx: Tx) -> None:
        await write(tx, brand.id)
        raise StaleLease

    with pytest.raises(StaleLease):
        await db.in_transaction(write_and_fail)
    await db.in_transaction(write, brand.id, 0)
    await db.in_transaction(lease)
    assert told == []
    await db.in_transaction(write, brand.id, 5)
    assert told == [1]
    await db.in_transaction(kill_all)
    await db.in_transaction(lambda tx: outbox.retry(tx, []))
    assert told == [1]
