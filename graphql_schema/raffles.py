"""Raffles: operators announce and cancel them, members enter."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.offers import AssetAmountInput
from graphql_schema.pagination import Connection, Cursor
from graphql_schema.permissions import HasGrant, IsMember, IsSignedIn
from graphql_schema.raffle_types import Raffle, RaffleEntry, raffle_loader
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.db import Tx
from rewards.raffles import queries, rules, service
from rewards.raffles.models import Raffle as RaffleRow
from rewards.raffles.models import RaffleEntry as EntryRow

CURSOR = Cursor(UUID)


@strawberry.input
class RafflePrizeInput:
    name_zh: str
    name_en: str
    winners: int = strawberry.field(description="How many entrants get it.")
    asset: AssetCode
    amount: BigInt = strawberry.field(
        description="Of a prize that is a coupon: what there is in its place where none is left."
    )
    coupon_template_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of which each of them gets a coupon."
    )


@strawberry.input
class RaffleStepInput:
    pool_min: int = strawberry.field(description="From so many entrants on; of the first step 1.")
    prizes: list[RafflePrizeInput] = strawberry.field(description="First prize first.")


@strawberry.input(description="A raffle is announced for good: nothing of it can be changed.")
class CreateRaffleInput:
    idempotency_key: strawberry.ID
    code: str
    name_zh: str
    name_en: str
    opens_at: datetime
    closes_at: datetime
    cost: AssetAmountInput | None = strawberry.field(
        default=None, description="Of an entry; neither cash nor growth."
    )
    entries_max: int = strawberry.field(default=1, description="Of each member.")
    condition: str | None = strawberry.field(
        default=None, description="CEL over member, tier and calendar (docs/conditions.md)."
    )
    prize_table: list[RaffleStepInput]
    budgets: list[AssetAmountInput] = strawberry.field(
        default_factory=list,
        description="What the winners of any pool together may get at most, of these assets.",
    )


@strawberry.input
class EnterRaffleInput:
    idempotency_key: strawberry.ID
    raffle_id: strawberry.ID


@strawberry.input
class CancelRaffleInput:
    idempotency_key: strawberry.ID
    raffle_id: strawberry.ID
    reason: str = strawberry.field(description="Shown to everybody.")


@strawberry.type
class CreateRaffleReceipt:
    replayed: bool
    raffle: RaffleRow = strawberry.field(graphql_type=Raffle)


@strawberry.type
class EnterRaffleReceipt:
    replayed: bool
    entry: EntryRow = strawberry.field(graphql_type=RaffleEntry)


@strawberry.type(description="What entries cost is given back within minutes.")
class CancelRaffleReceipt:
    replayed: bool
    raffle: RaffleRow = strawberry.field(graphql_type=Raffle)


CreateRaffleResult = Annotated[
    CreateRaffleReceipt | Refused, strawberry.union("CreateRaffleResult")
]
EnterRaffleResult = Annotated[EnterRaffleReceipt | Refused, strawberry.union("EnterRaffleResult")]
CancelRaffleResult = Annotated[
    CancelRaffleReceipt | Refused, strawberry.union("CancelRaffleResult")
]


async def fetch_raffle(context: Context, id: UUID) -> RaffleRow | None:
    """For ``node``: anybody who is signed in to the brand."""
    if context.caller.kind not in (ActorKind.MEMBER, ActorKind.OPERATOR):
        return None
    return await context.loader(raffle_loader).load(id)


def _prize(given: RafflePrizeInput) -> rules.Prize:
    template_id = given.coupon_template_id
    return rules.Prize(
        given.name_zh,
        given.name_en,
        given.winners,
        given.asset,
        given.amount,
        None if template_id is None else local_id("CouponTemplate", template_id),
    )


def _definition(input: CreateRaffleInput) -> rules.RaffleDefinition:
    return rules.RaffleDefinition(
        code=input.code,
        name_zh=input.name_zh,
        name_en=input.name_en,
        opens_at=input.opens_at,
        closes_at=input.closes_at,
        entries_max=input.entries_max,
        table=tuple(
            rules.Step(step.pool_min, tuple(_prize(prize) for prize in step.prizes))
            for step in input.prize_table
        ),
        cost=None if input.cost is None else (input.cost.asset, input.cost.amount),
        condition=input.condition,
        budgets=tuple((budget.asset, budget.amount) for budget in input.budgets),
    )


async def _raffle(context: Context, id: str) -> RaffleRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_raffle(snapshot, context.caller.brand_id, UUID(hex=id))


@strawberry.type
class RaffleQuery:
    @strawberry.field(graphql_type=Connection[Raffle], extensions=[IsSignedIn()])
    async def raffles(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[RaffleRow]:
        """The brand's raffles (抽奖活动), newest first. Operators see no more than members."""
        return await page_of_brand(info.context, queries.list_raffles, first, after)


@strawberry.type
class RaffleMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def create_raffle(self, info: Info, input: CreateRaffleInput) -> CreateRaffleResult:
        """Announce a raffle, with the hash of its seed."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            raffle = await service.create_raffle(tx, actor, context.keyring, _definition(input))
            return {"id": raffle.id.hex}

        reply, replayed = await effect_once(context, "createRaffle", input, verb)
        return CreateRaffleReceipt(replayed=replayed, raffle=await _raffle(context, reply["id"]))

    @strawberry.mutation(extensions=[IsMember(MemberRole.CONSUMER)])
    async def enter_raffle(self, info: Info, input: EnterRaffleInput) -> EnterRaffleResult:
        """Enter a raffle (参与抽奖) once more, for what an entry costs."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            raffle_id = local_id("Raffle", input.raffle_id)
            return {"id": (await service.enter_raffle(tx, actor, raffle_id)).id.hex}

        reply, replayed = await effect_once(context, "enterRaffle", input, verb)
        async with context.database.snapshot() as snapshot:
            entry = await queries.get_entry(
                snapshot, context.caller.brand_id, UUID(hex=reply["id"])
            )
        return EnterRaffleReceipt(replayed=replayed, entry=entry)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def cancel_raffle(self, info: Info, input: CancelRaffleInput) -> CancelRaffleResult:
        """End a raffle whose winners are not drawn yet: every entry's cost is given back."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            raffle_id = local_id("Raffle", input.raffle_id)
            raffle = await service.cancel_raffle(tx, actor, raffle_id, input.reason)
            return {"id": raffle.id.hex}

        reply, replayed = await effect_once(context, "cancelRaffle", input, verb)
        return CancelRaffleReceipt(replayed=replayed, raffle=await _raffle(context, reply["id"]))
