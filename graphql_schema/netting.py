"""Multilateral netting (多边轧差), for finance of every brand of a run: each its own copy."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.clearing import READERS, fetch_own
from graphql_schema.clearing_types import WithPartner
from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import NettingStatus
from graphql_schema.loaders import rows_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from rewards.netting import queries, service
from rewards.netting.models import NettingLeg as LegRow
from rewards.netting.models import NettingRun as RunRow

_legs = rows_loader(queries.list_legs, lambda leg: leg.run_id)


@strawberry.type(description="What a run does with one partner; above zero the brand owes it.")
class NettingLeg(WithPartner):
    owed_fen: BigInt = strawberry.field(description="When the run was proposed.")
    pays_fen: BigInt = strawberry.field(
        description="What is owed instead once the run is posted: the payment."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, LegRow | cls)


@strawberry.type(
    description="A run that settles what several brands owe one another by few payments (轧差)."
    " It is posted once all of them have approved it."
)
class NettingRun(Node):
    id: strawberry.ID = id_field("NettingRun")
    status: NettingStatus
    is_ours: bool = strawberry.field(description="The brand itself proposed it.")
    net_fen: BigInt = strawberry.field(
        description="What the brand owes all others of the run together, before as after."
    )
    reason: str | None = strawberry.field(description="Why one of the brands declined.")
    proposed_at: datetime
    approved_at: datetime | None = strawberry.field(description="By the brand itself.")
    decided_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, RunRow | cls)

    @strawberry.field(graphql_type=list[NettingLeg], description="The brand's own alone.")
    async def legs(self, row: strawberry.Parent[RunRow], info: Info) -> list[LegRow]:
        return await info.context.loader(_legs).load(row.id)


@strawberry.input
class ProposeNettingInput:
    idempotency_key: strawberry.ID
    partner_slugs: list[str] = strawberry.field(
        description="The other brands: two or more that hang together with the brand by what they"
        " owe one another."
    )


@strawberry.input
class ApproveNettingInput:
    idempotency_key: strawberry.ID
    netting_run_id: strawberry.ID
    net_fen: BigInt = strawberry.field(description="What was read.")


@strawberry.input
class DeclineNettingInput:
    idempotency_key: strawberry.ID
    netting_run_id: strawberry.ID
    reason: str = strawberry.field(description="All brands of the run read it.")


@strawberry.input
class WithdrawNettingInput:
    idempotency_key: strawberry.ID
    netting_run_id: strawberry.ID


@strawberry.type
class ProposeNettingReceipt:
    replayed: bool
    run: RunRow = strawberry.field(graphql_type=NettingRun)


@strawberry.type
class ApproveNettingReceipt:
    replayed: bool
    run: RunRow = strawberry.field(graphql_type=NettingRun)


@strawberry.type
class DeclineNettingReceipt:
    replayed: bool
    run: RunRow = strawberry.field(graphql_type=NettingRun)


@strawberry.type
class WithdrawNettingReceipt:
    replayed: bool
    run: RunRow = strawberry.field(graphql_type=NettingRun)


ProposeNettingResult = Annotated[
    ProposeNettingReceipt | Refused, strawberry.union("ProposeNettingResult")
]
ApproveNettingResult = Annotated[
    ApproveNettingReceipt | Refused, strawberry.union("ApproveNettingResult")
]
DeclineNettingResult = Annotated[
    DeclineNettingReceipt | Refused, strawberry.union("DeclineNettingResult")
]
WithdrawNettingResult = Annotated[
    WithdrawNettingReceipt | Refused, strawberry.union("WithdrawNettingResult")
]


async def fetch_run(context: Context, id: UUID) -> RunRow | None:
    return await fetch_own(context, RunRow, id)


@strawberry.type
class NettingQuery:
    @strawberry.field(graphql_type=Connection[NettingRun], extensions=[READERS])
    async def netting_runs(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[RunRow]:
        """The netting runs that the brand is of, newest first."""
        return await page_of_brand(info.context, queries.list_runs, first, after)


@strawberry.type
class NettingMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def propose_netting(self, info: Info, input: ProposeNettingInput) -> ProposeNettingResult:
        """Propose to net what the brand and these partners owe one another now: at most one payment
        less than there are brands. Nothing moves before all of them have approved."""

        async def step(tx: Tx, actor: Actor) -> RunRow:
            return await service.propose(tx, actor, input.partner_slugs)

        row, replayed = await row_once(info.context, "proposeNetting", input, RunRow, step)
        return ProposeNettingReceipt(replayed=replayed, run=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def approve_netting(self, info: Info, input: ApproveNettingInput) -> ApproveNettingResult:
        """Approve for the brand what was read. The last approval posts the run."""

        async def step(tx: Tx, actor: Actor) -> RunRow:
            id = local_id("NettingRun", input.netting_run_id)
            return await service.approve(tx, actor, id, int(input.net_fen))

        row, replayed = await row_once(info.context, "approveNetting", input, RunRow, step)
        return ApproveNettingReceipt(replayed=replayed, run=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def decline_netting(self, info: Info, input: DeclineNettingInput) -> DeclineNettingResult:
        """End a run that the brand is of, for all of them."""

        async def step(tx: Tx, actor: Actor) -> RunRow:
            id = local_id("NettingRun", input.netting_run_id)
            return await service.decline(tx, actor, id, input.reason)

        row, replayed = await row_once(info.context, "declineNetting", input, RunRow, step)
        return DeclineNettingReceipt(replayed=replayed, run=row)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def withdraw_netting(
        self, info: Info, input: WithdrawNettingInput
    ) -> WithdrawNettingResult:
        """Take back a run that the brand proposed."""

        async def step(tx: Tx, actor: Actor) -> RunRow:
            id = local_id("NettingRun", input.netting_run_id)
            return await service.withdraw(tx, actor, id)

        row, replayed = await row_once(info.context, "withdrawNetting", input, RunRow, step)
        return WithdrawNettingReceipt(replayed=replayed, run=row)
