"""What an HTTP provider may answer, and what of it tells us anything."""

from datetime import UTC, datetime

import orjson
import pytest

from loyalty.ids import new_id
from rewards.payouts.providers import HttpPayoutProvider, NullPayoutProvider
from rewards.payouts.rules import (
    Order,
    Report,
    ReportState,
    ReportUnreadable,
    payout_number,
    signature,
)
from tests.fakes.canned import canned, http_reply

NOW = datetime(2026, 11, 9, 4, tzinfo=UTC)
SECRET = b"a secret shared with the provider"
NUMBER = payout_number(new_id())
ORDER = Order(NUMBER, 12_345, "wallet-张三")
PAID = {"number": NUMBER, "state": "PAID", "amount_fen": 12_345}
NOT_FOUND = {"number": NUMBER, "state": "NOT_FOUND"}


def said(status: int, body: object) -> bytes:
    return http_reply(status, body if isinstance(body, bytes) else orjson.dumps(body))


async def asked(reply: bytes) -> tuple[Report, bytes]:
    """What an ask comes to, and how it was asked."""
    async with canned(reply) as server:
        provider = HttpPayoutProvider(server.url + "/", SECRET, 2, lambda: NOW)
        try:
            return await provider.ask(NUMBER), server.requests[0]
        finally:
            await provider.close()


async def sent(reply: bytes) -> tuple[Report, bytes]:
    async with canned(reply) as server:
        provider = HttpPayoutProvider(server.url, SECRET, 2, lambda: NOW)
        try:
            return await provider.send(provider.build(ORDER)), server.requests[0]
        finally:
            await provider.close()


def header(request: bytes, name: str) -> str:
    head = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return next(line.partition(": ")[2] for line in head if line.lower().startswith(f"{name}: "))


async def test_a_request_is_the_stored_text_signed_with_its_time() -> None:
    report, request = await sent(said(202, PAID | {"state": "ACCEPTED", "reference": "T1"}))
    assert report == Report(ReportState.ACCEPTED, NUMBER, 12_345, "T1")
    body = request.partition(b"\r\n\r\n")[2]
    assert body.decode() == NullPayoutProvider().build(ORDER)
    assert request.startswith(b"POST /transfers HTTP/1.1\r\n")
    assert header(request, "loyalty-timestamp") == str(int(NOW.timestamp()))
    signed = signature(SECRET, int(NOW.timestamp()), body)
    assert header(request, "loyalty-signature") == signed


async def test_a_question_is_signed_over_its_number() -> None:
    report, request = await asked(said(200, PAID))
    assert report == Report(ReportState.PAID, NUMBER, 12_345)
    assert request.startswith(f"GET /transfers/{NUMBER} HTTP/1.1\r\n".encode())
    signed = signature(SECRET, int(NOW.timestamp()), NUMBER.encode())
    assert header(request, "loyalty-signature") == signed
    assert (await asked(said(404, NOT_FOUND)))[0].state is ReportState.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>no such page</html>"),  # of a proxy on the way, or a wrong address
        (404, {}),
        (404, PAID),
        (200, NOT_FOUND),
        (200, b""),
        (401, PAID),
        (429, PAID),
        (500, PAID),
        (503, NOT_FOUND),
    ],
)
async def test_an_answer_that_is_not_the_providers_own_tells_nothing(
    status: int, body: object
) -> None:
    with pytest.raises(ReportUnreadable):
        await asked(said(status, body))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, NOT_FOUND),
        (200, NOT_FOUND),
        (409, PAID),
        (400, PAID | {"state": "FAILED"}),
        (200, b"ok"),
    ],
)
async def test_a_transfer_fails_only_if_the_provider_says_so_in_so_many_words(
    status: int, body: object
) -> None:
    with pytest.raises(ReportUnreadable):
        await sent(said(status, body))


async def test_the_null_provider_pays_at_once_and_remembers_nothing() -> None:
    provider = NullPayoutProvider()
    assert await provider.ask(NUMBER) == Report(ReportState.NOT_FOUND, NUMBER)
    paid = await provider.send(provider.build(ORDER))
    assert paid == Report(ReportState.PAID, NUMBER, 12_345)
    await provider.close()
