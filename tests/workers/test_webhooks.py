"""Webhooks: signed, in order, tried again, given up and sent again; nobody holds up the others."""

from datetime import timedelta
from uuid import UUID

import pytest

from loyalty import outbox
from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ids import global_id, new_id
from loyalty.outbox import LEASE_SECONDS
from loyalty.webhooks import sending, service
from loyalty.webhooks.catalogue import TYPE_BY_NAME, schema_of
from loyalty.webhooks.rules import ATTEMPTS_MAX, TRIP_FAILURES
from tests.clocks import SettableClock
from tests.statement_log import statements_told
from tests.workers.facts import add_event, add_member
from tests.workers.hooks import Hooks, is_sound, lease
from tests.workers.receiver import BROKEN, HUGE, OK, Got, fits, receiving
from workers.webhook_facts import note_webhooks, replay_webhooks


@pytest.fixture
def hooks(clocked_db: Database, brand: Brand, keyring: Keyring, clock: SettableClock) -> Hooks:
    return Hooks(clocked_db, brand, keyring, clock)


async def test_a_fact_is_told_to_whom_it_is_wanted_by_signed_as_the_standard_has_it(
    hooks: Hooks,
) -> None:
    await hooks.enrol()  # before anybody wants it
    hooks.clock.advance(seconds=1)
    async with receiving() as receiver:
        new = await hooks.endpoint(f"{receiver.url}/in", "member.enrolled", "scan.paid")
        other = await hooks.endpoint(f"{receiver.url}/other", "coupon.redeemed")
        member_id = await hooks.db.in_transaction(add_member, hooks.brand)
        [event_id] = await hooks.enrol(member_id=member_id)
        await hooks.note()
        assert await hooks.send() == 1
        assert await hooks.send() == 0
        [got] = receiver.got
    assert (got.path, got.id) == ("/in", str(event_id))
    assert got.headers["webhook-timestamp"] == str(int(hooks.clock().timestamp()))
    assert got.is_signed_by(new.secret)
    assert not got.is_signed_by(other.secret)
    assert fits(schema_of(TYPE_BY_NAME["member.enrolled"]), got.body)
    assert got.body["data"] == {"member_id": global_id("Member", member_id), "role": "CONSUMER"}
    [delivery], [attempt] = await hooks.deliveries(), await hooks.attempts()
    assert (delivery.status, delivery.attempts, attempt.status_code) == ("DELIVERED", 1, 200)
    assert (await hooks.row(new.endpoint.id)).due_at is None
    assert new.secret not in str(await hooks.row(new.endpoint.id))
    assert await is_sound(hooks)


async def test_subjects_are_told_in_order_and_a_dead_letter_lets_the_rest_through(
    hooks: Hooks,
) -> None:
    bad: set[str] = set()

    def answer(got: Got) -> bytes:
        return BROKEN if got.id in bad else OK

    async with receiving(answer) as receiver:
        endpoint = (await hooks.endpoint(receiver.url)).endpoint
        first, second, third = [str(id) for id in await hooks.enrol(3)]
        [other] = [str(id) for id in await hooks.enrol()]
        bad.add(first)
        await hooks.note()
        await hooks.send()
        assert {got.id for got in receiver.got} == {first, other}
        assert await hooks.statuses() == ["PENDING"] * 3 + ["DELIVERED"]
        assert await is_sound(hooks)
        waits = []
        for _ in range(ATTEMPTS_MAX - 1):
            before = hooks.clock()
            await hooks.wait_for_turn([endpoint.id])
            waits.append(hooks.clock() - before)
            await hooks.send()
        assert waits[0] < timedelta(seconds=9)
        assert timedelta(hours=1) < waits[-1] < timedelta(hours=8)
        await hooks.wait_for_turn([endpoint.id])  # its circuit is open for a little
        await hooks.send()
        assert [got.id for got in receiver.got if got.id != other] == [first] * ATTEMPTS_MAX + [
            second,
            third,
        ]
    assert await hooks.statuses() == ["DEAD"] + ["DELIVERED"] * 3
    dead = (await hooks.deliveries())[0]
    assert (dead.attempts, dead.last_error, dead.last_status_code) == (12, "HTTP 500", 500)
    assert len(await hooks.attempts()) == ATTEMPTS_MAX + 3
    assert await is_sound(hooks)


async def test_who_hangs_refuses_or_answers_too_much_delays_nobody(hooks: Hooks) -> None:
    hooks.send_seconds_max = 1.5  # the others have answered by then
    async with receiving() as elsewhere:
        moved = f"HTTP/1.1 302 X\r\nlocation: {elsewhere.url}\r\ncontent-length: 0\r\n\r\n"
        replies = {"/broken": BROKEN, "/huge": HUGE, "/moved": moved.encode(), "/hangs": None}

        def answer(got: Got) -> bytes | None:
            return replies.get(got.path, OK)

        async with receiving(answer) as receiver:
            ids = {}
            for path in (*replies, "/in"):
                made = await hooks.endpoint(receiver.url + path)
                ids[path] = made.endpoint.id
            ids["gone"] = (await hooks.endpoint("http://127.0.0.1:9/")).endpoint.id
            for _ in range(TRIP_FAILURES + 1):
                await hooks.enrol()
            await hooks.note()
            await hooks.send()
            counts = {path: len(receiver.at(path)) for path in (*replies, "/in")}
        assert elsewhere.connections == 0
    # Whom nobody could reach is left alone; who answers is asked of other subjects for a while.
    assert counts["/in"] == TRIP_FAILURES + 1
    assert counts["/hangs"] <= 4
    assert TRIP_FAILURES <= counts["/broken"] <= TRIP_FAILURES + 3
    errors = {each.last_error for each in await hooks.deliveries() if each.last_error}
    assert {error.partition(":")[0] for error in errors} == {
        *("HTTP 500", "HTTP 302", "ReplyTooLong", "TimeoutError", "ConnectError"),
    }
    for path in ("/hangs", "gone", "/broken"):
        row = await hooks.row(ids[path])
        assert row.blocked_until is not None
        assert row.failures > 0
    assert await is_sound(hooks)


async def test_while_a_secret_is_rotated_both_sign(hooks: Hooks) -> None:
    actor = system_actor(hooks.brand.id)
    async with receiving() as receiver:
        old = await hooks.endpoint(receiver.url)
        new = await hooks.db.in_transaction(
            service.rotate_secret, actor, hooks.keyring, old.endpoint.id, 3600
        )
        for _ in range(2):
            await hooks.db.in_transaction(service.send_test, actor, old.endpoint.id)
            await hooks.send()
            hooks.clock.advance(seconds=3601)
        during, after = receiver.got
    assert during.is_signed_by(old.secret)
    assert during.is_signed_by(new.secret)
    assert after.is_signed_by(new.secret)
    assert not after.is_signed_by(old.secret)
    assert fits(schema_of(TYPE_BY_NAME["webhook.test"]), during.body)


async def test_a_delivery_is_sent_again_by_hand_and_all_of_them_from_a_date(hooks: Hooks) -> None:
    actor = system_actor(hooks.brand.id)
    async with receiving() as receiver:
        [early] = await hooks.enrol()  # nobody wants it yet
        hooks.clock.advance(seconds=3600)
        endpoint = (await hooks.endpoint(receiver.url)).endpoint
        since = hooks.clock()
        late = await hooks.enrol(2)
        await hooks.db.in_transaction(add_event, hooks.brand, "tier.gifts_due", new_id())
        await hooks.note()
        await hooks.send()
        [first, _] = await hooks.deliveries()
        await hooks.db.in_transaction(service.resend, actor, first.id)
        await hooks.send()
        assert [UUID(got.id) for got in receiver.got] == [*late, late[0]]

        for start, wanted in ((since, late), (since - timedelta(days=1), [early, *late])):
            receiver.got.clear()
            await hooks.db.in_transaction(service.replay, actor, endpoint.id, start)
            rounds = 0
            while await hooks.db.in_transaction(replay_webhooks, 2):
                rounds += 1
            assert rounds > 1
            await hooks.send()
            assert [UUID(got.id) for got in receiver.got] == wanted
    assert await hooks.statuses() == ["DELIVERED"] * 3
    assert (await hooks.row(endpoint.id)).replay_after_id is None
    assert await is_sound(hooks)


async def test_a_worker_past_its_lease_ends_nothing_and_what_it_sent_is_sent_again(
    hooks: Hooks,
) -> None:
    async with receiving() as receiver:
        await hooks.endpoint(receiver.url)
        await hooks.enrol()
        await hooks.note()
        [late] = await hooks.db.in_transaction(lease)
        hooks.clock.advance(seconds=LEASE_SECONDS + 1)  # the first worker is paused here
        [prompt] = await hooks.db.in_transaction(lease)
        assert await hooks.db.in_transaction(sending.record, [sending.Report(late)]) == 0
        assert (await hooks.row(late.id)).lease_token == prompt.token
        assert await hooks.db.in_transaction(sending.record, [sending.Report(prompt)]) == 1
        await hooks.send()
        assert len(receiver.got) == 1
    assert await hooks.statuses() == ["DELIVERED"]


async def test_an_endpoint_that_is_disabled_is_told_nothing_until_it_is_replayed(
    hooks: Hooks,
) -> None:
    actor = system_actor(hooks.brand.id)
    async with receiving() as receiver:
        id = (await hooks.endpoint(receiver.url)).endpoint.id
        before = await hooks.enrol()
        await hooks.note()
        await hooks.db.in_transaction(service.configure_endpoint, actor, id, active=False)
        assert await hooks.statuses() == ["DEAD"]
        between = await hooks.enrol()
        await hooks.note()
        await hooks.send()
        await hooks.db.in_transaction(service.configure_endpoint, actor, id, active=True)
        hooks.clock.advance(seconds=1)
        after = await hooks.enrol()
        await hooks.note()
        await hooks.send()
        assert [UUID(got.id) for got in receiver.got] == after
        start = hooks.clock() - timedelta(hours=1)
        await hooks.db.in_transaction(service.replay, actor, id, start)
        while await hooks.db.in_transaction(replay_webhooks, 50):
            pass
        await hooks.send()
    assert {UUID(got.id) for got in receiver.got} == {*before, *between, *after}
    assert await is_sound(hooks)


async def test_what_nobody_wants_costs_one_statement_and_no_row(hooks: Hooks) -> None:
    await hooks.endpoint("https://hooks.example/", "raffle.won")
    await hooks.enrol(20)
    await hooks.db.in_transaction(add_event, hooks.brand, "payout.due", new_id())

    async def lease_and_note(tx: Tx) -> list[str]:
        _, events = await outbox.lease(tx, batch_size_max=100)
        assert len(events) == 21
        async with statements_told(tx) as told:
            await note_webhooks(tx, events)
        return told

    assert len(await hooks.db.in_transaction(lease_and_note)) == 1
    assert await hooks.deliveries() == []
