"""Segments (人群): groups of members that campaigns tell apart, as operators make them."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members.models import Member as MemberRow
from loyalty.segments import service
from loyalty.segments.queries import SegmentView


@strawberry.type(description="A segment (人群). Conditions ask: 'vip' in segment.codes.")
class Segment:
    code: str
    name_zh: str
    name_en: str
    members: BigInt = strawberry.field(description="How many are in it.")

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[SegmentView], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh


async def _segments(context: Context) -> list[SegmentView]:
    async with context.database.snapshot() as snapshot:
        return await service.list_segments(snapshot, context.caller.brand_id)


def segments_loader(context: Context) -> DataLoader[UUID, list[str]]:
    """The codes of members' segments, by member."""

    async def load(member_ids: Sequence[UUID]) -> list[list[str]]:
        brand_id = context.caller.brand_id
        async with context.database.snapshot() as snapshot:
            found = await service.find_codes(snapshot, [(brand_id, id) for id in member_ids])
        return [found.get((brand_id, id), []) for id in member_ids]

    return DataLoader(load)


@strawberry.type
class MemberSegments:
    @strawberry.field(description="The codes of its segments: to operators; null to others.")
    async def segments(self, row: strawberry.Parent[MemberRow], info: Info) -> list[str] | None:
        if Grant.READ not in info.context.caller.grants:
            return None
        return await info.context.loader(segments_loader).load(row.id)


@strawberry.input
class PutSegmentInput:
    idempotency_key: strawberry.ID
    code: str
    name_zh: str
    name_en: str


@strawberry.type
class PutSegmentReceipt:
    replayed: bool
    segment: SegmentView = strawberry.field(graphql_type=Segment)


PutSegmentResult = Annotated[PutSegmentReceipt | Refused, strawberry.union("PutSegmentResult")]


@strawberry.input
class SetSegmentMembersInput:
    idempotency_key: strawberry.ID
    code: str
    add_member_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description=f"At most {service.MEMBERS_MAX} members."
    )
    remove_member_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description=f"At most {service.MEMBERS_MAX} members."
    )


@strawberry.type
class SetSegmentMembersReceipt:
    replayed: bool
    added: int = strawberry.field(description="Who was not in it before.")
    removed: int = strawberry.field(description="Who was.")


SetSegmentMembersResult = Annotated[
    SetSegmentMembersReceipt | Refused, strawberry.union("SetSegmentMembersResult")
]


@strawberry.type
class SegmentQuery:
    @strawberry.field(graphql_type=list[Segment], extensions=[HasGrant(Grant.READ)])
    async def segments(self, info: Info) -> list[SegmentView]:
        """The brand's segments, by code."""
        return await _segments(info.context)


@strawberry.type
class SegmentMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def put_segment(self, info: Info, input: PutSegmentInput) -> PutSegmentResult:
        """Make a segment (人群), or say anew what it is called."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            segment = await service.put_segment(
                tx, actor, code=input.code, name_zh=input.name_zh, name_en=input.name_en
            )
            return {"code": segment.code}

        reply, replayed = await effect_once(info.context, "putSegment", input, verb)
        found = [row for row in await _segments(info.context) if row.code == reply["code"]]
        return PutSegmentReceipt(replayed=replayed, segment=found[0])

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def set_segment_members(
        self, info: Info, input: SetSegmentMembersInput
    ) -> SetSegmentMembersResult:
        """Put members into a segment and take others out: campaigns that ask for it see it from
        their next event on."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            moved = await service.set_members(
                tx,
                actor,
                code=input.code,
                add=[local_id("Member", id) for id in input.add_member_ids],
                remove=[local_id("Member", id) for id in input.remove_member_ids],
            )
            return {"added": moved.added, "removed": moved.removed}

        reply, replayed = await effect_once(info.context, "setSegmentMembers", input, verb)
        return SetSegmentMembersReceipt(replayed=replayed, **reply)
