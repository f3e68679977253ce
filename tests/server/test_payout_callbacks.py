"""Callbacks of a payout provider: signed, at least once, in any order, and attacked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest_asyncio
from starlette.applications import Starlette

from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from rewards.payouts.models import Payout
from rewards.payouts.providers import HttpPayoutProvider, NullPayoutProvider, Paymaster
from rewards.payouts.rules import signature
from server.payout_callbacks import BODY_BYTES_MAX, PATH, payout_callback_route
from tests.fakes.payout_provider import SECRET, FakePayoutProvider, Fault
from tests.rewards.payouts.stores import (
    balance_of,
    check_books_agree,
    make_stores,
    payouts_of,
    redeem,
    reports_of,
    rows,
)
from tests.rewards.redemptions.shops import Shops
from tests.servers import ServerFactory
from workers.wiring import make_relay

KEY = SECRET.encode()
NOWHERE = HttpPayoutProvider("http://127.0.0.1:9", KEY, 1, utc_now)


@dataclass
class Desk:
    """A payout of 12,345 fen that was never sent, and the application that hears of it."""

    db: Database
    shops: Shops
    payout: Payout
    client: httpx2.AsyncClient

    def report(self, **changed: Any) -> bytes:
        said = {"number": self.payout.number, "state": "PAID", "amount_fen": 12_345}
        return json.dumps(said | changed).encode()

    async def post(
        self, body: bytes, *, text: bytes | None = None, age_seconds: int = 0, key: bytes = KEY
    ) -> int:
        """The status of a callback, signed as if its body was ``text``."""
        stamp = int(time.time()) - age_seconds
        signed = signature(key, stamp, body if text is None else text)
        headers = {"loyalty-timestamp": str(stamp), "loyalty-signature": signed}
        return (await self.client.post(PATH, content=body, headers=headers)).status_code

    async def status(self) -> str:
        [payout] = await payouts_of(self.db, self.shops.east.place)
        return payout.status


@pytest_asyncio.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    shops = await db.in_transaction(make_stores)
    await db.in_transaction(redeem, shops.east, 12_345)
    paymaster = Paymaster(NOWHERE)
    await make_relay(db, NullProvider(), paymaster).run_once()
    [payout] = await payouts_of(db, shops.east.place)
    app = Starlette(routes=[payout_callback_route(db, paymaster, KEY)])
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://loyalty.test") as client:
        yield Desk(db, shops, payout, client)


async def test_callbacks_come_twice_and_in_any_order(desk: Desk) -> None:
    states = ("PROCESSING", "ACCEPTED", "PAID", "PROCESSING", "PAID", "FAILED", "PAID")
    statuses = ["PROCESSING", "PROCESSING", *["PAID"] * 5]
    for state, status in zip(states, statuses, strict=True):
        assert await desk.post(desk.report(state=state)) == 200
        assert await desk.status() == status
    assert await reports_of(desk.db, desk.payout) == [("CALLBACK", state) for state in states]
    assert await balance_of(desk.db, desk.shops.east.place) == (0, 0, 0)


async def test_a_callback_that_is_replayed_many_times_at_once_pays_once(desk: Desk) -> None:
    body = desk.report()
    assert set(await asyncio.gather(*(desk.post(body) for _ in range(20)))) == {200}
    assert await desk.status() == "PAID"
    assert await balance_of(desk.db, desk.shops.east.place) == (0, 0, 0)


async def test_what_is_not_signed_by_the_provider_just_now_is_refused(desk: Desk) -> None:
    body = desk.report()
    assert await desk.post(body, key=b"another secret, of somebody else") == 401
    assert await desk.post(body, text=desk.report(amount_fen=1)) == 401
    assert await desk.post(body, age_seconds=301) == 401
    assert await desk.post(body, age_seconds=-310) == 401
    for headers in (
        {},
        {"loyalty-timestamp": str(int(time.time()))},
        {"loyalty-timestamp": "\u00b2", "loyalty-signature": "\u00e9"},
        {"loyalty-timestamp": "9" * 5000, "loyalty-signature": "0" * 64},
    ):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        reply = await desk.client.post(PATH, content=body, headers=raw)
        assert reply.status_code == 401
    # Our own request, which is signed with the same secret, is no report.
    assert await desk.post(desk.payout.request.encode()) == 400
    assert await desk.status() == "CREATED"
    assert await reports_of(desk.db, desk.payout) == []


async def test_what_is_signed_and_no_report_of_ours_changes_nothing(desk: Desk) -> None:
    assert await desk.post(desk.report(number="P" + "0" * 31)) == 404
    assert await desk.post(desk.report(number="\0' OR 1=1 --\ud800")) in (400, 404)
    assert await desk.post(desk.report(amount_fen=12_344)) == 409
    assert await desk.post(desk.report(amount_fen=2**70)) == 400
    assert await desk.post(desk.report(state="NOT_FOUND")) == 400
    assert await desk.post(b"not JSON") == 400
    assert await desk.post(b"") == 400
    assert await desk.post(b"[" * 10_000) == 400
    assert await desk.post(b" " * (BODY_BYTES_MAX + 1)) == 413
    assert (await desk.client.get(PATH)).status_code == 405
    assert await desk.status() == "CREATED"
    assert await reports_of(desk.db, desk.payout) == []


async def test_a_body_without_a_length_is_read_up_to_its_limit(desk: Desk) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b" " * 1024

    assert (await desk.client.post(PATH, content=endless())).status_code == 413
    assert taken < 2 * BODY_BYTES_MAX / 1024


async def test_a_payout_of_another_provider_is_not_to_be_called_back(db: Database) -> None:
    shops = await db.in_transaction(make_stores)
    await db.in_transaction(redeem, shops.east, 12_345)
    await make_relay(db, NullProvider(), Paymaster(NullPayoutProvider())).run_once()
    [payout] = await payouts_of(db, shops.east.place)
    app = Starlette(routes=[payout_callback_route(db, Paymaster(NOWHERE), KEY)])
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://loyalty.test") as client:
        desk = Desk(db, shops, payout, client)
        assert await desk.post(desk.report()) == 404


async def test_a_real_server_pays_and_hears_of_it_twice_in_the_wrong_order(
    db: Database, server_process: ServerFactory
) -> None:
    shops = await db.in_transaction(make_stores)
    with FakePayoutProvider() as provider:
        provider.copies, provider.reordered = 2, True
        provider.plan(Fault.ERROR_AFTER_PAYING, Fault.FORGET, Fault.PROCESSING)
        server = server_process(
            environment={**provider.environment, "LOYALTY_PAYOUT_ASK_SECONDS": "0.2"}
        )
        provider.callback_url = f"{server.url}{PATH}"
        for counter in (shops.east, shops.west):
            await db.in_transaction(redeem, counter, 20_000)
        async with asyncio.timeout(20):
            while [p.status for p in await rows(db, Payout)] != ["PAID", "PAID"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        provider.wait_called_back()
        assert server.terminate() == 0
        assert set(provider.callback_statuses) == {200}
        assert len(provider.callback_statuses) >= 4
        assert "payout_contradicted" not in server.log_text()
        await check_books_agree(db, provider, [shops.brand])
