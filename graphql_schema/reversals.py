"""Reversals of single transfers, for operators."""

from typing import Annotated, Any

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import ReturnPolicy
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from rewards.corrections import service


@strawberry.type
class ReverseTransferReceipt:
    replayed: bool
    asset: AssetCode
    taken: BigInt = strawberry.field(
        description="Of a credit or a move: what who got it had, and gave back."
    )
    owed: BigInt = strawberry.field(
        description="Of a credit or a move: what who got it owes from now on."
    )
    left: BigInt = strawberry.field(
        description="Of a credit or a move: what could not be taken back."
    )
    given_back: BigInt = strawberry.field(
        description="Of what was spent, taken by hand or expired: what the member has again."
    )


@strawberry.input
class ReverseTransferInput:
    idempotency_key: strawberry.ID
    transfer_id: strawberry.ID = strawberry.field(description="The id of a member's Entry.")
    amount: BigInt | None = strawberry.field(
        default=None, description="All that was not taken back yet, unless given."
    )
    policy: ReturnPolicy = strawberry.field(
        default=ReturnPolicy.WITHIN_BALANCE, description="What a credit's reversal may take."
    )
    reason: str = strawberry.field(description="Shown to the member, in its entries.")


ReverseTransferResult = Annotated[
    ReverseTransferReceipt | Refused, strawberry.union("ReverseTransferResult")
]


@strawberry.type
class ReversalMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def reverse_transfer(
        self, info: Info, input: ReverseTransferInput
    ) -> ReverseTransferResult:
        """Reverse some or all of a transfer (冲回), never more than there was: take back what a
        member earned or was given by hand; give back what it spent or what was taken by hand, into
        the lot it came from; give a move back to who gave it, where under UNLIMITED the brand pays
        what is short; let live again what expired, as long as if it were earned today. A campaign
        may give again what is taken of its credit, or is owed."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            done = await service.reverse_transfer(
                tx,
                actor,
                local_id("Entry", input.transfer_id),
                amount=input.amount,
                policy=input.policy,
                reason=input.reason,
            )
            taken = done.taken
            return {
                "asset": done.asset,
                "taken": taken.taken if taken else 0,
                "owed": taken.owed if taken else 0,
                "left": taken.left if taken else 0,
                "given_back": done.given_back,
            }

        reply, replayed = await effect_once(info.context, "reverseTransfer", input, verb)
        return ReverseTransferReceipt(replayed=replayed, **reply)
