"""What leaves the house: prepared from a snapshot, sent outside of any transaction, recorded
together with the delivery. Sent at least once, recorded once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from loyalty import outbox
from loyalty.db import Snapshot, Tx
from loyalty.notifications import service as notifications
from loyalty.notifications.providers import Message, NotificationProvider
from loyalty.notifications.service import Recipient
from loyalty.outbox import Leased

Prepare = Callable[[Snapshot, Sequence[Leased]], Awaitable[Mapping[UUID, Message]]]


class Courier(Protocol):
    """Carries the events of a topic to somebody outside. Each verb takes a whole group, except
    ``send``; a group that raises is halved until the bad event fails alone.

    How often an event was leased (``Leased.attempts``) does not tell whether it was ever sent: a
    dead letter that is retried counts from nought. Who must know keeps it in its own rows.
    """

    async def prepare(self, snapshot: Snapshot, events: Sequence[Leased]) -> Mapping[UUID, Any]:
        """Parcels by event id; an event without one needs nothing sent."""
        ...

    async def send(self, parcel: Any) -> Any:
        """Outside of any transaction, many at once, each with a few seconds. Returns a report;
        raising fails the event, which comes back later."""
        ...

    async def record(
        self, tx: Tx, token: UUID, events: Sequence[Leased], reports: Mapping[UUID, Any]
    ) -> None:
        """Mark the events delivered with ``outbox.deliver`` and write the effects of their
        reports (by event id; none for an event that had no parcel), in this one transaction."""
        ...


class NotificationCourier:
    """Messages to members, through a provider; the report is the message that was taken."""

    def __init__(self, provider: NotificationProvider, prepare: Prepare) -> None:
        self._provider = provider
        self._prepare = prepare

    async def prepare(self, snapshot: Snapshot, events: Sequence[Leased]) -> Mapping[UUID, Message]:
        return await self._prepare(snapshot, events)

    async def send(self, parcel: Message) -> Message:
        await self._provider.send(parcel)
        return parcel

    async def record(
        self, tx: Tx, token: UUID, events: Sequence[Leased], reports: Mapping[UUID, Message]
    ) -> None:
        await outbox.deliver(tx, token, events)
        sent = [reports[event.id] for event in events if event.id in reports]
        await notifications.record_all_sent(tx, sent, self._provider.name)


class UnknownMember(Exception):
    """A fact about a member that the brand does not have."""


async def find_untold(snapshot: Snapshot, events: Sequence[Leased]) -> list[Recipient]:
    """Whom these facts are about and who has not been told yet; UnknownMember if the brand has no
    such member."""
    if not events:
        return []
    found = await notifications.find_recipients(
        snapshot, [(event.brand_id, event.id, event.subject_id) for event in events]
    )
    if len(found) != len(events):
        raise UnknownMember
    return [to for to in found.values() if not to.is_told]
