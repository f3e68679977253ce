"""Holds: value out of reach now, spent or given back later (预占)."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import HoldStatus
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
from loyalty.db import Tx
from loyalty.holds import service
from loyalty.holds.models import Hold as HoldRow
from loyalty.holds.queries import find_hold, list_holds
from rewards.corrections import service as corrections

CURSOR = Cursor(UUID)


@strawberry.type(
    description="What is held of a member until ``heldUntil``. LAPSED by itself then: what it keeps"
    " can be spent again some seconds later."
)
class Hold(Node):
    id: strawberry.ID = id_field("Hold")
    asset: AssetCode
    amount: BigInt
    captured: BigInt = strawberry.field(description="What of it was spent.")
    status: HoldStatus
    reason: str
    held_at: datetime
    held_until: datetime
    ended_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, HoldRow | cls)

    @strawberry.field
    def member_id(self, row: strawberry.Parent[HoldRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)


async def fetch_hold(context: Context, id: UUID) -> HoldRow | None:
    """For ``node``: operators who may read see the brand's holds."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await find_hold(snapshot, context.caller.brand_id, id)


@strawberry.type
class HoldReceipt:
    replayed: bool
    hold: HoldRow = strawberry.field(
        graphql_type=Hold, description="As it was right after the step."
    )


@strawberry.type
class HoldBalanceReceipt(HoldReceipt):
    pass


@strawberry.type
class CaptureHoldReceipt(HoldReceipt):
    pass


@strawberry.type
class ReleaseHoldReceipt(HoldReceipt):
    pass


@strawberry.input
class HoldBalanceInput:
    idempotency_key: strawberry.ID
    member_id: strawberry.ID
    asset: AssetCode
    amount: BigInt
    ttl_seconds: int = strawberry.field(description="1 to 2592000 (30 days).")
    reason: str = strawberry.field(description="Shown to the member, in its entries.")


@strawberry.input
class CaptureHoldInput:
    idempotency_key: strawberry.ID
    hold_id: strawberry.ID
    amount: BigInt | None = strawberry.field(
        default=None, description="Up to what is held; all of it unless given."
    )


@strawberry.input
class ReleaseHoldInput:
    idempotency_key: strawberry.ID
    hold_id: strawberry.ID


HoldBalanceResult = Annotated[HoldBalanceReceipt | Refused, strawberry.union("HoldBalanceResult")]
CaptureHoldResult = Annotated[CaptureHoldReceipt | Refused, strawberry.union("CaptureHoldResult")]
ReleaseHoldResult = Annotated[ReleaseHoldReceipt | Refused, strawberry.union("ReleaseHoldResult")]


@strawberry.type
class HoldQuery:
    @strawberry.field(graphql_type=Connection[Hold], extensions=[HasGrant(Grant.READ)])
    async def holds(
        self,
        info: Info,
        member_id: strawberry.ID,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[HoldRow]:
        """What is and was held of a member, newest first; nothing of one that the brand does not
        have."""
        member = find_id_of("Member", member_id) or UUID(int=0)
        return await page_of_brand(
            info.context, partial(list_holds, member_id=member), first, after
        )


@strawberry.type
class HoldMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def hold_balance(self, info: Info, input: HoldBalanceInput) -> HoldBalanceResult:
        """Take so much of a member's balance out of reach, for a while (预占)."""

        async def step(tx: Tx, actor: Actor) -> HoldRow:
            return await service.hold_balance(
                tx,
                actor,
                member_id=local_id("Member", input.member_id),
                asset=input.asset,
                amount=input.amount,
                ttl_seconds=input.ttl_seconds,
                reason=input.reason,
            )

        hold, replayed = await row_once(info.context, "holdBalance", input, HoldRow, step)
        return HoldBalanceReceipt(replayed=replayed, hold=hold)

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def capture_hold(self, info: Info, input: CaptureHoldInput) -> CaptureHoldResult:
        """Spend what is held, or a part of it; what is left can be spent again at once."""

        async def step(tx: Tx, actor: Actor) -> HoldRow:
            hold_id = local_id("Hold", input.hold_id)
            return await corrections.capture_hold(tx, actor, hold_id, input.amount)

        hold, replayed = await row_once(info.context, "captureHold", input, HoldRow, step)
        return CaptureHoldReceipt(replayed=replayed, hold=hold)

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def release_hold(self, info: Info, input: ReleaseHoldInput) -> ReleaseHoldResult:
        """Give what is held back to its member."""

        async def step(tx: Tx, actor: Actor) -> HoldRow:
            return await service.release_hold(tx, actor, local_id("Hold", input.hold_id))

        hold, replayed = await row_once(info.context, "releaseHold", input, HoldRow, step)
        return ReleaseHoldReceipt(replayed=replayed, hold=hold)
