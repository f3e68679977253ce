"""HTTP to the outside: bounded in time and size, led nowhere else."""

import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from loyalty.outbound import REPLY_BYTES_MAX, HttpReply, Outbound, ReplyTooLong
from tests.fakes.canned import canned, http_reply

SECONDS_MAX = 0.4


@pytest_asyncio.fixture
async def outbound() -> AsyncIterator[Outbound]:
    outbound = Outbound(SECONDS_MAX)
    yield outbound
    await outbound.close()


async def test_a_body_goes_out_as_it_is_and_a_reply_comes_back(outbound: Outbound) -> None:
    async with canned(http_reply(418, b"tea")) as server:
        for _ in range(2):
            reply = await outbound.send("POST", server.url, {"x-number": "7"}, b'{ "a":1 }')
            assert reply == HttpReply(418, b"tea")
        assert all(request.endswith(b'\r\n\r\n{ "a":1 }') for request in server.requests)
        assert b"x-number: 7\r\n" in server.requests[0].lower()
        assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


async def test_a_redirect_is_told_and_not_followed(outbound: Outbound) -> None:
    async with canned(http_reply(200, b"inside")) as inside:
        moved = http_reply(307, b"", f"location: {inside.url}")
        async with canned(moved) as server:
            assert (await outbound.send("POST", server.url, {}, b"secret")).status == 307
        assert inside.requests == []


async def test_a_huge_reply_is_cut_off(outbound: Outbound) -> None:
    async with canned(http_reply(200, b"x" * (REPLY_BYTES_MAX + 1))) as server:
        with pytest.raises(ReplyTooLong):
            await outbound.send("GET", server.url, {})
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000
    async with canned(endless) as server:
        with pytest.raises(ReplyTooLong):
            await outbound.send("GET", server.url, {})


async def test_a_reply_is_not_unpacked(outbound: Outbound) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    async with canned(http_reply(200, bomb, "content-encoding: gzip")) as server:
        assert (await outbound.send("GET", server.url, {})).body == bomb


async def test_a_reply_that_drips_takes_no_longer_than_one_that_never_comes(
    outbound: Outbound,
) -> None:
    async with canned(http_reply(200, b"x" * 1000)) as server:
        server.piece_bytes, server.pause_seconds = 1, 0.05
        with pytest.raises((TimeoutError, httpx2.TimeoutException)):
            await outbound.send("GET", server.url, {})
    async with canned(b"") as server:
        server.reply = b"H"
        server.pause_seconds = 60
        with pytest.raises((TimeoutError, httpx2.TimeoutException)):
            await outbound.send("GET", server.url, {})


async def test_nobody_there_is_an_error(outbound: Outbound) -> None:
    with pytest.raises(httpx2.ConnectError):
        await outbound.send("GET", "http://127.0.0.1:9", {})


@pytest.mark.parametrize("reply", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-le"])
async def test_what_is_no_http_is_an_error(outbound: Outbound, reply: bytes) -> None:
    async with canned(reply) as server:
        with pytest.raises(httpx2.HTTPError):
            await outbound.send("GET", server.url, {})
