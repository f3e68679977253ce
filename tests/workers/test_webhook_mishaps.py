"""Webhooks when things go wrong: what is ours, what is of before, and who waits for whom."""

import asyncio
import os
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from loyalty import outbox
from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput
from loyalty.webhooks import sending, service
from loyalty.webhooks.models import WebhookEndpoint
from loyalty.webhooks.rules import ENDPOINTS_MAX, TRIP_FAILURES
from tests.clocks import SettableClock
from tests.statement_log import statements_told
from tests.workers.facts import add_event, add_member
from tests.workers.hooks import Hooks, is_sound, lease
from tests.workers.receiver import receiving
from workers.webhook_facts import note_webhooks


@pytest.fixture
def hooks(clocked_db: Database, brand: Brand, keyring: Keyring, clock: SettableClock) -> Hooks:
    return Hooks(clocked_db, brand, keyring, clock)


@pytest.mark.parametrize("change", [{"url": "https://new.example/"}, {"active": False}])
async def test_what_an_endpoint_did_says_nothing_of_what_it_was_made_into(
    hooks: Hooks, change: dict[str, Any]
) -> None:
    id = (await hooks.endpoint("https://old.example/")).endpoint.id
    await hooks.enrol()
    await hooks.note()
    [old] = await hooks.db.in_transaction(lease)
    failed = sending.Report(old, [_failed(each) for each in await _due(hooks, old)])
    assert failed.failures() == 1
    actor = system_actor(hooks.brand.id)
    await hooks.db.in_transaction(service.configure_endpoint, actor, id, **change)
    new = await hooks.db.in_transaction(lease)  # nobody waits for the other to end
    assert [each.url for each in new] == [each for each in change.values() if each]
    both = [*(sending.Report(each) for each in new), failed]
    assert await hooks.db.in_transaction(sending.record, both) == len(new)
    row = await hooks.row(id)
    assert (row.lease_token, row.failures, row.blocked_until) == (None, 0, None)
    assert await hooks.attempts() == []
    assert await is_sound(hooks)


async def _due(hooks: Hooks, leased: sending.LeasedEndpoint) -> list[sending.DueDelivery]:
    async with hooks.db.snapshot() as snapshot:
        return await sending.list_due(snapshot, leased, 9)


def _failed(delivery: sending.DueDelivery) -> sending.Attempt:
    at = delivery.created_at
    return sending.Attempt(delivery, at, 1, None, "ConnectError", was_reached=False, chance=0.5)


async def test_endpoints_are_locked_before_what_shares_their_lock(hooks: Hooks) -> None:
    """Two who note for the same endpoints would wait for one another."""
    await hooks.endpoint("https://hooks.example/")
    await hooks.enrol()

    async def lease_and_note(tx: Tx) -> list[str]:
        _, events = await outbox.lease(tx, batch_size_max=100)
        async with statements_told(tx) as told:
            await note_webhooks(tx, events)
        return [each for each in told if "webhook_deliveries" in each or "UPDATE" in each]

    locked, inserted = await hooks.db.in_transaction(lease_and_note)
    assert "webhook_deliveries" not in locked
    assert "INSERT INTO webhook_deliveries" in inserted


async def test_what_we_cannot_tell_is_dead_at_once_and_no_failure_of_who_listens(
    hooks: Hooks,
) -> None:
    async with receiving() as receiver:
        id = (await hooks.endpoint(receiver.url)).endpoint.id
        member_id = await hooks.db.in_transaction(add_member, hooks.brand)
        for _ in range(TRIP_FAILURES + 1):  # they do not say the role
            await hooks.db.in_transaction(add_event, hooks.brand, "member.enrolled", member_id)
        [said] = await hooks.enrol(member_id=member_id)
        await hooks.note()
        await hooks.send()
        assert [UUID(got.id) for got in receiver.got] == [said]
    dead = (await hooks.deliveries())[0]
    assert await hooks.statuses() == ["DEAD"] * (TRIP_FAILURES + 1) + ["DELIVERED"]
    assert (dead.attempts, str(dead.last_error).partition(":")[0]) == (1, "KeyError")
    row = await hooks.row(id)
    assert (row.failures, row.blocked_until, row.due_at) == (0, None, None)
    assert await is_sound(hooks)


async def test_a_secret_that_cannot_be_opened_is_said_of_what_waits_for_it(hooks: Hooks) -> None:
    async with receiving() as receiver:
        id = (await hooks.endpoint(receiver.url)).endpoint.id
        await hooks.enrol(2)
        await hooks.note()
        good, hooks.keyring = hooks.keyring, Keyring(os.urandom(32))
        assert await hooks.send() == 1
        waits, behind = await hooks.deliveries()
        row = await hooks.row(id)
        assert (waits.status, waits.attempts, waits.last_error) == ("PENDING", 1, "InvalidTag")
        assert (row.failures, row.blocked_until, row.lease_token) == (0, None, None)
        assert row.due_at == waits.next_at > hooks.clock()
        assert behind.attempts == 0
        hooks.keyring = good
        await hooks.wait_for_turn([id])
        await hooks.send()
        assert len(receiver.got) == 2
    assert await is_sound(hooks)


async def test_whose_report_cannot_be_written_keeps_back_no_other(hooks: Hooks) -> None:
    async with receiving() as receiver:
        for _ in range(3):
            await hooks.endpoint(receiver.url)
        await hooks.enrol()
        await hooks.note()
        sender = hooks.sender()
        leased = await hooks.db.in_transaction(lease)
        reports = [sending.Report(each) for each in leased]
        [due] = await _due(hooks, leased[0])
        no_number: Any = None
        reports[0].attempts.append(
            replace(_failed(due), duration_ms=no_number)  # no database takes it
        )
        sender._reports += reports
        await sender._record()
        await sender.stop()
    rows = [await hooks.row(each.id) for each in leased]
    assert [row.lease_token is None for row in rows] == [False, True, True]


async def test_a_brand_has_so_many_endpoints_also_when_they_come_at_once(hooks: Hooks) -> None:
    def make() -> Any:
        return hooks.endpoint("https://hooks.example/")

    async def all_but_one(tx: Tx) -> None:
        rows = [
            WebhookEndpoint(
                brand_id=hooks.brand.id,
                url="https://hooks.example/",
                description="",
                secret_cipher="sealed",
                created_at=tx.now,
            )
            for _ in range(ENDPOINTS_MAX - 1)
        ]
        await tx.add(*rows)

    await hooks.db.in_transaction(all_but_one)
    ends = await asyncio.gather(*(make() for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(end, InvalidInput) for end in ends) == 3


async def test_what_is_due_now_is_found_without_reading_all_that_waits(hooks: Hooks) -> None:
    await hooks.endpoint("https://hooks.example/")
    await hooks.enrol(2)
    await hooks.note()
    [leased] = await hooks.db.in_transaction(lease)

    async def record(tx: Tx) -> list[str]:
        async with statements_told(tx) as told:
            assert await sending.record(tx, [sending.Report(leased)]) == 1
        return told

    told = await hooks.db.in_transaction(record)
    assert not [each for each in told if "MIN(d.next_at)" in each]
    row = await hooks.row(leased.id)
    assert row.due_at is not None
    assert row.due_at <= hooks.clock()
