"""What carries messages to people. Each provider is a small protocol, with a null one."""

import sys
from dataclasses import dataclass
from typing import Protocol, TextIO
from uuid import UUID

import orjson

from loyalty.clock import Clock
from loyalty.notifications.rules import webhook_signature
from loyalty.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one member. ``id`` is that of the fact behind it: providers that can refuse
    a second message by id get it as their key. ``content`` is the text by language, zh and en."""

    id: UUID
    brand_id: UUID
    member_id: UUID
    kind: str
    content: dict[str, str]


class NotificationProvider(Protocol):
    """Takes a message or raises; called outside of any transaction."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Message) -> None: ...


class NullProvider:
    """Sends nothing anywhere: the notification's row is all that remains."""

    name = "null"

    async def send(self, message: Message) -> None:
        """Taken."""


class NotTaken(Exception):
    """The gateway answered, and did not take the message."""


class HttpProvider:
    """Posts each message to a gateway, signed as Standard Webhooks have it. ``webhook-id`` is the
    message's own id, the same each time it is sent: the gateway tells a second one by it."""

    name = "http"

    def __init__(self, url: str, secret: bytes, clock: Clock, seconds_max: float = 4) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._outbound = Outbound(seconds_max)

    async def send(self, message: Message) -> None:
        """Taken with any status of 200 to 299; NotTaken, or what ``Outbound`` raises."""
        body = orjson.dumps(
            {
                "id": str(message.id),
                "brand_id": str(message.brand_id),
                "member_id": str(message.member_id),
                "kind": message.kind,
                "content": message.content,
            }
        )
        timestamp = int(self._clock().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": str(message.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": webhook_signature(self._secret, str(message.id), timestamp, body),
        }
        reply = await self._outbound.send("POST", self._url, headers, body)
        if not 200 <= reply.status <= 299:
            raise NotTaken(f"the gateway answered {reply.status}")

    async def close(self) -> None:
        await self._outbound.close()


class SignInCodeSender(Protocol):
    """Brings a one-time code to a phone; called after the code is committed."""

    async def send_code(self, phone: str, code: str, ttl_seconds: int) -> None: ...


class ConsoleProvider:
    """Prints sign-in codes in clear on the host's console, for trials without a gateway: the one
    place that ever shows one."""

    name = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send_code(self, phone: str, code: str, ttl_seconds: int) -> None:
        stream = self._stream or sys.stderr
        stream.write(f"sign-in code for {phone}: {code} (good for {ttl_seconds} s)\n")
        stream.flush()
