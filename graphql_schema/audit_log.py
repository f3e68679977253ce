"""The audit log (操作日志): who did what to what, and why."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from graphql_schema.context import Context, Info
from graphql_schema.loaders import MakeLoader, row_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import Connection, encode_id, find_id
from graphql_schema.permissions import HasGrant
from graphql_schema.statements import brand_days
from loyalty.access.models import Operator
from loyalty.actor import ActorKind, Grant
from loyalty.audit_log import AuditLogEntry as EntryRow
from loyalty.audit_log import Wanted, list_acts
from loyalty.db import Snapshot
from loyalty.keyed import find_row, list_rows_by_ids
from loyalty.partner_keys.models import PartnerKey
from loyalty.places.models import Clerk

_NOBODY = UUID(int=0)
_Actor = Operator | Clerk | PartnerKey


def _actors(model: type[_Actor]) -> MakeLoader[_Actor | None]:
    async def find(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> list[Any]:
        return list(await list_rows_by_ids(snapshot, model, brand_id, ids))

    return row_loader(find)


_ACTORS = {
    ActorKind.OPERATOR: _actors(Operator),
    ActorKind.CLERK: _actors(Clerk),
    ActorKind.PARTNER: _actors(PartnerKey),
}
_TYPES = {
    ActorKind.OPERATOR: "Operator",
    ActorKind.CLERK: "Clerk",
    ActorKind.PARTNER: "PartnerKey",
    ActorKind.MEMBER: "Identity",
}


@strawberry.type(description="One act of one actor upon one thing. Never changed, never deleted.")
class AuditLogEntry(Node):
    id: strawberry.ID = id_field("AuditLogEntry")
    created_at: datetime
    actor_kind: ActorKind = strawberry.field(
        description="SYSTEM is the command line on the host, and what nobody asked for."
    )
    action: str
    reason: str = strawberry.field(description="As it was given; empty where none is asked for.")
    details: JSON

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EntryRow | cls)

    @strawberry.field(description="Who: for the argument actorId. Null for SYSTEM.")
    def actor_id(self, row: strawberry.Parent[EntryRow]) -> strawberry.ID | None:
        kind = ActorKind(row.actor_kind)
        return encode_id(_TYPES[kind], row.actor_id) if kind in _TYPES else None

    @strawberry.field(
        description="The name of the operator, the clerk or the key, as it is now; else null."
    )
    async def actor_name(self, row: strawberry.Parent[EntryRow], info: Info) -> str | None:
        make = _ACTORS.get(ActorKind(row.actor_kind))
        actor = None if make is None else await info.context.loader(make).load(row.actor_id)
        return None if actor is None else actor.name

    @strawberry.field(
        description="What it was done to: 32 hexadecimal digits, those in its global id."
    )
    def subject(self, row: strawberry.Parent[EntryRow]) -> str:
        return row.subject_id.hex


def _any_id(text: str | None) -> UUID | None:
    """The id in a global id of any type; of nothing for what is none."""
    if text is None:
        return None
    found = find_id(text)
    return _NOBODY if found is None else found[1]


async def fetch_act(context: Context, id: UUID) -> EntryRow | None:
    """For ``node``."""
    if Grant.AUDIT not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await find_row(snapshot, EntryRow, context.caller.brand_id, id)


@strawberry.type
class AuditLogQuery:
    @strawberry.field(graphql_type=Connection[AuditLogEntry], extensions=[HasGrant(Grant.AUDIT)])
    async def audit_log(
        self,
        info: Info,
        subject_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="What was done to this: the id of any node."),
        ] = None,
        actor_id: strawberry.ID | None = None,
        action: Annotated[
            str | None, strawberry.argument(description="Such as place.create; exactly.")
        ] = None,
        first_day: Annotated[date | None, strawberry.argument(name="from")] = None,
        last_day: Annotated[date | None, strawberry.argument(name="until")] = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EntryRow]:
        """What operators, clerks, partners' keys and the host did (操作日志), on the brand's local
        days, both included; newest first."""
        since, until = await brand_days(info.context, first_day, last_day)
        wanted = Wanted(since, until, _any_id(subject_id), _any_id(actor_id), action)
        read: Any = partial(list_acts, wanted=wanted)
        return await page_of_brand(info.context, read, first, after)
