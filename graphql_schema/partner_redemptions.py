"""Partners' coupons at tills that a brand's own systems run: a key reports what a clerk did."""

from typing import Annotated, Any

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import row_once
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasScope
from graphql_schema.redemption_types import Redemption
from graphql_schema.redemptions import CouponResult
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Scope
from loyalty.db import Tx
from loyalty.errors import CouponUnknown
from rewards.redemptions import by_key
from rewards.redemptions.models import Redemption as RedemptionRow

_BASKET = "What the basket comes to before the coupon."


@strawberry.input
class RedeemPartnersCouponInput:
    idempotency_key: strawberry.ID = strawberry.field(
        description="Of the sale: the receipt's number, say."
    )
    code: str
    till_id: strawberry.ID = strawberry.field(description="Of the brand's own.")
    clerk_id: strawberry.ID = strawberry.field(description="Who took it there.")
    basket_fen: BigInt | None = strawberry.field(default=None, description=_BASKET)


@strawberry.input
class ReversePartnersRedemptionInput:
    idempotency_key: strawberry.ID
    redemption_id: strawberry.ID
    till_id: strawberry.ID = strawberry.field(description="Of the place that took it.")
    clerk_id: strawberry.ID
    reason: str


@strawberry.type
class RedeemPartnersCouponReceipt:
    replayed: bool
    redemption: RedemptionRow = strawberry.field(graphql_type=Redemption)


@strawberry.type
class ReversePartnersRedemptionReceipt:
    replayed: bool
    redemption: RedemptionRow = strawberry.field(graphql_type=Redemption)


RedeemPartnersCouponResult = Annotated[
    RedeemPartnersCouponReceipt | Refused, strawberry.union("RedeemPartnersCouponResult")
]
ReversePartnersRedemptionResult = Annotated[
    ReversePartnersRedemptionReceipt | Refused, strawberry.union("ReversePartnersRedemptionResult")
]


@strawberry.type
class PartnerRedemptionQuery:
    @strawberry.field(extensions=[HasScope(Scope.REDEEM_COUPONS)])
    async def redeemable_coupon(
        self,
        info: Info,
        code: str,
        till_id: strawberry.ID,
        clerk_id: strawberry.ID,
        basket_fen: BigInt | None = None,
    ) -> CouponResult:
        """What a partner's coupon with this number would do at a till of the brand's. Nothing is
        taken."""
        context = info.context
        desk = (local_id("Till", till_id), local_id("Clerk", clerk_id))
        context.check_guessing(desk[0])
        try:
            async with context.database.snapshot() as snapshot:
                found: Any = await by_key.look_up_partners(
                    snapshot, context.caller, *desk, code, basket_fen=basket_fen
                )
        except CouponUnknown:
            context.count_guess(desk[0])
            raise
        return found  # type: ignore[no-any-return]  # the row of a CouponAtTill


@strawberry.type
class PartnerRedemptionMutation:
    @strawberry.mutation(extensions=[HasScope(Scope.REDEEM_COUPONS)])
    async def redeem_partners_coupon(
        self, info: Info, input: RedeemPartnersCouponInput
    ) -> RedeemPartnersCouponResult:
        """Use up a partner's coupon at a till that the brand's own systems run (核销). What the
        partner owes for it is booked at once."""
        context = info.context
        desk = (local_id("Till", input.till_id), local_id("Clerk", input.clerk_id))
        context.check_guessing(desk[0])

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            return await by_key.redeem(tx, actor, *desk, input.code, basket_fen=input.basket_fen)

        operation = "redeemPartnersCoupon"
        try:
            row, replayed = await row_once(context, operation, input, RedemptionRow, step)
        except CouponUnknown:
            context.count_guess(desk[0])
            raise
        return RedeemPartnersCouponReceipt(replayed=replayed, redemption=row)

    @strawberry.mutation(extensions=[HasScope(Scope.REDEEM_COUPONS)])
    async def reverse_partners_redemption(
        self, info: Info, input: ReversePartnersRedemptionInput
    ) -> ReversePartnersRedemptionResult:
        """Take such a use back within the brand's window (撤销); what was booked is owed back."""

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            return await by_key.reverse(
                tx,
                actor,
                local_id("Till", input.till_id),
                local_id("Clerk", input.clerk_id),
                local_id("Redemption", input.redemption_id),
                input.reason,
            )

        operation = "reversePartnersRedemption"
        row, replayed = await row_once(info.context, operation, input, RedemptionRow, step)
        return ReversePartnersRedemptionReceipt(replayed=replayed, redemption=row)
