"""Events that earn (签到, 自定义事件): members check in, operators register types and post."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.bonuses import Bonus, EventReward, bonuses_of, rewards_shown
from graphql_schema.context import Context, Info, Language
from graphql_schema.effects import effect_once
from graphql_schema.enums import EventFieldKind, EventUnpaidReason
from graphql_schema.event_types import EarningEvent, EventType
from graphql_schema.member_lists import page_of_brand
from graphql_schema.pagination import (
    Connection,
    Cursor,
    encode_id,
    find_id_of,
)
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.keyed import get_row
from rewards.activities.service import check_in
from rewards.event_types import service as types
from rewards.event_types.models import EventType as TypeRow
from rewards.event_types.rules import FieldSpec, FieldValue, TypeDefinition
from rewards.events import queries, service
from rewards.events.models import EarningEvent as EventRow
from rewards.events.reading import EventReport
from rewards.events.rules import EventResult, EventStatus, RecordedEvent

CURSOR = Cursor(UUID)
_NOBODY = UUID(int=0)


@strawberry.enum(description="What became of a posted event; of a repeat nothing comes anew.")
class PostedEventStatus(StrEnum):
    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    REFUSED = "REFUSED"


@strawberry.input
class CheckInInput:
    idempotency_key: strawberry.ID
    scene: str | None = strawberry.field(
        default=None, description="Where in the client, as conditions may ask."
    )


@strawberry.type(description="The event of this day. alreadyCheckedIn: it was there before.")
class CheckInReceipt:
    replayed: bool
    already_checked_in: bool
    event: EventRow = strawberry.field(graphql_type=EarningEvent)


@strawberry.input
class EventFieldInput:
    name: str = strawberry.field(description="A small letter, then up to 39 letters and digits.")
    kind: EventFieldKind
    required: bool = False


@strawberry.input(
    description="A type's first or next version. The next one has all fields of the one before, and"
    " what it adds is optional."
)
class RegisterEventTypeInput:
    idempotency_key: strawberry.ID
    code: str = strawberry.field(
        description="A small letter, then up to 39 of a-z, 0-9 and underscores; for good."
    )
    name_zh: str
    name_en: str
    fields: list[EventFieldInput] = strawberry.field(default_factory=list)


@strawberry.type
class RegisterEventTypeReceipt:
    replayed: bool
    event_type: TypeRow = strawberry.field(graphql_type=EventType)


@strawberry.input(description="One field's value: the one of the three that its kind asks for.")
class EventValueInput:
    name: str
    text: str | None = None
    number: BigInt | None = None
    flag: bool | None = None


@strawberry.input(
    description="A CUSTOM event. The member by memberId, or a consumer by externalRef."
)
class PostedEventInput:
    event_ref: str = strawberry.field(description="The sender's own id of it.")
    type: str = strawberry.field(description="The code of a registered type.")
    occurred_at: datetime
    payload: list[EventValueInput] = strawberry.field(default_factory=list)
    member_id: strawberry.ID | None = None
    external_ref: str | None = None


@strawberry.input
class PostEventsInput:
    idempotency_key: strawberry.ID
    events: list[PostedEventInput] = strawberry.field(description="1 to 1,000.")


@strawberry.type(description="What became of one event: eventId if it is there, else refused.")
class PostedEvent:
    event_ref: str
    status: PostedEventStatus
    event_id: strawberry.ID | None
    unpaid_reason: EventUnpaidReason | None
    earned: list[EventReward]
    refused: Refused | None
    row_id: strawberry.Private[UUID | None]

    @strawberry.field(description="What bonus campaigns gave on top.")
    async def bonuses(self, info: Info) -> list[Bonus]:
        return [] if self.row_id is None else await bonuses_of(info.context, self.row_id)


@strawberry.type(description="A result each, in the order of the events.")
class PostEventsReceipt:
    replayed: bool
    results: list[PostedEvent]


CheckInResult = Annotated[CheckInReceipt | Refused, strawberry.union("CheckInResult")]
RegisterEventTypeResult = Annotated[
    RegisterEventTypeReceipt | Refused, strawberry.union("RegisterEventTypeResult")
]
PostEventsResult = Annotated[PostEventsReceipt | Refused, strawberry.union("PostEventsResult")]


def _report(input: PostedEventInput) -> EventReport:
    member_id = None
    if input.member_id is not None:
        member_id = find_id_of("Member", input.member_id) or _NOBODY
    return EventReport(
        input.event_ref,
        input.type,
        input.occurred_at,
        [(one.name, _value(one)) for one in input.payload],
        member_id,
        input.external_ref,
    )


def _value(input: EventValueInput) -> FieldValue | None:
    """The one that was given; None for none, or for several."""
    given: list[FieldValue] = [
        value for value in (input.text, input.number, input.flag) if value is not None
    ]
    return given[0] if len(given) == 1 else None


def _told(ref: str, became: service.Posted, language: Language) -> dict[str, Any]:
    """What is remembered of one event."""
    if isinstance(became, EventResult):
        again = became.status is EventStatus.ALREADY_RECORDED
        status = PostedEventStatus.ALREADY_RECORDED if again else PostedEventStatus.RECORDED
        return {"ref": ref, "status": status.value, **_remembered(became.recorded)}
    refused = {
        "code": became.code,
        "message": became.message(language),
        "details": became.details,
    }
    return {"ref": ref, "status": PostedEventStatus.REFUSED.value, "refused": refused}


def _remembered(recorded: RecordedEvent | None) -> dict[str, Any]:
    if recorded is None:
        return {}
    return {
        "id": recorded.id.hex,
        "unpaid": recorded.unpaid_reason,
        "earned": [asdict(reward) for reward in recorded.earned],
    }


def _shown(told: Mapping[str, Any]) -> PostedEvent:
    unpaid, refused = told.get("unpaid"), told.get("refused")
    row_id = UUID(hex=told["id"]) if "id" in told else None
    return PostedEvent(
        event_ref=told["ref"],
        status=PostedEventStatus(told["status"]),
        event_id=encode_id("EarningEvent", row_id) if row_id else None,
        unpaid_reason=None if unpaid is None else EventUnpaidReason(unpaid),
        earned=rewards_shown(told.get("earned", ())),
        refused=None if refused is None else Refused(**refused),
        row_id=row_id,
    )


async def _event(context: Context, id: str) -> EventRow:
    key = (context.caller.brand_id, UUID(hex=id))
    async with context.database.snapshot() as snapshot:
        return await get_row(snapshot, EventRow, *key, "event")


@strawberry.type
class EventQuery:
    @strawberry.field(graphql_type=list[EventType], extensions=[HasGrant(Grant.READ)])
    async def event_types(self, info: Info) -> list[TypeRow]:
        """The registered types of CUSTOM events, by code."""
        async with info.context.database.snapshot() as snapshot:
            return await types.list_types(snapshot, info.context.caller.brand_id)

    @strawberry.field(graphql_type=Connection[EarningEvent], extensions=[HasGrant(Grant.READ)])
    async def member_events(
        self,
        info: Info,
        member_id: strawberry.ID,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[EventRow]:
        """A member's events, recorded last first; none of a member that the brand does not have."""
        return await page_of_brand(
            info.context,
            partial(
                queries.list_member_events, member_id=find_id_of("Member", member_id) or _NOBODY
            ),
            first,
            after,
        )


@strawberry.type
class EventMutation:
    @strawberry.mutation(extensions=[IsMember()])
    async def check_in(self, info: Info, input: CheckInInput) -> CheckInResult:
        """Check in (签到): once a day where the brand is; it may earn."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            cache = context.services.configurations
            recorded, is_new = await check_in(tx, actor, input.scene, cache)
            return {"id": recorded.id.hex, "again": not is_new}

        reply, replayed = await effect_once(context, "checkIn", input, verb)
        event = await _event(context, reply["id"])
        return CheckInReceipt(replayed=replayed, already_checked_in=reply["again"], event=event)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def register_event_type(
        self, info: Info, input: RegisterEventTypeInput
    ) -> RegisterEventTypeResult:
        """Register a type of CUSTOM events, or its next version."""
        context = info.context
        fields = tuple(FieldSpec(f.name, f.kind, f.required) for f in input.fields)
        wanted = TypeDefinition(input.code, input.name_zh, input.name_en, fields)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            return {"code": (await types.register_type(tx, actor, wanted)).code}

        reply, replayed = await effect_once(context, "registerEventType", input, verb)
        async with context.database.snapshot() as snapshot:
            row = await types.require_type(snapshot, context.caller.brand_id, reply["code"])
        return RegisterEventTypeReceipt(replayed=replayed, event_type=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def post_events(self, info: Info, input: PostEventsInput) -> PostEventsResult:
        """Tell of CUSTOM events, each with its sender's id: a repeat has no second effect, and one
        that is refused keeps none of the others. Refused is what has nothing but refused ones."""
        context = info.context
        reports = [_report(event) for event in input.events]

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            cache = context.services.configurations
            posted = await service.post_events(tx, actor, reports, cache)
            told = zip(reports, posted, strict=True)
            return {"results": [_told(r.ref, became, context.language) for r, became in told]}

        reply, replayed = await effect_once(context, "postEvents", input, verb)
        return PostEventsReceipt(
            replayed=replayed, results=[_shown(told) for told in reply["results"]]
        )
