"""What operators see of webhooks: endpoints, what was sent to them, and the types of events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.scalars import JSON

from graphql_schema.context import Info
from graphql_schema.enums import WebhookDeliveryStatus, WebhookEndpointStatus
from graphql_schema.loaders import rows_loader, value_loader
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import encode_id
from graphql_schema.scalars import BigInt
from loyalty.actor import Grant
from loyalty.db import Snapshot
from loyalty.webhooks import queries
from loyalty.webhooks.models import WebhookAttempt as AttemptRow
from loyalty.webhooks.models import WebhookDelivery as DeliveryRow
from loyalty.webhooks.models import WebhookEndpoint as EndpointRow
from loyalty.webhooks.rules import shown_url


def _count(status: WebhookDeliveryStatus) -> Any:
    async def find(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> dict[UUID, int]:
        return await queries.count_unsent(snapshot, brand_id, ids, status)

    return value_loader(find)


_subscriptions = rows_loader(queries.list_subscriptions, lambda row: row.endpoint_id)
_attempts = rows_loader(queries.list_attempts, lambda row: row.delivery_id)
_pending = _count(WebhookDeliveryStatus.PENDING)
_dead = _count(WebhookDeliveryStatus.DEAD)


@strawberry.type(description="One request that was made, or could not be, and what came of it.")
class WebhookAttempt:
    started_at: datetime
    duration_ms: BigInt
    status_code: int | None
    error: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AttemptRow | cls)


@strawberry.type(description="One event for one endpoint (docs/webhooks.md).")
class WebhookDelivery(Node):
    id: strawberry.ID = id_field("WebhookDelivery")
    event_type: str
    attempts: int = strawberry.field(description="Since it was queued, or sent again by hand.")
    created_at: datetime
    delivered_at: datetime | None
    dead_at: datetime | None
    last_status_code: int | None
    last_error: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, DeliveryRow | cls)

    @strawberry.field(description="The webhook-id that the receiver sees.")
    def webhook_id(self, row: strawberry.Parent[DeliveryRow]) -> str:
        return str(row.event_id)

    @strawberry.field
    def endpoint_id(self, row: strawberry.Parent[DeliveryRow]) -> strawberry.ID:
        return encode_id("WebhookEndpoint", row.endpoint_id)

    @strawberry.field
    def status(self, row: strawberry.Parent[DeliveryRow]) -> WebhookDeliveryStatus:
        return WebhookDeliveryStatus(row.status)

    @strawberry.field(description="When it is tried next, at the earliest; null unless PENDING.")
    def next_at(self, row: strawberry.Parent[DeliveryRow]) -> datetime | None:
        return row.next_at if row.status == WebhookDeliveryStatus.PENDING.value else None

    @strawberry.field(
        graphql_type=list[WebhookAttempt], description="The newest hundred, first to last."
    )
    async def log(self, row: strawberry.Parent[DeliveryRow], info: Info) -> list[AttemptRow]:
        return await info.context.loader(_attempts).load(row.id)


@strawberry.type(description="Where the brand is told of what happens (docs/webhooks.md).")
class WebhookEndpoint(Node):
    id: strawberry.ID = id_field("WebhookEndpoint")
    description: str
    created_at: datetime
    failures: int = strawberry.field(description="Requests that failed in a row, up to now.")
    blocked_until: datetime | None = strawberry.field(
        description="After failures nobody asks it before then."
    )
    previous_until: datetime | None = strawberry.field(
        description="Until then the secret before signs as well."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EndpointRow | cls)

    @strawberry.field(description="In full for whoever may change it; for others its host.")
    def url(self, row: strawberry.Parent[EndpointRow], info: Info) -> str:
        is_told = Grant.WEBHOOKS in info.context.caller.grants
        return row.url if is_told else shown_url(row.url)

    @strawberry.field
    def status(self, row: strawberry.Parent[EndpointRow]) -> WebhookEndpointStatus:
        return WebhookEndpointStatus(row.status)

    @strawberry.field(description="Those it wants, by name.")
    async def event_types(self, row: strawberry.Parent[EndpointRow], info: Info) -> list[str]:
        return [each.event_type for each in await info.context.loader(_subscriptions).load(row.id)]

    @strawberry.field(description="Whether a replay is under way.")
    def is_replaying(self, row: strawberry.Parent[EndpointRow]) -> bool:
        return row.replay_after_id is not None

    @strawberry.field(description="Deliveries that wait.")
    async def pending(self, row: strawberry.Parent[EndpointRow], info: Info) -> int:
        counts: DataLoader[UUID, int] = info.context.loader(_pending)
        return await counts.load(row.id)

    @strawberry.field(description="Deliveries that were given up: look at them, and send again.")
    async def dead(self, row: strawberry.Parent[EndpointRow], info: Info) -> int:
        counts: DataLoader[UUID, int] = info.context.loader(_dead)
        return await counts.load(row.id)


@strawberry.type(description="A type of events, and the JSON Schema of its bodies.")
class WebhookEventType:
    name: str
    version: int
    description: str
    schema: JSON
