"""An endpoint of the audited brand: one webhook delivered, one that waits, one dead."""

from datetime import timedelta
from uuid import UUID

from loyalty.ids import new_id
from loyalty.outbox import OutboxEvent
from loyalty.webhooks.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSubscription,
)
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.audited_raffles import AuditedRaffles

DAY = timedelta(days=1)


class AuditedWebhooks(AuditedRaffles):
    """It wants tiers; what was written before it was certain to be seen may be missed."""

    def _webhooks(self) -> None:
        endpoint = self._add(
            WebhookEndpoint,
            url="https://hooks.example/",
            description="",
            secret_cipher="sealed",
            created_at=AT - DAY,
            due_at=AT,
        ).id
        self._add(
            WebhookSubscription,
            endpoint_id=endpoint,
            event_type="tier.reached",
            since=AT - DAY,
            certain_at=AT,
        )
        self._tier_fact(AT - timedelta(seconds=30))
        self.told_fact = self._tier_fact(AT + timedelta(seconds=1))
        delivered = self._webhook(endpoint, self.told_fact, delivered_at=AT + timedelta(seconds=3))
        self._webhook(endpoint, new_id())
        dead = self._webhook(endpoint, new_id(), dead_at=AT, last_error="HTTP 500")
        for delivery, code in ((delivered, 500), (delivered, 200), (dead, 500)):
            self._add(
                WebhookAttempt,
                delivery_id=delivery,
                started_at=AT,
                duration_ms=12,
                status_code=code,
                error=None if code == 200 else f"HTTP {code}",
            )

    def _tier_fact(self, at: object) -> UUID:
        fact = self._add(
            OutboxEvent,
            topic="tier.reached",
            subject_id=self.consumer,
            payload={},
            created_at=at,
            due_at=at,
            attempts=1,
            delivered_at=at,
        )
        return UUID(bytes=fact.id.bytes)

    def _webhook(self, endpoint: UUID, event_id: UUID, **end: object) -> UUID:
        status = "DELIVERED" if "delivered_at" in end else "DEAD" if end else "PENDING"
        made = self._add(
            WebhookDelivery,
            endpoint_id=endpoint,
            event_id=event_id,
            event_type="tier.reached",
            subject_id=new_id(),
            status=status,
            attempts=2 if end else 0,
            next_at=AT + timedelta(minutes=1),
            queued_at=AT,
            created_at=AT,
            **end,
        )
        return UUID(bytes=made.id.bytes)
