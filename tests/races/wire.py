"""A raw HTTP client: requests are prebuilt bytes, and many can be released at the same moment."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

REPLY_SECONDS_MAX = 120

Answer = dict[str, Any]


class NoReply(Exception):
    """The connection ended before a whole reply was read."""


def request_bytes(token: str, document: str, variables: dict[str, Any]) -> bytes:
    """A POST of one GraphQL operation, whole."""
    body = orjson.dumps({"query": document, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nHost: races\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Wire:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def write_now(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> Answer:
        """The reply's JSON; NoReply if it never came whole."""
        try:
            async with asyncio.timeout(REPLY_SECONDS_MAX):
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise NoReply from error
        answer: Answer = orjson.loads(body)
        return answer

    async def ask(self, request: bytes) -> Answer:
        """Send one request and read its reply; NoReply if the server went away."""
        try:
            await self.write(request)
        except OSError as error:
            raise NoReply from error
        return await self.read()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass  # the server was killed


async def release_at_once(ports: Sequence[int], requests: Sequence[bytes]) -> list[Answer]:
    """Send all requests at the same moment, in turn to each port; their replies in order.

    Each has a connection of its own. All of a request but its last byte is sent beforehand, so
    that what is left to do at the barrier is one byte each.
    """
    wires = await asyncio.gather(
        *(Wire.open(ports[index % len(ports)]) for index in range(len(requests)))
    )
    try:
        await asyncio.gather(
            *(wire.write(request[:-1]) for wire, request in zip(wires, requests, strict=True))
        )
        await asyncio.sleep(0.05)
        for wire, request in zip(wires, requests, strict=True):
            wire.write_now(request[-1:])
        return list(await asyncio.gather(*(wire.read() for wire in wires)))
    finally:
        await asyncio.gather(*(wire.close() for wire in wires))


async def ask_once(port: int, request: bytes) -> Answer:
    """One request on a connection of its own."""
    wire = await Wire.open(port)
    try:
        return await wire.ask(request)
    finally:
        await wire.close()
