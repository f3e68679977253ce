"""Coupons at the till (核销): looking one up, and the steps of its redemption."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import row_once
from graphql_schema.enums import RedemptionStatus
from graphql_schema.faults import Forbidden
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection, Cursor, find_id_of
from graphql_schema.permissions import HasGrant, IsClerk, IsClerkOrHasGrant
from graphql_schema.redemption_types import CouponAtTill, Redemption
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.errors import CouponUnknown
from loyalty.places.service import clerk_in_service
from rewards.redemptions import queries, service
from rewards.redemptions.models import Redemption as RedemptionRow

CURSOR = Cursor(UUID)


@strawberry.type
class RedemptionReceipt:
    replayed: bool
    redemption: RedemptionRow = strawberry.field(
        graphql_type=Redemption, description="As it was right after the step."
    )


@strawberry.type
class HoldCouponReceipt(RedemptionReceipt):
    pass


@strawberry.type
class CaptureRedemptionReceipt(RedemptionReceipt):
    pass


@strawberry.type
class VoidRedemptionReceipt(RedemptionReceipt):
    pass


@strawberry.type
class ReverseRedemptionReceipt(RedemptionReceipt):
    pass


@strawberry.input
class HoldCouponInput:
    idempotency_key: strawberry.ID
    code: str
    basket_fen: BigInt | None = strawberry.field(
        default=None, description="What the basket comes to before the coupon."
    )
    product_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="What of the brand's is in the basket."
    )


@strawberry.input
class CaptureRedemptionInput:
    idempotency_key: strawberry.ID
    redemption_id: strawberry.ID


@strawberry.input
class VoidRedemptionInput:
    idempotency_key: strawberry.ID
    redemption_id: strawberry.ID


@strawberry.input
class ReverseRedemptionInput:
    idempotency_key: strawberry.ID
    redemption_id: strawberry.ID
    reason: str


CouponResult = Annotated[CouponAtTill | Refused, strawberry.union("CouponResult")]
HoldCouponResult = Annotated[HoldCouponReceipt | Refused, strawberry.union("HoldCouponResult")]
CaptureRedemptionResult = Annotated[
    CaptureRedemptionReceipt | Refused, strawberry.union("CaptureRedemptionResult")
]
VoidRedemptionResult = Annotated[
    VoidRedemptionReceipt | Refused, strawberry.union("VoidRedemptionResult")
]
ReverseRedemptionResult = Annotated[
    ReverseRedemptionReceipt | Refused, strawberry.union("ReverseRedemptionResult")
]


# --- fields ------------------------------------------------------------------------------------


async def fetch_redemption(context: Context, id: UUID) -> RedemptionRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    async with context.database.snapshot() as snapshot:
        return await queries.find_redemption(snapshot, context.caller.brand_id, id)


def _products(ids: Sequence[str]) -> list[UUID]:
    """The products among what is in the basket; anything else a till may name is other goods."""
    return [id for id in (find_id_of("Product", text) for text in ids) if id is not None]


@strawberry.type
class RedemptionQuery:
    @strawberry.field(extensions=[IsClerk()])
    async def coupon(
        self,
        info: Info,
        code: str,
        basket_fen: BigInt | None = None,
        product_ids: list[strawberry.ID] | None = None,
    ) -> CouponResult:
        """What the coupon with this number would do at the caller's till. Nothing is taken."""
        context = info.context
        context.check_guessing()
        try:
            async with context.database.snapshot() as snapshot:
                found: Any = await service.look_up(
                    snapshot,
                    context.caller,
                    code,
                    basket_fen=basket_fen,
                    product_ids=_products(product_ids or ()),
                )
        except CouponUnknown:
            context.count_guess()
            raise
        return found  # type: ignore[no-any-return]  # the row of a CouponAtTill

    @strawberry.field(graphql_type=Connection[Redemption], extensions=[HasGrant(Grant.READ)])
    async def redemptions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        place_id: strawberry.ID | None = None,
        status: RedemptionStatus | None = None,
    ) -> Connection[RedemptionRow]:
        """The brand's redemptions, newest first; none for a place that it does not have."""
        place = None if place_id is None else find_id_of("Place", place_id) or UUID(int=0)
        return await _page(info.context, first, after, place, status)

    @strawberry.field(graphql_type=Connection[Redemption], extensions=[IsClerk()])
    async def my_redemptions(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        status: RedemptionStatus | None = None,
    ) -> Connection[RedemptionRow]:
        """The redemptions of the place where the caller stands, newest first."""
        actor = info.context.caller
        if actor.till_id is None or actor.place_id is None:
            raise Forbidden
        async with info.context.database.snapshot() as snapshot:
            if not await clerk_in_service(snapshot, actor.brand_id, actor.id, actor.till_id):
                raise Forbidden
        return await _page(info.context, first, after, actor.place_id, status)


async def _page(
    context: Context,
    first: int | None,
    after: str | None,
    place_id: UUID | None,
    status: RedemptionStatus | None,
) -> Connection[RedemptionRow]:
    return await page_of_brand(
        context, partial(queries.list_redemptions, place_id=place_id, status=status), first, after
    )


@strawberry.type
class RedemptionMutation:
    @strawberry.mutation(extensions=[IsClerk()])
    async def hold_coupon(self, info: Info, input: HoldCouponInput) -> HoldCouponResult:
        """Take a coupon for the caller's till, for some minutes. COUPON_TAKEN says who has it."""
        context = info.context
        context.check_guessing()

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            return await service.hold_coupon(
                tx,
                actor,
                code=input.code,
                basket_fen=input.basket_fen,
                product_ids=_products(input.product_ids),
            )

        try:
            redemption, replayed = await row_once(context, "holdCoupon", input, RedemptionRow, step)
        except CouponUnknown:
            context.count_guess()
            raise
        return HoldCouponReceipt(replayed=replayed, redemption=redemption)

    @strawberry.mutation(extensions=[IsClerk()])
    async def capture_redemption(
        self, info: Info, input: CaptureRedemptionInput
    ) -> CaptureRedemptionResult:
        """Use up a coupon that the caller's place holds (核销); its store is credited."""

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            return await service.capture(tx, actor, local_id("Redemption", input.redemption_id))

        redemption, replayed = await row_once(
            info.context, "captureRedemption", input, RedemptionRow, step
        )
        return CaptureRedemptionReceipt(replayed=replayed, redemption=redemption)

    @strawberry.mutation(extensions=[IsClerk()])
    async def void_redemption(self, info: Info, input: VoidRedemptionInput) -> VoidRedemptionResult:
        """Let go of a coupon that the caller's place holds."""

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            return await service.void(tx, actor, local_id("Redemption", input.redemption_id))

        redemption, replayed = await row_once(
            info.context, "voidRedemption", input, RedemptionRow, step
        )
        return VoidRedemptionReceipt(replayed=replayed, redemption=redemption)

    @strawberry.mutation(extensions=[IsClerkOrHasGrant(Grant.COUPONS)])
    async def reverse_redemption(
        self, info: Info, input: ReverseRedemptionInput
    ) -> ReverseRedemptionResult:
        """Take a capture back within the brand's window (撤销): the coupon may be used again, and
        the store's credit is taken back."""

        async def step(tx: Tx, actor: Actor) -> RedemptionRow:
            redemption_id = local_id("Redemption", input.redemption_id)
            return await service.reverse(tx, actor, redemption_id, input.reason)

        redemption, replayed = await row_once(
            info.context, "reverseRedemption", input, RedemptionRow, step
        )
        return ReverseRedemptionReceipt(replayed=replayed, redemption=redemption)
