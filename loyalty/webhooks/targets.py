"""Where deliveries may go: a host is looked up once, refused unless every address of it is of the
public internet, and the connection is made to the very address that was looked at.

Speaks HTTP; nothing here is called inside a transaction.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

import httpx2

from loyalty.outbound import HttpReply, ReplyTooLong

CONNECT_SECONDS_MAX = 2.0
REPLY_BYTES_MAX = 16 * 1024
LOOK_UPS_AT_ONCE_MAX = 256
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host, as text."""

_REFUSED = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        *("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/9", "ff00::/8"),
    )
]
_NAT64 = IPv6Network("64:ff9b::/96")


class TargetRefused(Exception):
    """An address that is not of the public internet: nothing was sent."""


class HostUnknown(Exception):
    """The host of an endpoint has no address just now."""


def look_up(host: str, port: int) -> list[str]:
    """As the system does, which knows 127.1, 0x7f000001 and 2130706433 as well."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class LookUps:
    """Look-ups on threads of their own. Nobody can end one that hangs, so a host has at most one
    under way, and who asks meanwhile waits for that one."""

    def __init__(self, ask: Callable[[str, int], Sequence[str]] = look_up) -> None:
        self._ask = ask
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE_MAX, thread_name_prefix="look-up")
        self._under_way: dict[str, Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        name = host.lower()
        asked = self._under_way.get(name)
        if asked is None:
            asked = self._threads.submit(self._ask, host, port)
            self._under_way[name] = asked
            asked.add_done_callback(lambda _: self._under_way.pop(name, None))
        # Who gives up leaves it to the others.
        return await asyncio.shield(asyncio.wrap_future(asked))

    def close(self) -> None:
        """Begin no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def is_public(address: Address) -> bool:
    """Whether an address is of the public internet, and so is the one that it stands for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.scope_id is not None:
            return False
    return address.is_global and not any(
        address in network for network in _REFUSED if network.version == address.version
    )


class Sender:
    """Sends to endpoints, each request over a connection of its own: none is shared by two hosts
    that have the same address."""

    def __init__(
        self,
        seconds_max: float,
        *,
        is_private_allowed: bool = False,
        resolve: Resolve | None = None,
    ) -> None:
        self._seconds_max = seconds_max
        self._is_private_allowed = is_private_allowed
        self._look_ups = LookUps()
        self._resolve = resolve or self._look_ups
        self._client: httpx2.AsyncClient | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """One request. Raises TargetRefused, HostUnknown, TimeoutError, ReplyTooLong or
        httpx2.HTTPError. A redirect is told, and not followed."""
        async with asyncio.timeout(self._seconds_max):
            return await self._post(url, headers, body)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https" and not self._is_private_allowed:
            raise TargetRefused("not https")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await self._address_of(host, port)
        shown = f"[{address}]" if address.version == 6 else str(address)
        pinned = urlunsplit((parts.scheme, f"{shown}:{port}", parts.path or "/", parts.query, ""))
        asked = {**headers, "host": parts.netloc, "accept-encoding": "identity"}
        if self._client is None:
            self._client = _client(self._seconds_max)
        async with self._client.stream(
            "POST", pinned, content=body, headers=asked, extensions={"sni_hostname": host}
        ) as reply:
            chunks: list[bytes] = []
            size = 0
            async for chunk in reply.aiter_raw():
                size += len(chunk)
                if size > REPLY_BYTES_MAX:
                    raise ReplyTooLong(f"more than {REPLY_BYTES_MAX} bytes")
                chunks.append(chunk)
            return HttpReply(reply.status_code, b"".join(chunks))

    async def _address_of(self, host: str, port: int) -> Address:
        try:
            found = [ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError) as error:
            raise HostUnknown(host) from error
        except ValueError as error:
            raise TargetRefused(host) from error
        if not found:
            raise HostUnknown(host)
        # One bad address among good ones is bad: who answers so means to be asked twice.
        if not self._is_private_allowed and not all(is_public(address) for address in found):
            raise TargetRefused("not an address of the public internet")
        return found[0]

    async def close(self) -> None:
        """End what is open."""
        self._look_ups.close()
        if self._client is not None:
            await self._client.aclose()


def _client(seconds_max: float) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(seconds_max, connect=min(CONNECT_SECONDS_MAX, seconds_max)),
        follow_redirects=False,
        trust_env=False,
        verify=ssl.create_default_context(),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
    )
