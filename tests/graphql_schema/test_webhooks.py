"""Webhooks as operators see them."""

from datetime import timedelta
from uuid import UUID

from graphql_schema.pagination import find_id_of
from loyalty.actor import OperatorRole
from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.webhooks.models import WebhookAttempt
from tests.graphql_schema.stage import Stage

URLS = "{ webhookEndpoints { nodes { url } } }"
LOG = "{ webhookDeliveries { nodes { log { startedAt durationMs } } } }"


async def test_who_may_not_change_an_address_sees_its_host(stage: Stage) -> None:
    url = "https://hooks.example:8443/in/a-secret-of-its?and=another"
    await stage.admin.done("createWebhookEndpoint", url=url, eventTypes=["scan.paid"])
    for role in OperatorRole:
        [endpoint] = (await stage.operator(role).ask(URLS))["webhookEndpoints"]["nodes"]
        shown = url if role is OperatorRole.ADMIN else "https://hooks.example:8443"
        assert endpoint == {"url": shown}, role


async def test_the_newest_hundred_requests_of_a_delivery_are_shown(
    stage: Stage, db: Database
) -> None:
    asked = {"url": "https://hooks.example/", "eventTypes": ["scan.paid"]}
    endpoint = (await stage.admin.done("createWebhookEndpoint", **asked))["endpoint"]
    test = await stage.admin.done("sendTestWebhook", endpointId=endpoint["id"])
    delivery_id = find_id_of("WebhookDelivery", test["delivery"]["id"])
    assert delivery_id is not None
    await db.in_transaction(_try_often, stage.brand_id, delivery_id)
    [delivery] = (await stage.admin.ask(LOG))["webhookDeliveries"]["nodes"]
    assert [each["durationMs"] for each in delivery["log"]] == list(range(5, 105))


async def _try_often(tx: Tx, brand_id: UUID, delivery_id: UUID) -> None:
    rows = [
        WebhookAttempt(
            brand_id=brand_id,
            id=new_id(),
            delivery_id=delivery_id,
            started_at=tx.now + timedelta(seconds=number),
            duration_ms=number,
            error="HTTP 500",
        )
        for number in range(105)
    ]
    await tx.add(*rows)
