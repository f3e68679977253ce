"""Webhooks for operators: where the brand is told of what happens, and what is done by hand."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once, row_once
from graphql_schema.enums import WebhookDeliveryStatus
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection, Cursor, find_id_of
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.webhook_types import WebhookDelivery, WebhookEndpoint, WebhookEventType
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.errors import InvalidInput
from loyalty.text import checked_instant
from loyalty.webhooks import queries, service
from loyalty.webhooks.catalogue import EVENT_TYPES, schema_of
from loyalty.webhooks.models import WebhookDelivery as DeliveryRow
from loyalty.webhooks.models import WebhookEndpoint as EndpointRow

CURSOR = Cursor(UUID)
NOBODY = UUID(int=0)


@strawberry.input
class CreateWebhookEndpointInput:
    idempotency_key: strawberry.ID
    url: str
    event_types: list[str]
    description: str = ""


@strawberry.input(description="What is left out stays.")
class ConfigureWebhookEndpointInput:
    idempotency_key: strawberry.ID
    endpoint_id: strawberry.ID
    url: str | None = None
    event_types: list[str] | None = None
    description: str | None = None
    active: bool | None = None


@strawberry.input
class RotateWebhookSecretInput:
    idempotency_key: strawberry.ID
    endpoint_id: strawberry.ID
    overlap_seconds: int = strawberry.field(
        default=86_400, description="So long the secret before signs as well."
    )


@strawberry.input
class SendTestWebhookInput:
    idempotency_key: strawberry.ID
    endpoint_id: strawberry.ID


@strawberry.input
class ResendWebhookInput:
    idempotency_key: strawberry.ID
    delivery_id: strawberry.ID


@strawberry.input
class ReplayWebhooksInput:
    idempotency_key: strawberry.ID
    endpoint_id: strawberry.ID
    since: datetime


@strawberry.type(description="secret: shown this once; null when replayed.")
class WebhookSecretReceipt:
    replayed: bool
    endpoint: EndpointRow = strawberry.field(graphql_type=WebhookEndpoint)
    secret: str | None


@strawberry.type
class WebhookEndpointReceipt:
    replayed: bool
    endpoint: EndpointRow = strawberry.field(graphql_type=WebhookEndpoint)


@strawberry.type
class WebhookDeliveryReceipt:
    replayed: bool
    delivery: DeliveryRow = strawberry.field(graphql_type=WebhookDelivery)


WebhookSecretResult = Annotated[
    WebhookSecretReceipt | Refused, strawberry.union("WebhookSecretResult")
]
WebhookEndpointResult = Annotated[
    WebhookEndpointReceipt | Refused, strawberry.union("WebhookEndpointResult")
]
WebhookDeliveryResult = Annotated[
    WebhookDeliveryReceipt | Refused, strawberry.union("WebhookDeliveryResult")
]


async def fetch_endpoint(context: Context, id: UUID) -> EndpointRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_endpoint(snapshot, context.caller.brand_id, id)


async def fetch_delivery(context: Context, id: UUID) -> DeliveryRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_delivery(snapshot, context.caller.brand_id, id)


@strawberry.type
class WebhookQuery:
    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    def webhook_event_types(self, info: Info) -> list[WebhookEventType]:
        """All that endpoints may be told of, and webhook.test, which is sent by hand."""
        is_en = info.context.language == "en"
        return [
            WebhookEventType(
                name=each.name,
                version=each.version,
                description=each.en if is_en else each.zh,
                schema=JSON(schema_of(each)),
            )
            for each in EVENT_TYPES
        ]

    @strawberry.field(graphql_type=Connection[WebhookEndpoint], extensions=[HasGrant(Grant.READ)])
    async def webhook_endpoints(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[EndpointRow]:
        """The brand's endpoints, newest first."""
        return await page_of_brand(info.context, queries.list_endpoints, first, after)

    @strawberry.field(graphql_type=Connection[WebhookDelivery], extensions=[HasGrant(Grant.READ)])
    async def webhook_deliveries(
        self,
        info: Info,
        endpoint_id: strawberry.ID | None = None,
        status: WebhookDeliveryStatus | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[DeliveryRow]:
        """What was sent or is to be: to all endpoints, or to one; newest first."""
        id = None
        if endpoint_id is not None:
            id = find_id_of("WebhookEndpoint", endpoint_id) or NOBODY
        return await page_of_brand(
            info.context,
            partial(queries.list_deliveries, endpoint_id=id, status=status),
            first,
            after,
        )


async def _with_secret(
    context: Context,
    operation: str,
    input: CreateWebhookEndpointInput | RotateWebhookSecretInput,
    make: Any,
) -> WebhookSecretReceipt:
    """The secret is in no reply that is kept: a replay has none."""
    made: list[service.NewSecret] = []

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        made[:] = [await make(tx, actor)]
        return {"id": made[0].endpoint.id.hex}

    reply, replayed = await effect_once(context, operation, input, verb)
    async with context.database.snapshot() as snapshot:
        endpoint = await service.get_endpoint(
            snapshot, context.caller.brand_id, UUID(hex=reply["id"])
        )
    secret = None if replayed else made[0].secret
    return WebhookSecretReceipt(replayed=replayed, endpoint=endpoint, secret=secret)


@strawberry.type
class WebhookMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def create_webhook_endpoint(
        self, info: Info, input: CreateWebhookEndpointInput
    ) -> WebhookSecretResult:
        """Have the brand told of what happens from now on. The answer shows the secret, once."""
        context = info.context

        async def make(tx: Tx, actor: Actor) -> service.NewSecret:
            return await service.create_endpoint(
                tx,
                actor,
                context.keyring,
                url=input.url,
                event_types=input.event_types,
                description=input.description,
                is_private_allowed=context.settings.webhook_allow_private,
            )

        return await _with_secret(context, "createWebhookEndpoint", input, make)

    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def rotate_webhook_secret(
        self, info: Info, input: RotateWebhookSecretInput
    ) -> WebhookSecretResult:
        """Another secret (轮换密钥); for a while both sign, so that receivers can change over."""
        context, id = info.context, local_id("WebhookEndpoint", input.endpoint_id)

        async def make(tx: Tx, actor: Actor) -> service.NewSecret:
            return await service.rotate_secret(
                tx, actor, context.keyring, id, input.overlap_seconds
            )

        return await _with_secret(context, "rotateWebhookSecret", input, make)

    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def configure_webhook_endpoint(
        self, info: Info, input: ConfigureWebhookEndpointInput
    ) -> WebhookEndpointResult:
        """Change an endpoint, disable it or make it active again. What waits for one that is
        disabled is dead then: a replay brings it."""
        id = local_id("WebhookEndpoint", input.endpoint_id)
        allowed = info.context.settings.webhook_allow_private

        async def step(tx: Tx, actor: Actor) -> EndpointRow:
            return await service.configure_endpoint(
                tx,
                actor,
                id,
                url=input.url,
                event_types=input.event_types,
                description=input.description,
                active=input.active,
                is_private_allowed=allowed,
            )

        return await _endpoint_once(info.context, "configureWebhookEndpoint", input, step)

    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def replay_webhooks(
        self, info: Info, input: ReplayWebhooksInput
    ) -> WebhookEndpointResult:
        """Send everything again that the endpoint wants and that happened since then. Receivers
        tell what they have had by its webhook-id."""
        id = local_id("WebhookEndpoint", input.endpoint_id)
        since = checked_instant(input.since, "since")
        if since is None:
            raise InvalidInput(field="since", problem="must be in the past")

        async def step(tx: Tx, actor: Actor) -> EndpointRow:
            return await service.replay(tx, actor, id, since)

        return await _endpoint_once(info.context, "replayWebhooks", input, step)

    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def send_test_webhook(
        self, info: Info, input: SendTestWebhookInput
    ) -> WebhookDeliveryResult:
        """Send a webhook.test, signed and recorded as all others."""
        id = local_id("WebhookEndpoint", input.endpoint_id)

        async def step(tx: Tx, actor: Actor) -> DeliveryRow:
            return await service.send_test(tx, actor, id)

        row, replayed = await row_once(info.context, "sendTestWebhook", input, DeliveryRow, step)
        return WebhookDeliveryReceipt(replayed=replayed, delivery=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.WEBHOOKS)])
    async def resend_webhook(self, info: Info, input: ResendWebhookInput) -> WebhookDeliveryResult:
        """Send a delivery again, whatever became of it, with all attempts before it."""
        id = local_id("WebhookDelivery", input.delivery_id)

        async def step(tx: Tx, actor: Actor) -> DeliveryRow:
            return await service.resend(tx, actor, id)

        row, replayed = await row_once(info.context, "resendWebhook", input, DeliveryRow, step)
        return WebhookDeliveryReceipt(replayed=replayed, delivery=row)


async def _endpoint_once(
    context: Context, operation: str, input: Any, step: Any
) -> WebhookEndpointReceipt:
    """Answered as it is now: its secrets are in no reply that is kept."""

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return {"id": (await step(tx, actor)).id.hex}

    reply, replayed = await effect_once(context, operation, input, verb)
    async with context.database.snapshot() as snapshot:
        row = await service.get_endpoint(snapshot, context.caller.brand_id, UUID(hex=reply["id"]))
    return WebhookEndpointReceipt(replayed=replayed, endpoint=row)
