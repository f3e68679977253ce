"""Who moves money to stores. A provider is a small protocol, with a null one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from loyalty.clock import Clock
from loyalty.outbound import Outbound
from rewards.payouts.rules import (
    Order,
    Report,
    ReportState,
    ReportUnreadable,
    order_of,
    read_report,
    request_text,
    signature,
)

TIMESTAMP_HEADER = "loyalty-timestamp"
SIGNATURE_HEADER = "loyalty-signature"


class PayoutProvider(Protocol):
    """Called outside of any transaction. Whatever ``send`` and ``ask`` raise means: unknown."""

    @property
    def name(self) -> str: ...

    def build(self, order: Order) -> str:
        """The exact request, as it is stored and sent."""
        ...

    async def send(self, request: str) -> Report:
        """Ask for the transfer, or for what became of it if the number is known."""
        ...

    async def ask(self, number: str) -> Report:
        """What became of a number; NOT_FOUND only if the provider says so itself."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Paymaster:
    """A provider, and when it is turned to again: ``ask_seconds`` after a transfer was taken and
    then ever less often; ``retry_seconds`` after one to the same payee failed for good."""

    provider: PayoutProvider
    ask_seconds: float = 30
    retry_seconds: float = 3600

    @property
    def retry(self) -> timedelta:
        return timedelta(seconds=self.retry_seconds)


class NullPayoutProvider:
    """Pays at once, in our books only."""

    name = "null"

    def build(self, order: Order) -> str:
        return request_text(order)

    async def send(self, request: str) -> Report:
        """Paid."""
        order = order_of(request)
        return Report(ReportState.PAID, order.number, order.amount_fen)

    async def ask(self, number: str) -> Report:
        """It remembers nothing."""
        return Report(ReportState.NOT_FOUND, number)

    async def close(self) -> None:
        """Nothing is open."""


class HttpPayoutProvider:
    """``POST {url}/transfers`` and ``GET {url}/transfers/{number}``, signed with a shared secret:
    ``docs/payouts.md``."""

    name = "http"

    def __init__(self, url: str, secret: bytes, seconds_max: float, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._secret = secret
        self._clock = clock
        self._outbound = Outbound(seconds_max)

    def build(self, order: Order) -> str:
        return request_text(order)

    async def send(self, request: str) -> Report:
        body = request.encode()
        headers = {**self._signed(body), "content-type": "application/json"}
        reply = await self._outbound.send("POST", f"{self._url}/transfers", headers, body)
        if reply.status not in (200, 201, 202):
            raise ReportUnreadable(f"the provider answered {reply.status}")
        report = read_report(reply.body)
        if report.state is ReportState.NOT_FOUND:
            raise ReportUnreadable("a transfer was sent, and is not found")
        return report

    async def ask(self, number: str) -> Report:
        headers = self._signed(number.encode())
        reply = await self._outbound.send("GET", f"{self._url}/transfers/{number}", headers)
        if reply.status not in (200, 404):
            raise ReportUnreadable(f"the provider answered {reply.status}")
        report = read_report(reply.body)
        # Anything on the way may answer 404; only the provider says NOT_FOUND, of this number.
        if (report.state is ReportState.NOT_FOUND) is not (reply.status == 404):
            raise ReportUnreadable(f"{report.state} with status {reply.status}")
        return report

    def _signed(self, text: bytes) -> dict[str, str]:
        timestamp = int(self._clock().timestamp())
        return {
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: signature(self._secret, timestamp, text),
        }

    async def close(self) -> None:
        await self._outbound.close()
