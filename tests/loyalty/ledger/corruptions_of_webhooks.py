"""Webhooks that are lost, stuck or said to have been delivered: invariant 10."""

from datetime import timedelta

from loyalty.ids import new_id
from loyalty.outbox import OutboxEvent
from loyalty.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.loyalty.ledger.audited_books import AT
from tests.loyalty.ledger.corruptions import STRANGER, Corruption, change, remove, repeat

STATES = "a webhook is delivered, waits for its next attempt, or is dead"
TAKEN = "a webhook was delivered by a request that was taken"
LOOKED_AT = "an endpoint is looked at when a webhook of its is due"
TOLD = "a fact is told to every endpoint that wants it"

OF_WEBHOOKS = (
    Corruption(
        "a webhook neither delivered nor waiting",
        10,
        lambda b, _: [
            change(WebhookDelivery, {"brand_id": b.id, "status": "PENDING"}, status="LOST")
        ],
        (STATES,),
        ("webhook_deliveries",),
    ),
    Corruption(
        "a dead webhook of no error",
        10,
        lambda b, _: [
            change(WebhookDelivery, {"brand_id": b.id, "status": "DEAD"}, last_error=None)
        ],
        (STATES,),
        ("webhook_deliveries",),
    ),
    Corruption(
        "a webhook delivered by nobody",
        10,
        lambda b, _: [remove(WebhookAttempt, brand_id=b.id, status_code=200)],
        (TAKEN,),
    ),
    Corruption(
        "an endpoint asleep while something waits",
        10,
        lambda b, _: [change(WebhookEndpoint, {"brand_id": b.id}, due_at=None)],
        (LOOKED_AT,),
    ),
    Corruption(
        "an endpoint looked at too late",
        10,
        lambda b, _: [
            change(WebhookEndpoint, {"brand_id": b.id}, due_at=AT + timedelta(days=36_500))
        ],
        (LOOKED_AT,),
    ),
    Corruption(
        "a disabled endpoint for which something waits",
        10,
        lambda b, _: [change(WebhookEndpoint, {"brand_id": b.id}, status="DISABLED")],
        (LOOKED_AT,),
    ),
    Corruption(
        "a fact that was told to nobody",
        10,
        lambda b, _: [
            repeat(
                OutboxEvent,
                {"brand_id": b.id, "id": b.told_fact},
                id=new_id(),
                created_at=AT + timedelta(minutes=2),
            )
        ],
        (TOLD,),
    ),
    Corruption(
        "a webhook for a stranger's endpoint",
        12,
        lambda b, _: [
            change(WebhookDelivery, {"brand_id": b.id, "status": "DEAD"}, endpoint_id=STRANGER)
        ],
        ("webhook_deliveries refers only to its own brand",),
        ("webhook_deliveries",),
    ),
)
