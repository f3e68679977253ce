"""Balances of members, and moving value between them."""

from typing import Annotated, Any

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty import audit_log
from loyalty.actor import Actor, Grant
from loyalty.brands.service import get_brand
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.queries import BalanceRow
from loyalty.members.service import require_active_member
from loyalty.moves.rules import Leg, named
from rewards.corrections import service


@strawberry.type(description="What a member has of one asset; CASH is in fen.")
class Balance:
    asset: AssetCode
    balance: BigInt
    spendable: BigInt
    locked: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, BalanceRow | cls)


@strawberry.type
class MoveBalanceReceipt:
    replayed: bool
    transfer_count: int
    amount: BigInt


@strawberry.input
class MoveBalanceInput:
    idempotency_key: strawberry.ID
    from_member_id: strawberry.ID
    to_member_id: strawberry.ID
    asset: AssetCode
    amount: BigInt
    reason: str = strawberry.field(description="Shown to both members, in their entries.")


@strawberry.type
class MoveBalancesReceipt:
    replayed: bool
    leg_count: int
    transfer_count: int


@strawberry.input
class MoveLegInput:
    from_member_id: strawberry.ID
    to_member_id: strawberry.ID
    asset: AssetCode
    amount: BigInt


@strawberry.input
class MoveBalancesInput:
    idempotency_key: strawberry.ID
    legs: list[MoveLegInput] = strawberry.field(
        description="1 to 100, in their order: what one leg brings, a later one may pass on."
    )
    reason: str = strawberry.field(description="Shown to all of the members, in their entries.")


MoveBalanceResult = Annotated[MoveBalanceReceipt | Refused, strawberry.union("MoveBalanceResult")]


MoveBalancesResult = Annotated[
    MoveBalancesReceipt | Refused, strawberry.union("MoveBalancesResult")
]


def _leg_of(leg_no: int, input: MoveLegInput) -> Leg:
    with named(leg_no):
        source = local_id("Member", input.from_member_id)
        target = local_id("Member", input.to_member_id)
    return Leg(source, target, input.asset, input.amount)


@strawberry.type
class LedgerMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def move_balance(self, info: Info, input: MoveBalanceInput) -> MoveBalanceResult:
        """Move spendable value from one member to another, for instance after a wrong credit.
        Lots keep their expiry dates."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            source = local_id("Member", input.from_member_id)
            target = local_id("Member", input.to_member_id)
            for member_id in (source, target):
                await require_active_member(tx, actor.brand_id, member_id)
            brand = await get_brand(tx, actor.brand_id)
            command_id = new_id()
            moved = await service.move_balance(
                tx,
                actor,
                from_member_id=source,
                to_member_id=target,
                asset=input.asset,
                amount=input.amount,
                reason=input.reason,
                timezone=brand.timezone,
                command_id=command_id,
            )
            await audit_log.record(
                tx,
                actor,
                "ledger.move_balance",
                command_id,
                input.reason,
                asset=input.asset,
                amount=input.amount,
            )
            return {"transfers": len(moved), "amount": input.amount}

        reply, replayed = await effect_once(info.context, "moveBalance", input, verb)
        return MoveBalanceReceipt(
            replayed=replayed, transfer_count=reply["transfers"], amount=BigInt(reply["amount"])
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def move_balances(self, info: Info, input: MoveBalancesInput) -> MoveBalancesResult:
        """Move value between members in linked legs: all of them, or none. What is refused names
        the failing leg in ``details.leg``, counted from 0. Lots keep their expiry dates."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            legs = [_leg_of(leg_no, leg) for leg_no, leg in enumerate(input.legs)]
            brand = await get_brand(tx, actor.brand_id)
            command_id = new_id()
            moved = await service.move_balances(
                tx,
                actor,
                legs,
                reason=input.reason,
                timezone=brand.timezone,
                command_id=command_id,
            )
            said = [
                {
                    "from": leg.from_member_id.hex,
                    "to": leg.to_member_id.hex,
                    "asset": leg.asset,
                    "amount": leg.amount,
                }
                for leg in legs
            ]
            await audit_log.record(
                tx, actor, "ledger.move_balances", command_id, input.reason, legs=said
            )
            return {"legs": len(legs), "transfers": sum(len(leg) for leg in moved)}

        reply, replayed = await effect_once(info.context, "moveBalances", input, verb)
        return MoveBalancesReceipt(
            replayed=replayed, leg_count=reply["legs"], transfer_count=reply["transfers"]
        )
