"""What carries messages to people. Each provider is a small protocol, with a null one."""

import sys
from dataclasses import dataclass
from typing import Protocol, TextIO
from uuid import UUID


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
