"""HTTP to the providers outside: bounded in time and size, and never led elsewhere.

One per process and provider; the client is made by the first request, in the loop that runs it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

REPLY_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 32


class ReplyTooLong(Exception):
    """The provider sent more than any answer of its may have."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back, whatever its status; a redirect is only told, never followed."""

    status: int
    body: bytes


class Outbound:
    """Requests of at most ``seconds_max`` seconds each, from connecting to the last byte."""

    def __init__(self, seconds_max: float, reply_bytes_max: int = REPLY_BYTES_MAX) -> None:
        self._seconds_max = seconds_max
        self._reply_bytes_max = reply_bytes_max
        self._client: httpx2.AsyncClient | None = None

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpReply:
        """One exchange. Raises TimeoutError, ReplyTooLong or httpx2.HTTPError: what became of the
        request is unknown then."""
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=self._seconds_max,
                follow_redirects=False,
                trust_env=False,  # no proxy that nobody has set for us
                limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
            )
        # Compressed, a small reply may be a huge one.
        asked = {**headers, "accept-encoding": "identity"}
        async with asyncio.timeout(self._seconds_max):
            async with self._client.stream(method, url, content=body, headers=asked) as reply:
                chunks: list[bytes] = []
                size = 0
                async for chunk in reply.aiter_raw():
                    size += len(chunk)
                    if size > self._reply_bytes_max:
                        raise ReplyTooLong(f"more than {self._reply_bytes_max} bytes")
                    chunks.append(chunk)
                return HttpReply(reply.status_code, b"".join(chunks))

    async def close(self) -> None:
        """End the connections that wait for a next request."""
        if self._client is not None:
            await self._client.aclose()
