"""Endpoints of a brand, and the workers that note facts and send them: for tests of webhooks."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlmodel import col, select

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ledger.audit import audit
from loyalty.notifications.providers import NullProvider
from loyalty.outbox import LEASE_SECONDS
from loyalty.webhooks import sending, service
from loyalty.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from loyalty.webhooks.service import NewSecret
from loyalty.webhooks.targets import Sender
from tests.clocks import SettableClock
from tests.workers.facts import add_event, add_member
from workers.webhook_facts import Describer
from workers.webhooks import WebhookSender
from workers.wiring import make_relay

SEND_SECONDS_MAX = 4.0


@dataclass
class Hooks:
    """``clock`` is that of ``db``, and moves past the beat between noting and sending."""

    db: Database
    brand: Brand
    keyring: Keyring
    clock: SettableClock
    send_seconds_max: float = SEND_SECONDS_MAX

    def sender(self, at_once_max: int = 16) -> WebhookSender:
        return WebhookSender(
            self.db,
            self.keyring,
            Sender(self.send_seconds_max, is_private_allowed=True),
            Describer(self.keyring),
            clock=self.clock,
            at_once_max=at_once_max,
        )

    async def endpoint(self, url: str, *event_types: str) -> NewSecret:
        return await self.db.in_transaction(
            service.create_endpoint,
            system_actor(self.brand.id),
            self.keyring,
            url=url,
            event_types=event_types or ("member.enrolled",),
            description="",
            is_private_allowed=True,
        )

    async def enrol(self, count: int = 1, member_id: UUID | None = None) -> list[UUID]:
        """So many facts of one member, new unless it is given; their ids."""
        member_id = member_id or await self.db.in_transaction(add_member, self.brand)
        return [
            await self.db.in_transaction(
                add_event, self.brand, "member.enrolled", member_id, role="CONSUMER"
            )
            for _ in range(count)
        ]

    async def note(self) -> None:
        """Have the relay work its facts off, and a beat pass."""
        await make_relay(self.db, NullProvider()).run_once()
        self.clock.advance(seconds=service.SETTLE_SECONDS)

    async def send(self) -> int:
        """All that is due now; how many endpoints had a turn."""
        sender = self.sender()
        count = await sender.run_once()
        await sender.stop()
        return count

    async def deliveries(self) -> list[WebhookDelivery]:
        """In the order of their events."""
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(WebhookDelivery).order_by(col(WebhookDelivery.event_id))
            )
            return list(found)

    async def attempts(self) -> list[WebhookAttempt]:
        async with self.db.snapshot() as snapshot:
            found = await snapshot.session.exec(
                select(WebhookAttempt).order_by(col(WebhookAttempt.id))
            )
            return list(found)

    async def statuses(self) -> list[str]:
        return [each.status for each in await self.deliveries()]

    async def row(self, id: UUID) -> WebhookEndpoint:
        async with self.db.snapshot() as snapshot:
            return await service.get_endpoint(snapshot, self.brand.id, id)

    async def wait_for_turn(self, endpoint_ids: Collection[UUID]) -> None:
        """Move the clock to when the first of these may be asked again."""
        rows = [await self.row(id) for id in endpoint_ids]
        at = min(max(row.due_at, row.blocked_until or row.due_at) for row in rows if row.due_at)
        if at > self.clock():
            self.clock.advance(seconds=(at - self.clock() + timedelta(seconds=1)).total_seconds())


async def is_sound(hooks: Hooks) -> bool:
    checks = await audit(hooks.db)
    return not [check for check in checks if check.broken and "webhook" in check.name.lower()]


async def lease(tx: Tx) -> list[sending.LeasedEndpoint]:
    return await sending.lease(tx, 9, are_failing=False, lease_seconds=LEASE_SECONDS)
