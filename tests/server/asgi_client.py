"""Calls an ASGI application in process, with bodies in pieces and at any pace."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    received: int

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.json.get("errors", [])]


async def call(
    app: ASGIApp,
    method: str = "POST",
    query_string: str = "",
    headers: dict[str, str] | None = None,
    chunks: Sequence[bytes] = (b"",),
    pause_seconds: float = 0.0,
    hang_up: bool = False,
    address: str = "192.0.2.1",
) -> Answer | None:
    """One request; None if nothing was answered. ``received`` counts the pieces taken."""
    sent: list[Message] = []
    received = 0

    async def receive() -> Message:
        nonlocal received
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
        if received == len(chunks):
            return {"type": "http.disconnect"}
        received += 1
        more = hang_up or received < len(chunks)
        return {"type": "http.request", "body": chunks[received - 1], "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "query_string": query_string.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
        "client": (address, 1234),
    }
    await app(scope, receive, send)
    if not sent:
        return None
    start, *rest = sent
    answered = {key.decode(): value.decode() for key, value in start["headers"]}
    body = b"".join(message["body"] for message in rest)
    return Answer(start["status"], answered, body, received)
