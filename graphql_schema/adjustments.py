"""Adjustments by hand (人工调账), and their second operator."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import AdjustmentStatus
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import (
    Connection,
    Cursor,
    encode_id,
    find_id_of,
)
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.adjustments.models import Adjustment as AdjustmentRow
from loyalty.adjustments.queries import find_adjustment, list_adjustments
from loyalty.adjustments.service import reject_adjustment
from loyalty.db import Tx
from rewards.corrections import service

CURSOR = Cursor(UUID)


@strawberry.type(
    description="A balance put right by hand. Above the asset's limit it is PROPOSED, and another"
    " operator decides."
)
class Adjustment(Node):
    id: strawberry.ID = id_field("Adjustment")
    asset: AssetCode
    amount: BigInt = strawberry.field(description="Signed: given, or taken.")
    status: AdjustmentStatus
    reason: str
    proposed_at: datetime
    decided_at: datetime | None
    decision_reason: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AdjustmentRow | cls)

    @strawberry.field
    def member_id(self, row: strawberry.Parent[AdjustmentRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field
    def proposed_by_id(self, row: strawberry.Parent[AdjustmentRow]) -> strawberry.ID:
        return encode_id("Operator", row.proposed_by_id)

    @strawberry.field(description="Null where one operator was enough, or none has decided yet.")
    def decided_by_id(self, row: strawberry.Parent[AdjustmentRow]) -> strawberry.ID | None:
        return encode_id("Operator", row.decided_by_id) if row.decided_by_id else None


async def fetch_adjustment(context: Context, id: UUID) -> AdjustmentRow | None:
    """For ``node``: operators who may read see the brand's adjustments."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await find_adjustment(snapshot, context.caller.brand_id, id)


@strawberry.type
class AdjustmentReceipt:
    replayed: bool
    adjustment: AdjustmentRow = strawberry.field(
        graphql_type=Adjustment, description="As it was right after the step."
    )


@strawberry.type
class AdjustBalanceReceipt(AdjustmentReceipt):
    pass


@strawberry.type
class ApproveAdjustmentReceipt(AdjustmentReceipt):
    pass


@strawberry.type
class RejectAdjustmentReceipt(AdjustmentReceipt):
    pass


@strawberry.input
class AdjustBalanceInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    asset: AssetCode
    amount: BigInt = strawberry.field(description="Signed: to give, or to take.")
    reason: str = strawberry.field(description="Shown to the member, in its entries.")


@strawberry.input
class ApproveAdjustmentInput:
    idempotency_key: strawberry.ID
    adjustment_id: strawberry.ID


@strawberry.input
class RejectAdjustmentInput:
    idempotency_key: strawberry.ID
    adjustment_id: strawberry.ID
    reason: str


AdjustBalanceResult = Annotated[
    AdjustBalanceReceipt | Refused, strawberry.union("AdjustBalanceResult")
]
ApproveAdjustmentResult = Annotated[
    ApproveAdjustmentReceipt | Refused, strawberry.union("ApproveAdjustmentResult")
]
RejectAdjustmentResult = Annotated[
    RejectAdjustmentReceipt | Refused, strawberry.union("RejectAdjustmentResult")
]


@strawberry.type
class AdjustmentQuery:
    @strawberry.field(graphql_type=Connection[Adjustment], extensions=[HasGrant(Grant.READ)])
    async def adjustments(
        self,
        info: Info,
        status: AdjustmentStatus | None = None,
        member_id: strawberry.ID | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[AdjustmentRow]:
        """The brand's adjustments, newest first; none of a member that it does not have."""
        member = None
        if member_id is not None:
            member = find_id_of("Member", member_id) or UUID(int=0)
        return await page_of_brand(
            info.context, partial(list_adjustments, status=status, member_id=member), first, after
        )


@strawberry.type
class AdjustmentMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def adjust_balance(self, info: Info, input: AdjustBalanceInput) -> AdjustBalanceResult:
        """Give to a member's balance, or take from it. At once up to the asset's limit; above it,
        another operator has to approve."""

        async def step(tx: Tx, actor: Actor) -> AdjustmentRow:
            return await service.adjust_balance(
                tx,
                actor,
                member_id=local_id("Member", input.member_id),
                asset=input.asset,
                amount=input.amount,
                reason=input.reason,
            )

        adjustment, replayed = await row_once(
            info.context, "adjustBalance", input, AdjustmentRow, step
        )
        return AdjustBalanceReceipt(replayed=replayed, adjustment=adjustment)

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def approve_adjustment(
        self, info: Info, input: ApproveAdjustmentInput
    ) -> ApproveAdjustmentResult:
        """Apply what another operator has proposed."""

        async def step(tx: Tx, actor: Actor) -> AdjustmentRow:
            adjustment_id = local_id("Adjustment", input.adjustment_id)
            return await service.approve_adjustment(tx, actor, adjustment_id)

        adjustment, replayed = await row_once(
            info.context, "approveAdjustment", input, AdjustmentRow, step
        )
        return ApproveAdjustmentReceipt(replayed=replayed, adjustment=adjustment)

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def reject_adjustment(
        self, info: Info, input: RejectAdjustmentInput
    ) -> RejectAdjustmentResult:
        """Turn down what another operator has proposed; nothing moves."""

        async def step(tx: Tx, actor: Actor) -> AdjustmentRow:
            adjustment_id = local_id("Adjustment", input.adjustment_id)
            return await reject_adjustment(tx, actor, adjustment_id, input.reason)

        adjustment, replayed = await row_once(
            info.context, "rejectAdjustment", input, AdjustmentRow, step
        )
        return RejectAdjustmentReceipt(replayed=replayed, adjustment=adjustment)
