"""What callers see of events that earn, and of the types of those that others tell of."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from graphql_schema.acting import is_own
from graphql_schema.bonuses import Bonus, EventReward, bonuses_of, rewards_shown
from graphql_schema.context import Context, Info
from graphql_schema.coupons import Coupon, coupons_given
from graphql_schema.draws import DrawReceipt, draws_given
from graphql_schema.enums import EventFieldKind, EventKind, EventUnpaidReason
from graphql_schema.loaders import row_loader
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import encode_id
from loyalty.actor import Grant
from loyalty.db import Snapshot
from loyalty.keyed import list_rows_by_ids
from rewards.coupons.states import CouponView
from rewards.draws.models import Draw
from rewards.event_types.models import EventType as TypeRow
from rewards.event_types.rules import fields_from_json
from rewards.events import queries
from rewards.events.models import EarningEvent as EventRow


async def _list_types(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> list[TypeRow]:
    return await list_rows_by_ids(snapshot, TypeRow, brand_id, ids)


type_loader = row_loader(_list_types)
event_loader = row_loader(queries.list_events_by_ids)


@strawberry.type(description="What may earn beside scans and purchases (docs/events.md).")
class EarningEvent(Node):
    id: strawberry.ID = id_field("EarningEvent")
    occurred_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EventRow | cls)

    @strawberry.field
    def kind(self, row: strawberry.Parent[EventRow]) -> EventKind:
        return EventKind(row.kind)

    @strawberry.field(description="The sender's own id of it; of our own events what may be once.")
    def event_ref(self, row: strawberry.Parent[EventRow]) -> str:
        return row.ref

    @strawberry.field(description="Of a CUSTOM event: the code of its type.")
    async def type(self, row: strawberry.Parent[EventRow], info: Info) -> str | None:
        if row.event_type_id is None:
            return None
        found = await info.context.loader(type_loader).load(row.event_type_id)
        return None if found is None else found.code

    @strawberry.field
    def payload(self, row: strawberry.Parent[EventRow]) -> JSON:
        return JSON(row.payload)

    @strawberry.field(description="Whose it is; what a merged member had, another has now.")
    def member_id(self, row: strawberry.Parent[EventRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field
    def recorded_at(self, row: strawberry.Parent[EventRow]) -> datetime:
        return row.created_at

    @strawberry.field(description="Why it earned nothing; null if it did.")
    def unpaid_reason(self, row: strawberry.Parent[EventRow]) -> EventUnpaidReason | None:
        return None if row.unpaid_reason is None else EventUnpaidReason(row.unpaid_reason)

    @strawberry.field(description="What its first campaign gave.")
    def earned(self, row: strawberry.Parent[EventRow]) -> list[EventReward]:
        return rewards_shown(row.earned)

    @strawberry.field(
        graphql_type=list[Coupon],
        description="What its first campaign gave of coupons; for operators, and whose it is.",
    )
    async def coupons(self, row: strawberry.Parent[EventRow], info: Info) -> list[CouponView]:
        return await coupons_given(info.context, row.id)

    @strawberry.field(
        graphql_type=list[DrawReceipt],
        description="Its draw, if there was one; for operators, and whose it is.",
    )
    async def draws(self, row: strawberry.Parent[EventRow], info: Info) -> list[Draw]:
        return await draws_given(info.context, row.id)

    @strawberry.field(description="What bonus campaigns gave on top.")
    async def bonuses(self, row: strawberry.Parent[EventRow], info: Info) -> list[Bonus]:
        return await bonuses_of(info.context, row.id)


@strawberry.type(description="A field of an event type. since: the version that added it.")
class EventField:
    name: str
    kind: EventFieldKind
    required: bool
    since: int


@strawberry.type(description="A type of CUSTOM events, in its newest version.")
class EventType:
    code: str
    name_zh: str
    name_en: str
    version: int

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TypeRow | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[TypeRow], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field
    def fields(self, row: strawberry.Parent[TypeRow]) -> list[EventField]:
        return [
            EventField(name=f.name, kind=f.kind, required=f.required, since=f.since)
            for f in fields_from_json(row.fields)
        ]


async def fetch_event(context: Context, id: UUID) -> EventRow | None:
    """For ``node``: an operator sees the brand's events, a member its own."""
    async with context.database.snapshot() as snapshot:
        row = await queries.find_event(snapshot, context.caller.brand_id, id)
    if row is None or Grant.READ in context.caller.grants:
        return row
    return row if await is_own(context, row.member_id) else None
