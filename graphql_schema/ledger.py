"""Balances and entries of members, and moving value between them."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import Asset
from graphql_schema.nodes import id_field, local_id
from graphql_schema.pagination import Cursor
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty import audit_log
from loyalty.actor import Actor, Grant
from loyalty.brands.service import get_brand
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger import service
from loyalty.ledger.queries import BalanceRow, EntryRow
from loyalty.members.queries import get_member

ENTRY_CURSOR = Cursor(UUID)


@strawberry.type(description="What a member has of one asset; CASH is in fen.")
class Balance:
    asset: Asset
    balance: BigInt
    spendable: BigInt
    locked: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, BalanceRow | cls)


@strawberry.type(description="One movement on a member's account (流水), newest first in lists.")
class Entry:
    id: strawberry.ID = id_field("Entry")
    asset: Asset
    amount: BigInt = strawberry.field(description="Signed: what it did, or will do when PENDING.")
    phase: str
    kind: str
    cause_kind: str
    reason: str
    expires_on: date | None
    occurred_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, EntryRow | cls)


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
    asset: Asset
    amount: BigInt
    reason: str = strawberry.field(description="Shown to both members, in their entries.")


MoveBalanceResult = Annotated[MoveBalanceReceipt | Refused, strawberry.union("MoveBalanceResult")]


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
                await get_member(tx, actor.brand_id, member_id)
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
                asset=input.asset.value,
                amount=input.amount,
            )
            return {"transfers": len(moved), "amount": input.amount}

        reply, replayed = await effect_once(info.context, "moveBalance", input, verb)
        return MoveBalanceReceipt(
            replayed=replayed, transfer_count=reply["transfers"], amount=BigInt(reply["amount"])
        )
