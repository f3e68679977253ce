"""Keys that a brand's own systems call with (docs/partner-api.md)."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import Scope
from graphql_schema.loaders import rows_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection
from graphql_schema.permissions import HasGrant, HasScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.partner_keys import queries, service
from loyalty.partner_keys.models import PartnerKey as KeyRow
from loyalty.partner_keys.models import PartnerKeyUse as UseRow

_uses = rows_loader(queries.list_uses, lambda row: row.key_id)


@strawberry.type(description="How often a key called a field on a day.")
class PartnerKeyUse:
    on_day: date
    field_name: str
    calls: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, UseRow | cls)


@strawberry.type(description="A key that the brand's own systems call with, when it is a partner.")
class PartnerKey(Node):
    id: strawberry.ID = id_field("PartnerKey")
    name: str
    start: str = strawberry.field(description="How the key begins: what people tell it by.")
    networks: list[str] = strawberry.field(description="Good from these alone; none: anywhere.")
    requests_per_minute: int = strawberry.field(description="Of each process of the server.")
    created_at: datetime
    previous_until: datetime | None = strawberry.field(
        description="Until then the key before is good as well."
    )
    revoked_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, KeyRow | cls)

    @strawberry.field
    def scopes(self, row: strawberry.Parent[KeyRow]) -> list[Scope]:
        return [Scope(each) for each in row.scopes]

    @strawberry.field(
        graphql_type=list[PartnerKeyUse],
        description="By day and field, the newest first; some seconds late.",
    )
    async def uses(self, row: strawberry.Parent[KeyRow], info: Info) -> list[UseRow]:
        return await info.context.loader(_uses).load(row.id)


@strawberry.input
class CreatePartnerKeyInput:
    idempotency_key: strawberry.ID
    name: str
    scopes: list[Scope]
    networks: list[str] = strawberry.field(
        default_factory=list, description="CIDRs that it is good from; none: anywhere."
    )
    requests_per_minute: int = 600


@strawberry.input(description="What is left out stays.")
class ConfigurePartnerKeyInput:
    idempotency_key: strawberry.ID
    key_id: strawberry.ID
    name: str | None = None
    scopes: list[Scope] | None = None
    networks: list[str] | None = None
    requests_per_minute: int | None = None


@strawberry.input
class RotatePartnerKeyInput:
    idempotency_key: strawberry.ID
    key_id: strawberry.ID
    overlap_seconds: int = strawberry.field(
        default=86_400, description="So long the key before is good as well."
    )


@strawberry.input
class RevokePartnerKeyInput:
    idempotency_key: strawberry.ID
    key_id: strawberry.ID
    reason: str


@strawberry.type(description="key: shown this once; null when replayed.")
class NewPartnerKeyReceipt:
    replayed: bool
    partner_key: KeyRow = strawberry.field(graphql_type=PartnerKey)
    key: str | None


@strawberry.type
class PartnerKeyReceipt:
    replayed: bool
    partner_key: KeyRow = strawberry.field(graphql_type=PartnerKey)


NewPartnerKeyResult = Annotated[
    NewPartnerKeyReceipt | Refused, strawberry.union("NewPartnerKeyResult")
]
PartnerKeyResult = Annotated[PartnerKeyReceipt | Refused, strawberry.union("PartnerKeyResult")]


async def fetch_partner_key(context: Context, id: UUID) -> KeyRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_key(snapshot, context.caller.brand_id, id)


@strawberry.type
class PartnerKeyQuery:
    @strawberry.field(graphql_type=Connection[PartnerKey], extensions=[HasGrant(Grant.READ)])
    async def partner_keys(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[KeyRow]:
        """The brand's keys, newest first."""
        return await page_of_brand(info.context, queries.list_keys, first, after)

    @strawberry.field(graphql_type=PartnerKey, extensions=[HasScope()])
    async def my_partner_key(self, info: Info) -> KeyRow:
        """The key that calls: what it may do, and how often it did."""
        async with info.context.database.snapshot() as snapshot:
            return await service.get_key(
                snapshot, info.context.caller.brand_id, info.context.caller.id
            )


@strawberry.type
class PartnerKeyMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.PARTNER_KEYS)])
    async def create_partner_key(
        self, info: Info, input: CreatePartnerKeyInput
    ) -> NewPartnerKeyResult:
        """A key for one of the brand's systems. The answer shows it, once."""

        async def make(tx: Tx, actor: Actor) -> service.NewKey:
            return await service.create_key(
                tx,
                actor,
                name=input.name,
                scopes=input.scopes,
                networks=input.networks,
                requests_per_minute=input.requests_per_minute,
            )

        return await _with_key(info.context, "createPartnerKey", input, make)

    @strawberry.mutation(extensions=[HasGrant(Grant.PARTNER_KEYS)])
    async def rotate_partner_key(
        self, info: Info, input: RotatePartnerKeyInput
    ) -> NewPartnerKeyResult:
        """Another key in its place (轮换密钥); for a while both are good."""
        id = local_id("PartnerKey", input.key_id)

        async def make(tx: Tx, actor: Actor) -> service.NewKey:
            return await service.rotate_key(tx, actor, id, input.overlap_seconds)

        return await _with_key(info.context, "rotatePartnerKey", input, make)

    @strawberry.mutation(extensions=[HasGrant(Grant.PARTNER_KEYS)])
    async def configure_partner_key(
        self, info: Info, input: ConfigurePartnerKeyInput
    ) -> PartnerKeyResult:
        """Change what a key may do, from where and how often: from its next call on."""
        id = local_id("PartnerKey", input.key_id)

        async def step(tx: Tx, actor: Actor) -> KeyRow:
            return await service.configure_key(
                tx,
                actor,
                id,
                name=input.name,
                scopes=input.scopes,
                networks=input.networks,
                requests_per_minute=input.requests_per_minute,
            )

        return await _key_once(info.context, "configurePartnerKey", input, step)

    @strawberry.mutation(extensions=[HasGrant(Grant.PARTNER_KEYS)])
    async def revoke_partner_key(
        self, info: Info, input: RevokePartnerKeyInput
    ) -> PartnerKeyResult:
        """End a key for good (吊销): its next call is refused."""
        id = local_id("PartnerKey", input.key_id)

        async def step(tx: Tx, actor: Actor) -> KeyRow:
            return await service.revoke_key(tx, actor, id, input.reason)

        return await _key_once(info.context, "revokePartnerKey", input, step)


async def _with_key(
    context: Context,
    operation: str,
    input: CreatePartnerKeyInput | RotatePartnerKeyInput,
    make: Any,
) -> NewPartnerKeyReceipt:
    """The key is in no reply that is kept: a replay has none."""
    made: list[service.NewKey] = []

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        made[:] = [await make(tx, actor)]
        return {"id": made[0].row.id.hex}

    reply, replayed = await effect_once(context, operation, input, verb)
    row = await _row(context, UUID(hex=reply["id"]))
    key = None if replayed else made[0].key
    return NewPartnerKeyReceipt(replayed=replayed, partner_key=row, key=key)


async def _key_once(context: Context, operation: str, input: Any, step: Any) -> PartnerKeyReceipt:
    """Answered as it is now: its hash is in no reply that is kept."""

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return {"id": (await step(tx, actor)).id.hex}

    reply, replayed = await effect_once(context, operation, input, verb)
    row = await _row(context, UUID(hex=reply["id"]))
    return PartnerKeyReceipt(replayed=replayed, partner_key=row)


async def _row(context: Context, id: UUID) -> KeyRow:
    async with context.database.snapshot() as snapshot:
        return await service.get_key(snapshot, context.caller.brand_id, id)
