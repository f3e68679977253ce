"""Pools (券池): coupons that the brand puts into a partner's template for the partner to give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.effects import row_once
from graphql_schema.nodes import local_id
from graphql_schema.pagination import encode_id
from graphql_schema.permissions import HasGrantOrScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant, Scope
from loyalty.db import Tx
from rewards.issues import pools, queries
from rewards.issues.models import PoolMove as MoveRow
from rewards.issues.queries import PoolView
from rewards.issues.service import checked_campaign


@strawberry.type(description="A partner's template that the brand puts coupons into.")
class CouponPool:
    code: str = strawberry.field(description="The template's, as in the agreement's terms.")
    name_zh: str
    name_en: str
    left_count: BigInt = strawberry.field(description="In the pool: nobody has them yet.")
    given: BigInt = strawberry.field(description="Out of it, whatever has become of them.")
    reserve_fen: BigInt = strawberry.field(
        description="Reserved of the brand's funds for each that is in it, or out and not ended."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PoolView | cls)

    @strawberry.field
    def template_id(self, row: strawberry.Parent[PoolView]) -> strawberry.ID:
        return encode_id("CouponTemplate", row.template_id)

    @strawberry.field
    def agreement_id(self, row: strawberry.Parent[PoolView]) -> strawberry.ID:
        return encode_id("Agreement", row.agreement_id)


@strawberry.type(description="Coupons put into a pool, or (below zero) taken out of it.")
class CouponPoolMove:
    count: BigInt
    campaign: str | None = strawberry.field(description="What of the brand's they are part of.")
    fee_fen: BigInt = strawberry.field(description="Owed for them; below zero: given back.")
    moved_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, MoveRow | cls)


@strawberry.input
class FillCouponPoolInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    template_id: strawberry.ID
    count: int = strawberry.field(description="All of them or none: up to a million.")
    campaign: str | None = strawberry.field(
        default=None,
        description="What of the brand's it is part of, by a name of up to 40 characters; one that"
        " the agreement's quotas name, where these do.",
    )


@strawberry.input
class DrainCouponPoolInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    template_id: strawberry.ID
    count: int


@strawberry.type
class FillCouponPoolReceipt:
    replayed: bool
    move: MoveRow = strawberry.field(graphql_type=CouponPoolMove)


@strawberry.type
class DrainCouponPoolReceipt:
    replayed: bool
    move: MoveRow = strawberry.field(graphql_type=CouponPoolMove)


FillCouponPoolResult = Annotated[
    FillCouponPoolReceipt | Refused, strawberry.union("FillCouponPoolResult")
]
DrainCouponPoolResult = Annotated[
    DrainCouponPoolReceipt | Refused, strawberry.union("DrainCouponPoolResult")
]
FILLERS = HasGrantOrScope(Grant.COUPONS, Scope.ISSUE_COUPONS)


@strawberry.type
class CouponPoolQuery:
    @strawberry.field(
        graphql_type=list[CouponPool],
        extensions=[HasGrantOrScope(Grant.READ, Scope.READ_COUPONS)],
    )
    async def coupon_pools(self, info: Info) -> list[PoolView]:
        """The partners' templates that the brand puts coupons into, the oldest first."""
        async with info.context.database.snapshot() as snapshot:
            return await queries.list_pools(snapshot, info.context.caller.brand_id)


@strawberry.type
class CouponPoolMutation:
    @strawberry.mutation(extensions=[FILLERS])
    async def fill_coupon_pool(
        self, info: Info, input: FillCouponPoolInput
    ) -> FillCouponPoolResult:
        """Put coupons into a partner's pool: their fees are owed and what they may come to cost is
        reserved at once. The partner's campaigns give them out."""

        async def step(tx: Tx, actor: Actor) -> MoveRow:
            ids = _ids(input.agreement_id, input.template_id)
            campaign = checked_campaign(input.campaign)
            return await pools.fill_pool(tx, actor, *ids, input.count, campaign)

        row, replayed = await row_once(info.context, "fillCouponPool", input, MoveRow, step)
        return FillCouponPoolReceipt(replayed=replayed, move=row)

    @strawberry.mutation(extensions=[FILLERS])
    async def drain_coupon_pool(
        self, info: Info, input: DrainCouponPoolInput
    ) -> DrainCouponPoolResult:
        """Take coupons that nobody has out of a pool again: fees are given back, reserves free."""

        async def step(tx: Tx, actor: Actor) -> MoveRow:
            ids = _ids(input.agreement_id, input.template_id)
            return await pools.drain_pool(tx, actor, *ids, input.count)

        row, replayed = await row_once(info.context, "drainCouponPool", input, MoveRow, step)
        return DrainCouponPoolReceipt(replayed=replayed, move=row)


def _ids(agreement_id: str, template_id: str) -> tuple[UUID, UUID]:
    return local_id("Agreement", agreement_id), local_id("CouponTemplate", template_id)
