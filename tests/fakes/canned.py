"""A server that answers every request with the same bytes, at a pace, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def http_reply(status: int, body: bytes, *headers: str) -> bytes:
    """A whole reply; headers as ``name: value``."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class CannedServer:
    """``reply`` is sent in pieces of ``piece_bytes``, ``pause_seconds`` apart. ``requests`` is all
    that came, head and body."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.piece_bytes = 2**20
        self.pause_seconds = 0.0
        self.requests: list[bytes] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.requests.append(head + await reader.readexactly(length))
            for start in range(0, len(self.reply), self.piece_bytes):
                writer.write(self.reply[start : start + self.piece_bytes])
                await writer.drain()
                await asyncio.sleep(self.pause_seconds)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has hung up
        finally:
            writer.close()


@asynccontextmanager
async def canned(reply: bytes) -> AsyncIterator[CannedServer]:
    """It listens as long as the block runs."""
    server = CannedServer(reply)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
