"""Tiers: what a member holds, and publishing ladders."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import MemberRole
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members.models import Member
from tiers.ladders import rules
from tiers.ladders.rules import LadderView
from tiers.ladders.service import current_ladders, publish_ladder
from tiers.standings.queries import read_standing


@strawberry.type(description="One level of a ladder (会员等级).")
class Level:
    rank: int
    code: str
    name_zh: str
    name_en: str
    growth_threshold: BigInt
    points_multiplier_percent: int

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, rules.Level | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[rules.Level], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh


@dataclass(frozen=True, slots=True)
class TierView:
    """A member's standing on its role's ladder."""

    level: rules.Level
    next_level: rules.Level | None
    growth: int
    since: datetime | None


@strawberry.type(description="The tier a member holds, and how far the next one is.")
class Tier:
    level: rules.Level = strawberry.field(graphql_type=Level)
    next_level: rules.Level | None = strawberry.field(graphql_type=Level | None)
    growth: BigInt
    since: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TierView | cls)

    @strawberry.field(description="Growth still missing to the next level; null at the top.")
    def growth_to_next(self, row: strawberry.Parent[TierView]) -> BigInt | None:
        if row.next_level is None:
            return None
        return BigInt(max(0, row.next_level.growth_threshold - row.growth))

    @strawberry.field(description="Of the way from this level's threshold to the next one's.")
    def progress_percent(self, row: strawberry.Parent[TierView]) -> int:
        if row.next_level is None:
            return 100
        start = row.level.growth_threshold
        way = row.next_level.growth_threshold - start
        return max(0, min(100, (row.growth - start) * 100 // way))


async def ladders_of(context: Context, brand_id: UUID, revision: int) -> dict[str, LadderView]:
    """A brand's ladders from memory, renewed when its revision has moved."""
    held = context.services.ladders.get(brand_id)
    if held is None or held[0] != revision:
        async with context.database.snapshot() as snapshot:
            held = (revision, await current_ladders(snapshot, brand_id))
        context.services.ladders[brand_id] = held
    return held[1]


async def tier_of(context: Context, member: Member) -> TierView | None:
    """The member's tier; None when its role has no ladder."""
    rank, since, growth, revision = await read_standing(
        context.database, member.brand_id, member.id
    )
    ladder = (await ladders_of(context, member.brand_id, revision)).get(member.role)
    if ladder is None:
        return None
    return TierView(ladder.level(rank), ladder.next_level(rank), growth, since)


@strawberry.type
class PublishLadderReceipt:
    replayed: bool
    version: int
    role: MemberRole
    levels: list[rules.Level] = strawberry.field(graphql_type=list[Level])


@strawberry.input
class LevelInput:
    code: str
    name_zh: str
    name_en: str
    growth_threshold: BigInt
    points_multiplier_percent: int = 100


@strawberry.input
class PublishLadderInput:
    idempotency_key: strawberry.ID
    levels: list[LevelInput]
    role: MemberRole = MemberRole.CONSUMER
    allow_lowering: bool = False


PublishLadderResult = Annotated[
    PublishLadderReceipt | Refused, strawberry.union("PublishLadderResult")
]


@strawberry.type
class TierMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def publish_ladder(self, info: Info, input: PublishLadderInput) -> PublishLadderResult:
        """Publish the next version of a role's levels; rank 0 is the first one given."""
        levels = [
            rules.Level(
                rank,
                level.code,
                level.name_zh,
                level.name_en,
                level.growth_threshold,
                level.points_multiplier_percent,
            )
            for rank, level in enumerate(input.levels)
        ]

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            ladder = await publish_ladder(
                tx, actor, role=input.role, levels=levels, allow_lowering=input.allow_lowering
            )
            return {"version": ladder.version}

        reply, replayed = await effect_once(info.context, "publishLadder", input, verb)
        return PublishLadderReceipt(
            replayed=replayed, version=reply["version"], role=input.role, levels=levels
        )
