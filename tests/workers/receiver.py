"""A receiver of webhooks on a socket, that answers each address as it is told; and what a signature
must be, written anew from the standard."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
BROKEN = OK.replace(b"200 OK", b"500 No")
HUGE = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 1_000_000


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is of this secret."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = b".".join((self.id.encode(), self.headers["webhook-timestamp"].encode(), self.raw))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return f"v1,{digest}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """``answer`` says what each request gets; None: nothing, for as long as the sender waits."""

    answer: Callable[[Got], bytes | None] = lambda _: OK
    url: str = ""
    connections: int = 0
    got: list[Got] = field(default_factory=list)

    def at(self, path: str) -> list[Got]:
        return [each for each in self.got if each.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.splitlines()
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            # Values as they were sent: signatures know capitals.
            values = {
                line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines if line
            }
            raw = await reader.readexactly(int(headers["content-length"]))
            got = Got(first.split(" ")[1], values, raw)
            self.got.append(got)
            reply = self.answer(got)
            if reply is None:
                await reader.read()  # until the sender hangs up
            else:
                writer.write(reply)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sender has gone
        finally:
            writer.close()


@asynccontextmanager
async def receiving(
    answer: Callable[[Got], bytes | None] = lambda _: OK,
) -> AsyncIterator[Receiver]:
    """It listens as long as the block runs."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is as a JSON Schema says: as much of the standard as ours use."""
    if "const" in schema:
        return bool(value == schema["const"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(_is(kind, schema, value) for kind in kinds)


def _is(kind: str, schema: dict[str, Any], value: Any) -> bool:
    if kind == "object":
        known = schema["properties"]
        return (
            isinstance(value, dict)
            and set(schema["required"]) <= set(value) <= set(known)
            and all(fits(known[name], each) for name, each in value.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(fits(schema["items"], each) for each in value)
    if kind == "null":
        return value is None
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool}[kind])
