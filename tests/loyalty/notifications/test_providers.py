"""Messages posted to a gateway: signed as Standard Webhooks have it, the same id each time."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from loyalty.brands.models import Brand
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.notifications.providers import HttpProvider, Message, NotTaken
from tests.clocks import SettableClock
from tests.fakes.canned import CannedServer, canned, http_reply
from tests.workers.facts import add_enrolments, list_events, list_notifications
from workers.wiring import make_relay

SECRET = b"0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 11, 9, 4, tzinfo=UTC)
MESSAGE = Message(new_id(), new_id(), new_id(), "WELCOME", {"zh": "欢迎！", "en": "Welcome!"})


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[CannedServer]:
    async with canned(http_reply(204, b"")) as gateway:
        yield gateway


@pytest_asyncio.fixture
async def provider(gateway: CannedServer) -> AsyncIterator[HttpProvider]:
    provider = HttpProvider(f"{gateway.url}/messages", SECRET, lambda: NOW)
    yield provider
    await provider.close()


def parted(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, _, value in lines}, body


async def test_a_message_is_posted_with_its_id_and_a_signature(
    gateway: CannedServer, provider: HttpProvider
) -> None:
    await provider.send(MESSAGE)
    [request] = gateway.requests
    assert request.startswith(b"POST /messages HTTP/1.1\r\n")
    headers, body = parted(request)
    assert json.loads(body) == {
        "id": str(MESSAGE.id),
        "brand_id": str(MESSAGE.brand_id),
        "member_id": str(MESSAGE.member_id),
        "kind": "WELCOME",
        "content": {"zh": "欢迎！", "en": "Welcome!"},
    }
    stamp = str(int(NOW.timestamp()))
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (str(MESSAGE.id), stamp)
    signed = f"{MESSAGE.id}.{stamp}.".encode() + body
    digest = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 409, 500, 503])
async def test_anything_but_taken_is_not_taken(
    gateway: CannedServer, provider: HttpProvider, status: int
) -> None:
    gateway.reply = http_reply(status, b"")
    with pytest.raises(Exception, match=str(status)):
        await provider.send(MESSAGE)
    gateway.reply = http_reply(200, b"x" * 100_000)
    with pytest.raises(Exception, match="more than"):
        await provider.send(MESSAGE)


async def test_a_message_that_was_not_taken_comes_again_with_its_id(
    clocked_db: Database,
    clock: SettableClock,
    brand: Brand,
    gateway: CannedServer,
    provider: HttpProvider,
) -> None:
    await clocked_db.in_transaction(add_enrolments, brand, 3)
    relay = make_relay(clocked_db, provider)
    gateway.reply = http_reply(500, b"")
    assert await relay.run_once() == 3
    assert await list_notifications(clocked_db) == []
    errors = {event.last_error for event in await list_events(clocked_db)}
    assert errors == {f"{NotTaken.__name__}: the gateway answered 500"}
    gateway.reply = http_reply(202, b"")
    clock.advance(seconds=2)
    assert await relay.run_once() == 3
    assert await relay.run_once() == 0
    sent = [parted(request)[0]["webhook-id"] for request in gateway.requests]
    ids = {str(event.id) for event in await list_events(clocked_db)}
    assert set(sent[:3]) == set(sent[3:]) == ids
    assert len(sent) == 6
    assert {row.provider for row in await list_notifications(clocked_db)} == {"http"}
