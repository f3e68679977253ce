"""A payout provider with a mind of its own: a real HTTP server with books of its own, which
misbehaves as it is told.

It speaks the protocol of docs/payouts.md and shares no code with the engine. A number is paid once
whatever happens; whoever asks for anything that must not be asked for finds it in ``violations``.

with FakePayoutProvider() as provider:
    provider.plan(Fault.ERROR_AFTER_PAYING)    # for the next transfer that is asked for
    ... settings of provider.environment ...
    assert provider.paid == {number: amount_fen}
"""

import hashlib
import hmac
import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

SECRET = "a secret that the provider and the engine share"
SIGNATURE_AGE_SECONDS_MAX = 300
HOLD_SECONDS_MAX = 60


class Fault(StrEnum):
    """What goes wrong with one request for a transfer. AFTER_PAYING: the money has left."""

    DELAY = "DELAY"
    ERROR_AFTER_PAYING = "ERROR_AFTER_PAYING"
    ERROR_BEFORE_PAYING = "ERROR_BEFORE_PAYING"
    RESET_AFTER_PAYING = "RESET_AFTER_PAYING"
    RESET_BEFORE_PAYING = "RESET_BEFORE_PAYING"
    NO_ANSWER = "NO_ANSWER"
    GARBAGE = "GARBAGE"
    HUGE = "HUGE"
    REDIRECT = "REDIRECT"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    WRONG_NUMBER = "WRONG_NUMBER"
    FAIL = "FAIL"
    FORGET = "FORGET"
    PROCESSING = "PROCESSING"


HARMLESS = tuple(Fault)
"""Whatever of these happens, each payout ends, and is paid once or has failed for good."""


@dataclass(slots=True)
class Transfer:
    """What the provider knows of a number. ``bodies`` are all requests for it, as they came."""

    number: str
    amount_fen: int
    payee: str
    state: str
    asks_left: int = 0
    reference: str = ""
    bodies: list[bytes] = field(default_factory=list)


class FakePayoutProvider:
    """``callback_url`` is where outcomes are told, each ``copies`` times, the newest first if
    ``reordered``. ``processing_asks`` is how often a transfer is still under way when asked about
    (Fault.PROCESSING)."""

    def __init__(self, secret: str = SECRET, seed: int = 0) -> None:
        self.secret = secret
        self.transfers: dict[str, Transfer] = {}
        self.violations: list[str] = []
        self.asked: list[str] = []
        self.callback_url: str | None = None
        self.copies = 1
        self.reordered = False
        self.processing_asks = 2
        self.delay_seconds = 0.3
        self.callback_statuses: list[int] = []
        self._random = random.Random(seed)
        self._planned: deque[Fault | None] = deque()
        self._planned_for: dict[str, Fault | None] = {}
        self._at_random: tuple[Fault, ...] = ()
        self._share = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._callers: list[threading.Thread] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a server or a worker that pays through this provider."""
        return {
            "LOYALTY_PAYOUT_URL": self.url,
            "LOYALTY_PAYOUT_SECRET": self.secret,
            "LOYALTY_PAYOUT_PROVIDER": "http",
        }

    def plan(self, *faults: Fault | None) -> None:
        """What becomes of the next requests for a transfer, in turn; None is nothing special."""
        self._planned.extend(faults)

    def plan_for(self, payee: str, fault: Fault | None) -> None:
        """What becomes of the first request to pay somebody."""
        self._planned_for[payee] = fault

    def misbehave(self, share: float, faults: tuple[Fault, ...] = HARMLESS) -> None:
        """From now on this share of the requests meets one of the faults at random."""
        self._share, self._at_random = share, faults

    @property
    def paid(self) -> dict[str, int]:
        """Fen by number, of all that has left."""
        return self._amounts("PAID")

    @property
    def failed(self) -> dict[str, int]:
        return self._amounts("FAILED")

    def _amounts(self, state: str) -> dict[str, int]:
        with self._lock:
            return {t.number: t.amount_fen for t in self.transfers.values() if t.state == state}

    # --- life ------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self.wait_called_back()
        self._server.server_close()

    def wait_called_back(self) -> None:
        """Until all callbacks so far are through."""
        while self._callers:
            self._callers.pop().join()

    # --- what it does ------------------------------------------------------------------------

    def is_signed(self, headers: Any, text: bytes) -> bool:
        timestamp = headers.get("loyalty-timestamp", "")
        wanted = self.sign(timestamp, text)
        given = headers.get("loyalty-signature", "")
        is_young = timestamp.isdigit() and abs(time.time() - int(timestamp)) <= (
            SIGNATURE_AGE_SECONDS_MAX
        )
        return hmac.compare_digest(wanted, given) and is_young

    def sign(self, timestamp: str, text: bytes) -> str:
        key = self.secret.encode()
        return hmac.new(key, f"{timestamp}.".encode() + text, hashlib.sha256).hexdigest()

    def take(self, body: bytes) -> tuple[Fault | None, Transfer | None]:
        """Deal with a request for a transfer; None if it is refused."""
        try:
            asked = json.loads(body)
            number, amount_fen, payee = asked["number"], asked["amount_fen"], asked["payee"]
        except (ValueError, KeyError, TypeError):
            self.violations.append(f"no transfer: {body!r}")
            return None, None
        with self._lock:
            fault = self._next_fault(payee)
            known = self.transfers.get(number)
            if known is not None:
                known.bodies.append(body)
                if body != known.bodies[0]:
                    self.violations.append(f"{number} came again with another body")
                    return None, None
                return (fault if fault is not Fault.FAIL else None), known
            transfer = Transfer(number, amount_fen, payee, "PAID", reference=f"T{number[-8:]}")
            transfer.bodies.append(body)
            if not (number.isalnum() and len(number) == 32 and amount_fen > 0):
                self.violations.append(f"no transfer: {body!r}")
            if fault is Fault.FAIL:
                transfer.state = "FAILED"
            elif fault is Fault.PROCESSING:
                transfer.state, transfer.asks_left = "PROCESSING", self.processing_asks
            is_kept = fault not in (
                *(Fault.ERROR_BEFORE_PAYING, Fault.RESET_BEFORE_PAYING),
                *(Fault.FORGET, Fault.REDIRECT),
            )
            if is_kept:
                self.transfers[number] = transfer
        if is_kept:
            self._tell(transfer)
        return fault, transfer

    def _next_fault(self, payee: str) -> Fault | None:
        if payee in self._planned_for:
            return self._planned_for.pop(payee)
        if self._planned:
            return self._planned.popleft()
        if self._at_random and self._random.random() < self._share:
            return self._random.choice(self._at_random)
        return None

    def look_up(self, number: str) -> Transfer | None:
        """What somebody is told who asks; a transfer that is PROCESSING comes to an end by it."""
        with self._lock:
            self.asked.append(number)
            transfer = self.transfers.get(number)
            is_over = False
            if transfer is not None and transfer.state == "PROCESSING":
                transfer.asks_left -= 1
                is_over = transfer.asks_left < 0
            if transfer is not None and is_over:
                transfer.state = "PAID"
        if transfer is not None and is_over:
            self._tell(transfer)
        return transfer

    @staticmethod
    def report(transfer: Transfer, state: str | None = None) -> dict[str, Any]:
        said = {
            "number": transfer.number,
            "state": state or transfer.state,
            "amount_fen": transfer.amount_fen,
            "reference": transfer.reference,
        }
        if said["state"] == "FAILED":
            said["detail"] = "收款账户已注销"
        return said

    # --- callbacks ---------------------------------------------------------------------------

    def _tell(self, transfer: Transfer) -> None:
        if self.callback_url is None:
            return
        states = ["PROCESSING"] + ([transfer.state] if transfer.state != "PROCESSING" else [])
        if self.reordered:
            states.reverse()
        reports = [self.report(transfer, state) for state in states for _ in range(self.copies)]
        caller = threading.Thread(target=self._call_back, args=(self.callback_url, reports))
        self._callers.append(caller)
        caller.start()

    def _call_back(self, url: str, reports: list[dict[str, Any]]) -> None:
        for report in reports:
            try:
                self.callback_statuses.append(self.call(url, json.dumps(report).encode()))
            except (OSError, http.client.HTTPException):
                self.callback_statuses.append(0)  # at least once, if anybody is there

    def call(self, url: str, body: bytes, timestamp: int | None = None) -> int:
        """One signed callback; the status it is answered with."""
        parts = urlsplit(url)
        stamp = str(int(time.time()) if timestamp is None else timestamp)
        headers = {
            "content-type": "application/json",
            "loyalty-timestamp": stamp,
            "loyalty-signature": self.sign(stamp, body),
        }
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("POST", parts.path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def hold(self, seconds: float) -> None:
        """Wait, unless the provider is to stop."""
        self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256  # many come at once

    def __init__(self, provider: FakePayoutProvider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up in the middle is of no interest."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_POST(self) -> None:
        provider = self.server.provider
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # whoever asked died in the middle
            return
        if self.path != "/transfers" or not provider.is_signed(self.headers, body):
            provider.violations.append(f"unsigned: POST {self.path}")
            self._answer(401, {})
            return
        fault, transfer = provider.take(body)
        if transfer is None:
            self._answer(409, {"error": "not this"})
            return
        self._misbehave(fault, transfer)

    def _misbehave(self, fault: Fault | None, transfer: Transfer) -> None:
        provider = self.server.provider
        report = provider.report(transfer)
        if fault in (Fault.RESET_AFTER_PAYING, Fault.RESET_BEFORE_PAYING):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif fault in (Fault.ERROR_AFTER_PAYING, Fault.ERROR_BEFORE_PAYING):
            self._answer(500, {"error": "sorry"})
        elif fault is Fault.NO_ANSWER:
            provider.hold(HOLD_SECONDS_MAX)
            self.close_connection = True
        elif fault is Fault.REDIRECT:
            self.send_response(307)
            self.send_header("location", f"{provider.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()
        elif fault is Fault.GARBAGE:
            self._write(200, b'{"number": "P')
        elif fault is Fault.HUGE:
            self._write(200, json.dumps(report).encode() + b" " * 1_000_000)
        elif fault is Fault.WRONG_AMOUNT:
            self._answer(200, {**report, "amount_fen": transfer.amount_fen + 1})
        elif fault is Fault.WRONG_NUMBER:
            self._answer(200, {**report, "number": "P" + "0" * 31})
        elif fault is Fault.FORGET:
            self._answer(202, {**report, "state": "ACCEPTED"})
        else:
            if fault is Fault.DELAY:
                provider.hold(provider.delay_seconds)
            self._answer(200, report)

    def do_GET(self) -> None:
        provider = self.server.provider
        number = self.path.removeprefix("/transfers/")
        if number == self.path or not provider.is_signed(self.headers, number.encode()):
            provider.violations.append(f"unsigned: GET {self.path}")
            self._answer(401, {})
            return
        transfer = provider.look_up(number)
        if transfer is None:
            self._answer(404, {"number": number, "state": "NOT_FOUND"})
        else:
            self._answer(200, provider.report(transfer))

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        self._write(status, json.dumps(said).encode())

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
