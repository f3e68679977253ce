"""Third parties' codes (第三方券码): put in as stock, shown to the member whose coupon it is."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.coupon_pools import FILLERS, CouponPoolMove
from graphql_schema.effects import effect_once, row_once
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from rewards.code_lists import queries, service
from rewards.issues import pools
from rewards.issues.models import PoolMove as MoveRow
from rewards.issues.service import checked_campaign


@strawberry.input
class AddCouponCodesInput:
    idempotency_key: strawberry.ID
    template_id: strawberry.ID
    codes: list[str] = strawberry.field(description="Up to 1,000, of up to 200 characters.")


@strawberry.input
class FillCouponPoolWithCodesInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    template_id: strawberry.ID
    codes: list[str] = strawberry.field(description="Up to 1,000, of up to 200 characters.")
    campaign: str | None = strawberry.field(
        default=None,
        description="What of the brand's it is part of, by a name of up to 40 characters; one that"
        " the agreement's quotas name, where these do.",
    )


@strawberry.input
class RevealCouponCodeInput:
    idempotency_key: strawberry.ID
    coupon_id: strawberry.ID


@strawberry.type(description="added: those that were not there yet.")
class AddCouponCodesReceipt:
    replayed: bool
    added: int


@strawberry.type
class FillCouponPoolWithCodesReceipt:
    replayed: bool
    move: MoveRow = strawberry.field(graphql_type=CouponPoolMove)


@strawberry.type
class RevealCouponCodeReceipt:
    replayed: bool
    code: str


AddCouponCodesResult = Annotated[
    AddCouponCodesReceipt | Refused, strawberry.union("AddCouponCodesResult")
]
FillCouponPoolWithCodesResult = Annotated[
    FillCouponPoolWithCodesReceipt | Refused, strawberry.union("FillCouponPoolWithCodesResult")
]
RevealCouponCodeResult = Annotated[
    RevealCouponCodeReceipt | Refused, strawberry.union("RevealCouponCodeResult")
]


async def _code(context: Context, coupon_id: UUID) -> str:
    async with context.database.snapshot() as snapshot:
        row = await queries.find_of_coupon(snapshot, context.caller.brand_id, coupon_id)
    if row is None:
        raise LookupError("a coupon's code is gone")
    return service.code_of(context.keyring, row)


@strawberry.type
class CouponCodeMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def add_coupon_codes(
        self, info: Info, input: AddCouponCodesInput
    ) -> AddCouponCodesResult:
        """Put a third party's codes into a template of the kind CODE: each is one coupon of it."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            template_id = local_id("CouponTemplate", input.template_id)
            added = await service.add_codes(
                tx, actor, info.context.keyring, template_id, input.codes
            )
            return {"added": added}

        reply, replayed = await effect_once(info.context, "addCouponCodes", input, verb)
        return AddCouponCodesReceipt(replayed=replayed, added=reply["added"])

    @strawberry.mutation(extensions=[FILLERS])
    async def fill_coupon_pool_with_codes(
        self, info: Info, input: FillCouponPoolWithCodesInput
    ) -> FillCouponPoolWithCodesResult:
        """Put codes into a partner's pool of the kind CODE: those that are new, each a coupon."""

        async def step(tx: Tx, actor: Actor) -> MoveRow:
            return await pools.fill_pool_with_codes(
                tx,
                actor,
                info.context.keyring,
                local_id("Agreement", input.agreement_id),
                local_id("CouponTemplate", input.template_id),
                input.codes,
                checked_campaign(input.campaign),
            )

        operation = "fillCouponPoolWithCodes"
        row, replayed = await row_once(info.context, operation, input, MoveRow, step)
        return FillCouponPoolWithCodesReceipt(replayed=replayed, move=row)

    @strawberry.mutation(extensions=[IsMember()])
    async def reveal_coupon_code(
        self, info: Info, input: RevealCouponCodeInput
    ) -> RevealCouponCodeResult:
        """The code of the caller's own coupon of the kind CODE: the same from then on."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            coupon_id = local_id("Coupon", input.coupon_id)
            await service.reveal_code(tx, actor, coupon_id)
            return {"coupon_id": coupon_id.hex}

        reply, replayed = await effect_once(info.context, "revealCouponCode", input, verb)
        code = await _code(info.context, UUID(hex=reply["coupon_id"]))
        return RevealCouponCodeReceipt(replayed=replayed, code=code)
