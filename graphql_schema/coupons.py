"""Coupons of members: the wallet, buying, and declaring void."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.context import Context, Info
from graphql_schema.coupon_templates import CouponTerms
from graphql_schema.effects import effect_once
from graphql_schema.enums import CouponCause, CouponStatus
from graphql_schema.ledger import Balance
from graphql_schema.loaders import row_loader, rows_loader
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, Cursor, connection_of, page_of
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.clock import local_date, utc_now
from loyalty.db import Tx
from loyalty.errors import NotFound
from loyalty.ledger.queries import BalanceRow, list_balances
from rewards.coupons import queries, service
from rewards.coupons.rules import masked_code, printed_code, shown_status, status_at
from rewards.coupons.states import CouponView
from rewards.issues import service as issues

CURSOR = Cursor(UUID)

coupon_loader = row_loader(queries.list_views_by_ids)
_given_loader = rows_loader(queries.list_views_by_causes, parent=lambda given: given[0])


@strawberry.type(description="One member's coupon (券). Both dates are included.")
class Coupon(CouponTerms, Node):
    id: strawberry.ID = id_field("Coupon")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, CouponView | cls)

    @strawberry.field(description="What the till reads; all but its member see the last digits.")
    def code(self, row: strawberry.Parent[CouponView], info: Info) -> str:
        is_own = info.context.caller.kind is ActorKind.MEMBER
        return (printed_code if is_own else masked_code)(row.coupon.code)

    @strawberry.field
    def template_code(self, row: strawberry.Parent[CouponView]) -> str:
        return row.template.code

    @strawberry.field(description="A hold that has lapsed is none, and past the last day: EXPIRED.")
    async def status(self, row: strawberry.Parent[CouponView], info: Info) -> CouponStatus:
        now = utc_now()
        timezone = await info.context.timezone(row.coupon.brand_id)
        return shown_status(row.coupon, now, local_date(now, timezone))

    @strawberry.field
    def usable_from(self, row: strawberry.Parent[CouponView]) -> date:
        return row.coupon.usable_from

    @strawberry.field
    def usable_until(self, row: strawberry.Parent[CouponView]) -> date:
        return row.coupon.usable_until

    @strawberry.field
    def held_until(self, row: strawberry.Parent[CouponView]) -> datetime | None:
        held = status_at(row.coupon, utc_now()) is CouponStatus.HELD
        return row.coupon.held_until if held else None

    @strawberry.field
    def cause(self, row: strawberry.Parent[CouponView]) -> CouponCause:
        return CouponCause(row.coupon.cause_kind)

    @strawberry.field
    def issued_at(self, row: strawberry.Parent[CouponView]) -> datetime:
        return row.coupon.issued_at

    @strawberry.field(description="When it was redeemed, expired or was declared void.")
    def ended_at(self, row: strawberry.Parent[CouponView]) -> datetime | None:
        return row.coupon.ended_at


async def wallet_of(
    context: Context,
    member_id: UUID,
    status: CouponStatus | None,
    first: int | None,
    after: str | None,
) -> Connection[CouponView]:
    """A page of a member's coupons; whoever sees the member may see them. Without a loader: reads
    of many members are shared as they are."""
    page = page_of(CURSOR, first, after)
    brand_id, now = context.caller.brand_id, utc_now()
    views = await queries.read_wallet(
        context.database,
        brand_id,
        member_id,
        status=status,
        now=now,
        today=local_date(now, await context.timezone(brand_id)),
        before=page.start[0] if page.start else None,
        limit=page.limit,
    )
    return connection_of(views, page, CURSOR, key=lambda view: (view.id,))


async def coupons_given(context: Context, cause_id: UUID) -> list[CouponView]:
    """What a purchase or an event gave: all of it for operators, to a member its own."""
    given = [view for _, view in await context.loader(_given_loader).load(cause_id)]
    if Grant.READ in context.caller.grants:
        return given
    return [view for view in given if await is_own(context, view.coupon.member_id)]


async def fetch_coupon(context: Context, id: UUID) -> CouponView | None:
    """For ``node``: an operator sees the brand's coupons, a member its own."""
    view = await context.loader(coupon_loader).load(id)
    if view is None or Grant.READ in context.caller.grants:
        return view
    return view if await is_own(context, view.coupon.member_id) else None


@strawberry.input
class VoidCouponInput:
    idempotency_key: strawberry.ID
    coupon_id: strawberry.ID
    reason: str


@strawberry.input
class BuyCouponInput:
    idempotency_key: strawberry.ID
    template_id: strawberry.ID


@strawberry.type
class VoidCouponReceipt:
    replayed: bool
    coupon: CouponView = strawberry.field(graphql_type=Coupon)


@strawberry.type(description="What was bought, and the balances right after it.")
class BuyCouponReceipt:
    replayed: bool
    coupon: CouponView = strawberry.field(graphql_type=Coupon)
    balances: list[BalanceRow] = strawberry.field(graphql_type=list[Balance])


VoidCouponResult = Annotated[VoidCouponReceipt | Refused, strawberry.union("VoidCouponResult")]
BuyCouponResult = Annotated[BuyCouponReceipt | Refused, strawberry.union("BuyCouponResult")]


async def _coupon(context: Context, id: str) -> CouponView:
    async with context.database.snapshot() as snapshot:
        views = await queries.list_views_by_ids(snapshot, context.caller.brand_id, [UUID(hex=id)])
    if not views:
        raise NotFound(noun="coupon")
    return views[0]


@strawberry.type
class CouponMutation:
    @strawberry.mutation(extensions=[IsMember(MemberRole.CONSUMER)])
    async def buy_coupon(self, info: Info, input: BuyCouponInput) -> BuyCouponResult:
        """Spend points on a coupon that is on offer; what expires soonest is spent first."""
        timezone = await info.context.timezone(info.context.caller.brand_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            template_id = local_id("CouponTemplate", input.template_id)
            issue = await service.buy_coupon(tx, actor, template_id)
            left = await list_balances(
                tx, issue.brand_id, issue.member_id, local_date(tx.now, timezone)
            )
            return {"id": issue.id.hex, "balances": [asdict(row) for row in left]}

        reply, replayed = await effect_once(info.context, "buyCoupon", input, verb)
        return BuyCouponReceipt(
            replayed=replayed,
            coupon=await _coupon(info.context, reply["id"]),
            balances=[BalanceRow(**row) for row in reply["balances"]],
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def void_coupon(self, info: Info, input: VoidCouponInput) -> VoidCouponResult:
        """Take a coupon back from its member for good; one that a till holds has to be let go of
        first."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            coupon = await issues.void_coupon(
                tx, actor, local_id("Coupon", input.coupon_id), input.reason
            )
            return {"id": coupon.id.hex}

        reply, replayed = await effect_once(info.context, "voidCoupon", input, verb)
        return VoidCouponReceipt(replayed=replayed, coupon=await _coupon(info.context, reply["id"]))
