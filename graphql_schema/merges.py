"""Two members become one, by an operator."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import effect_once
from graphql_schema.members import Member
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.members.models import Member as MemberRow
from loyalty.members.queries import get_member
from rewards.merges import service


@strawberry.type(description="What of one asset went from one member to the other; CASH is in fen.")
class MergedAsset:
    asset: AssetCode
    amount: BigInt = strawberry.field(description="Spendable, with its expiry dates.")
    owed: BigInt = strawberry.field(description="What the one owed, and the other owes now.")
    repaid: BigInt = strawberry.field(description="Of what the other owes, from what it has.")


@strawberry.type
class MergeMembersReceipt:
    replayed: bool
    assets: list[MergedAsset]
    coupon_count: int
    locked_reward_count: int
    member: MemberRow = strawberry.field(
        graphql_type=Member, description="Who has everything now; the other is MERGED."
    )


@strawberry.input
class MergeMembersInput:
    idempotency_key: strawberry.ID
    from_member_id: strawberry.ID
    into_member_id: strawberry.ID
    reason: str = strawberry.field(description="Shown to the member, in its entries.")


MergeMembersResult = Annotated[
    MergeMembersReceipt | Refused, strawberry.union("MergeMembersResult")
]


@strawberry.type
class MergeMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.LEDGER)])
    async def merge_members(self, info: Info, input: MergeMembersInput) -> MergeMembersResult:
        """Let one member take the place of another of the same role (会员合并): it gets everything
        of it that is good, and whoever signs in as the other acts as this one. It cannot be undone.
        Refuses while something of the other is held; holds lapse in minutes."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            merged = await service.merge_members(
                tx,
                actor,
                from_member_id=local_id("Member", input.from_member_id),
                into_member_id=local_id("Member", input.into_member_id),
                reason=input.reason,
            )
            return {
                "into": merged.into_member_id.hex,
                "assets": [
                    [asset, moved.amount, moved.owed, moved.repaid]
                    for asset, moved in sorted(merged.assets.items())
                ],
                "coupons": merged.coupons,
                "locked_rewards": merged.locked_rewards,
            }

        reply, replayed = await effect_once(info.context, "mergeMembers", input, verb)
        async with info.context.database.snapshot() as snapshot:
            member = await get_member(
                snapshot, info.context.caller.brand_id, UUID(hex=reply["into"])
            )
        return MergeMembersReceipt(
            replayed=replayed,
            assets=[
                MergedAsset(
                    asset=AssetCode(asset),
                    amount=BigInt(amount),
                    owed=BigInt(owed),
                    repaid=BigInt(repaid),
                )
                for asset, amount, owed, repaid in reply["assets"]
            ],
            coupon_count=reply["coupons"],
            locked_reward_count=reply["locked_rewards"],
            member=member,
        )
