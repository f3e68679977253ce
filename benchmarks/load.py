"""A closed-loop HTTP/1.1 load client: its own process, uvloop, requests prebuilt as bytes.

The client shares the machine with the server, so it does as little as it can while the clock
runs: it keeps replies as bytes, and they are judged when the clock has stopped. One reply that is
not the wanted one fails the bench.
"""

import asyncio
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import uvloop

STALL_SECONDS_MAX = 60.0


class LoadFailed(Exception):
    """A reply was not the wanted one, or none came: the figure is worth nothing."""


class FollowUp(Protocol):
    """The second request of a pair: made of the first one's position and reply, None if that reply
    allows of none. Goes to the client's process, so it must be picklable."""

    def __call__(self, position: int, reply: bytes) -> bytes | None: ...


@dataclass(frozen=True)
class Load:
    """What to send: ``requests`` once each in this order, by ``clients`` at a time.

    Clients are spread evenly over ``ports``. ``repeat`` starts again at the first request when
    all are sent (for queries); otherwise the measurement ends there. Without ``seconds`` all are
    sent, however long that takes. With ``then`` the client answers each reply at once by another
    request, and what is counted and timed is the pair.
    """

    requests: Sequence[bytes]
    clients: int
    ports: tuple[int, ...]
    warm_up_seconds: float = 0.0
    seconds: float | None = None
    repeat: bool = False
    then: FollowUp | None = None


@dataclass(frozen=True)
class Measured:
    """``count`` requests (or pairs) answered in ``seconds``, after the warm-up; latencies in
    seconds. ``sent`` counts those of the warm-up too."""

    count: int
    seconds: float
    p50: float
    p99: float
    sent: int

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def request_bytes(path: str, body: bytes, token: str | None = None) -> bytes:
    """One POST, as it goes over the wire."""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept: application/graphql-response+json",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if token is not None:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def get_bytes(path: str) -> bytes:
    """One GET, as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def measure(load: Load, is_wanted: Callable[[bytes], bool]) -> Measured:
    """Run the load in a process of its own, judge every reply, and say how fast it was."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_client_process, args=(load, sender), daemon=True)
    process.start()
    sender.close()
    try:
        outcome = receiver.recv()
    except EOFError as error:
        raise LoadFailed("the load client died") from error
    finally:
        process.join(timeout=10)
    if isinstance(outcome, str):
        raise LoadFailed(outcome)
    measured, replies = outcome
    for reply in replies:
        if not is_wanted(reply):
            raise LoadFailed(f"not the wanted reply: {reply[:1000]!r}")
    result: Measured = measured
    return result


def _client_process(load: Load, sender: Any) -> None:
    try:
        sender.send(uvloop.run(_Run(load).go()))
    except Exception as error:  # noqa: BLE001 carried to the parent, which raises it
        sender.send(f"{type(error).__name__}: {error}")
    finally:
        sender.close()


class _Run:
    """One run of one load: who sends next, and what came back when."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.next = 0
        self.replies: set[bytes] = set()
        self.finished_at: list[float] = []
        self.latencies: list[float] = []
        self.stopped_at: float | None = None
        self.open = 0
        self.measured_from = self.ends_at = 0.0
        self.done: asyncio.Future[None]

    def take(self, now: float) -> int | None:
        """The position of the next request, or None when this client is to stop."""
        if self.stopped_at is not None:
            return None
        position = self.next
        if now >= self.ends_at or (position >= len(self.load.requests) and not self.load.repeat):
            self.stopped_at = now
            return None
        self.next = position + 1
        return position % len(self.load.requests)

    def fail(self, problem: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadFailed(problem))

    def client_stopped(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)

    async def go(self) -> tuple[Measured, set[bytes]]:
        loop = asyncio.get_running_loop()
        self.done = loop.create_future()
        clients = []
        for number in range(self.load.clients):
            port = self.load.ports[number % len(self.load.ports)]
            _, client = await loop.create_connection(lambda: _Client(self), "127.0.0.1", port)
            clients.append(client)
        self.open = len(clients)
        starts_at = time.perf_counter()
        self.measured_from = starts_at + self.load.warm_up_seconds
        seconds = math.inf if self.load.seconds is None else self.load.seconds
        self.ends_at = self.measured_from + seconds
        for client in clients:
            client.send_next(starts_at)
        await asyncio.wait_for(self.done, self._patience())
        for client in clients:
            client.close()
        return self._measured(), self.replies

    def _patience(self) -> float | None:
        if self.load.seconds is None:
            return None
        return self.load.warm_up_seconds + self.load.seconds + STALL_SECONDS_MAX

    def _measured(self) -> Measured:
        until = self.stopped_at or self.ends_at
        latencies = sorted(
            latency
            for at, latency in zip(self.finished_at, self.latencies, strict=True)
            if self.measured_from <= at <= until or self.load.seconds is None
        )
        seconds = until - self.measured_from
        if not latencies or seconds < (self.load.seconds or 0.0) / 4:
            raise LoadFailed(f"too few requests prepared: {len(self.load.requests)}")
        return Measured(
            count=len(latencies),
            seconds=seconds,
            p50=latencies[len(latencies) // 2],
            p99=latencies[len(latencies) * 99 // 100],
            sent=self.next,
        )


class _Client(asyncio.Protocol):
    """One keep-alive connection: send, await the whole reply, send the next."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._then = run.load.then
        self._position = 0
        self._buffer = b""
        self._sent_at = 0.0
        self._stopped = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self, now: float) -> None:
        position = self._run.take(now)
        if position is None:
            self._stopped = True
            self._run.client_stopped()
            return
        self._sent_at = now
        self._position = position
        self._then = self._run.load.then
        self._transport.write(self._run.load.requests[position])

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = data[:head_end].lower()
        mark = head.find(b"content-length:")
        if mark < 0 or not head.startswith(b"http/1.1 200"):
            self._run.fail(f"not a plain 200: {data[:500]!r}")
            return
        line_end = head.find(b"\r\n", mark)
        length = int(head[mark + 15 : line_end if line_end >= 0 else None])
        body = data[head_end + 4 :]
        if len(body) < length:
            return
        self._buffer = b""
        run = self._run
        run.replies.add(body)
        if self._then is not None:
            request = self._then(self._position, body)
            self._then = None
            if request is None:
                run.fail(f"nothing follows: {body[:500]!r}")
            else:
                self._transport.write(request)
            return
        now = time.perf_counter()
        run.finished_at.append(now)
        run.latencies.append(now - self._sent_at)
        self.send_next(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._stopped:
            self._run.fail(f"connection lost: {exc}")

    def close(self) -> None:
        self._stopped = True
        self._transport.close()
