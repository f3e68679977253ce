"""Tiers: publishing ladders, giving levels by hand, and the history of both."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import MemberRole, TierChangeReason
from graphql_schema.ladder_inputs import (
    PreviewLadderInput,
    PublishLadderInput,
    levels_of,
    policy_of,
)
from graphql_schema.member_lists import page_of_member
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection, encode_id, find_id_of
from graphql_schema.permissions import HasGrant, IsSignedIn
from graphql_schema.refusals import Refused
from graphql_schema.tier_types import Ladder, Level, Tier, TierView, ladders_of, tier_of
from loyalty import keyed
from loyalty.actor import Actor, Grant
from loyalty.brands.service import get_brand
from loyalty.db import Tx
from loyalty.members.models import Member
from loyalty.members.service import get_member
from rewards.gifts.service import require_gifts
from tiers.ladders import rules
from tiers.ladders.rules import LadderView
from tiers.ladders.service import preview_ladder, publish_ladder
from tiers.standings.models import StandingChange
from tiers.standings.service import end_tier_grant, grant_tier, invite_to_tier

__all__ = ["MemberTiers", "TierMutation", "TierQuery"]

SAMPLE_MAX = 20


@strawberry.type(description="One move of a member from a rank to another. Never changed.")
class TierChange:
    from_rank: int
    to_rank: int
    occurred_at: datetime
    cause_kind: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, StandingChange | cls)

    @strawberry.field
    def reason(self, row: strawberry.Parent[StandingChange]) -> TierChangeReason:
        return TierChangeReason(row.reason)

    @strawberry.field(description="What an operator said; for operators, empty to members.")
    def note(self, row: strawberry.Parent[StandingChange], info: Info) -> str:
        return row.note if Grant.READ in info.context.caller.grants else ""

    @strawberry.field(
        description="The scan, purchase or other event behind it, by causeKind; for operators."
    )
    def cause_id(self, row: strawberry.Parent[StandingChange], info: Info) -> strawberry.ID | None:
        is_told = row.cause_id is not None and Grant.READ in info.context.caller.grants
        return strawberry.ID(str(row.cause_id)) if is_told else None

    @strawberry.field(description="The transfer that caused it, where there was one.")
    def transfer_id(self, row: strawberry.Parent[StandingChange]) -> strawberry.ID | None:
        return strawberry.ID(str(row.transfer_id)) if row.transfer_id else None


async def _read_changes(
    context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
) -> list[tuple[UUID, StandingChange]]:
    async with context.database.snapshot() as snapshot:
        rows = await keyed.list_newest_of_each(
            snapshot,
            StandingChange,
            context.caller.brand_id,
            "member_id",
            member_ids,
            before=before,
            limit=limit,
        )
    return [(row.member_id, row) for row in rows]


@strawberry.type
class MemberTiers:
    """Of a member, for whoever sees it."""

    @strawberry.field(graphql_type=Tier | None)
    async def tier(self, row: strawberry.Parent[Member], info: Info) -> TierView | None:
        return await tier_of(info.context, row)

    @strawberry.field(graphql_type=Connection[TierChange])
    async def tier_changes(
        self,
        row: strawberry.Parent[Member],
        info: Info,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[StandingChange]:
        """How this member's tier came about (等级变动), newest first."""
        return await page_of_member(info.context, _read_changes, row.id, first, after)


# --- ladders -----------------------------------------------------------------------------------


@strawberry.type(
    description="So many members would move from one level to another; fromLevel is null where the"
    " role has no ladder yet. lowers: it is a fall, or their level is gone."
)
class LadderMove:
    from_level: rules.Level | None = strawberry.field(graphql_type=Level | None)
    to_level: rules.Level = strawberry.field(graphql_type=Level)
    lowers: bool
    members: int
    member_ids: list[strawberry.ID] = strawberry.field(
        description=f"The first of them, up to sampleSize (at most {SAMPLE_MAX})."
    )


@strawberry.type(description="Who would move at once if a ladder were published now, falls first.")
class LadderPreview:
    moves: list[LadderMove]


PreviewLadderResult = Annotated[LadderPreview | Refused, strawberry.union("PreviewLadderResult")]


@strawberry.type
class PublishLadderReceipt:
    replayed: bool
    version: int
    role: MemberRole
    levels: list[rules.Level] = strawberry.field(graphql_type=list[Level])


PublishLadderResult = Annotated[
    PublishLadderReceipt | Refused, strawberry.union("PublishLadderResult")
]


# --- levels given by hand ----------------------------------------------------------------------


@strawberry.input
class GrantTierInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    rank: int
    until: date = strawberry.field(description="The last good day, in the brand's days.")
    reason: str


@strawberry.input
class InviteToTierInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    rank: int
    reason: str
    until: date | None = strawberry.field(
        default=None, description="The last good day; null: until it is taken back."
    )


@strawberry.input
class EndTierGrantInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    reason: str


@strawberry.type
class GrantTierReceipt:
    replayed: bool
    tier: TierView = strawberry.field(graphql_type=Tier)


@strawberry.type
class InviteToTierReceipt:
    replayed: bool
    tier: TierView = strawberry.field(graphql_type=Tier)


@strawberry.type
class EndTierGrantReceipt:
    replayed: bool
    tier: TierView = strawberry.field(graphql_type=Tier)


GrantTierResult = Annotated[GrantTierReceipt | Refused, strawberry.union("GrantTierResult")]
InviteToTierResult = Annotated[
    InviteToTierReceipt | Refused, strawberry.union("InviteToTierResult")
]
EndTierGrantResult = Annotated[
    EndTierGrantReceipt | Refused, strawberry.union("EndTierGrantResult")
]


async def _tier_now(context: Context, member_id: UUID) -> TierView:
    """The tier of a member of the caller's brand whose role has a ladder."""
    async with context.database.snapshot() as snapshot:
        member = await get_member(snapshot, context.caller.brand_id, member_id)
    tier = await tier_of(context, member)
    if tier is None:
        raise AssertionError("a level was given on no ladder")
    return tier


@strawberry.type
class TierQuery:
    @strawberry.field(graphql_type=list[Ladder], extensions=[IsSignedIn()])
    async def ladders(self, info: Info) -> list[LadderView]:
        """The newest ladder of each role that has one."""
        brand_id = info.context.caller.brand_id
        async with info.context.database.snapshot() as snapshot:
            revision = (await get_brand(snapshot, brand_id)).revision
        _, ladders = await ladders_of(info.context, brand_id, revision)
        return [ladders[role] for role in sorted(ladders)]

    @strawberry.field(extensions=[HasGrant(Grant.READ)])
    async def preview_ladder(
        self, info: Info, input: PreviewLadderInput, sample_size: int = 5
    ) -> PreviewLadderResult:
        """Who would move if this ladder were published: counted among all members of its role."""
        levels = levels_of(input)
        async with info.context.database.snapshot() as snapshot:
            await require_gifts(snapshot, info.context.caller.brand_id, levels)
            moves = await preview_ladder(
                snapshot,
                info.context.caller,
                role=input.role,
                levels=levels,
                policy=policy_of(input),
                sample_max=max(0, min(sample_size, SAMPLE_MAX)),
            )
        return LadderPreview(
            moves=[
                LadderMove(
                    from_level=move.from_level,
                    to_level=move.to_level,
                    lowers=move.lowers,
                    members=move.members,
                    member_ids=[encode_id("Member", id) for id in move.sample],
                )
                for move in moves
            ]
        )

    @strawberry.field(graphql_type=Connection[TierChange], extensions=[HasGrant(Grant.READ)])
    async def tier_changes(
        self,
        info: Info,
        member_id: strawberry.ID,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[StandingChange]:
        """How a member's tier came about, newest first."""
        id = find_id_of("Member", member_id) or UUID(int=0)
        return await page_of_member(info.context, _read_changes, id, first, after)


@strawberry.type
class TierMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def publish_ladder(self, info: Info, input: PublishLadderInput) -> PublishLadderResult:
        """Publish the next version of a role's ladder; rank 0 is the first level given. Levels are
        known by their codes: holders keep theirs."""
        levels, policy = levels_of(input), policy_of(input)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await require_gifts(tx, actor.brand_id, levels)
            ladder = await publish_ladder(
                tx,
                actor,
                role=input.role,
                levels=levels,
                policy=policy,
                allow_lowering=input.allow_lowering,
            )
            return {"version": ladder.version}

        reply, replayed = await effect_once(info.context, "publishLadder", input, verb)
        return PublishLadderReceipt(
            replayed=replayed, version=reply["version"], role=input.role, levels=levels
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def grant_tier(self, info: Info, input: GrantTierInput) -> GrantTierResult:
        """Let a member hold a level to a last good day, whatever it earns; it goes on earning
        beneath. A grant replaces the one before."""
        id = local_id("Member", input.member_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await grant_tier(
                tx, actor, member_id=id, rank=input.rank, until=input.until, reason=input.reason
            )
            return {}

        _, replayed = await effect_once(info.context, "grantTier", input, verb)
        return GrantTierReceipt(replayed=replayed, tier=await _tier_now(info.context, id))

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def invite_to_tier(self, info: Info, input: InviteToTierInput) -> InviteToTierResult:
        """Let a member hold a level that is by invitation only. It replaces a grant."""
        id = local_id("Member", input.member_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await invite_to_tier(
                tx, actor, member_id=id, rank=input.rank, until=input.until, reason=input.reason
            )
            return {}

        _, replayed = await effect_once(info.context, "inviteToTier", input, verb)
        return InviteToTierReceipt(replayed=replayed, tier=await _tier_now(info.context, id))

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def end_tier_grant(self, info: Info, input: EndTierGrantInput) -> EndTierGrantResult:
        """Take back a grant or an invitation: the member holds what it has earned."""
        id = local_id("Member", input.member_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await end_tier_grant(tx, actor, member_id=id, reason=input.reason)
            return {}

        _, replayed = await effect_once(info.context, "endTierGrant", input, verb)
        return EndTierGrantReceipt(replayed=replayed, tier=await _tier_now(info.context, id))
