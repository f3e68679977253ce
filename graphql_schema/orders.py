"""Orders in the points mall (兑换单): placed by members, handed out or cancelled by operators."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.acting import is_own
from graphql_schema.context import Context, Info
from graphql_schema.coupons import Coupon
from graphql_schema.effects import effect_once
from graphql_schema.enums import OrderStatus, PartPurpose
from graphql_schema.ledger import Balance
from graphql_schema.loaders import row_loader, rows_loader
from graphql_schema.member_lists import page_of_brand, page_of_member
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.offer_types import MallOffer, OfferView
from graphql_schema.offers import offer_loader
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.refusals import Refused
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.actor import Actor, ActorKind, Grant, MemberRole
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.ledger.queries import BalanceRow, list_balances
from rewards.coupons.queries import list_views_by_ids
from rewards.coupons.states import CouponView
from rewards.orders import ending, queries, service
from rewards.orders.models import OfferOrder as OrderRow
from rewards.orders.models import OfferOrderPart as PartRow
from rewards.orders.rules import masked_delivery

CURSOR = Cursor(UUID)

order_loader = row_loader(queries.list_orders_by_ids)
parts_loader = rows_loader(queries.list_parts, parent=lambda row: row.order_id)


@strawberry.type(description="What was paid or given for all pieces of an order; CASH is in fen.")
class OrderPart:
    purpose: PartPurpose
    asset: AssetCode
    amount: BigInt

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, PartRow | cls)


@strawberry.type(
    description="So many pieces of an offer for one member (兑换单). Coupons and assets are given"
    " at once; a gift is PLACED until it is handed out, or cancelled and its price given back."
)
class OfferOrder(Node):
    id: strawberry.ID = id_field("OfferOrder")
    quantity: int
    status: OrderStatus
    ordered_on: date
    carrier: str | None
    tracking_number: str | None
    reason: str | None = strawberry.field(description="Why it was cancelled.")
    created_at: datetime
    fulfilled_at: datetime | None
    cancelled_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, OrderRow | cls)

    @strawberry.field(graphql_type=MallOffer, description="As it is by now.")
    async def offer(self, row: strawberry.Parent[OrderRow], info: Info) -> OfferView:
        offer = await info.context.loader(offer_loader).load(row.offer_id)
        if offer is None:
            raise LookupError("an order of no offer")
        return OfferView(offer)

    @strawberry.field
    def member_id(self, row: strawberry.Parent[OrderRow]) -> strawberry.ID:
        return encode_id("Member", row.member_id)

    @strawberry.field(description="The Coupon that the gift was exchanged for; null: it was paid.")
    def coupon_id(self, row: strawberry.Parent[OrderRow]) -> strawberry.ID | None:
        return None if row.coupon_id is None else encode_id("Coupon", row.coupon_id)

    @strawberry.field(graphql_type=list[OrderPart])
    async def parts(self, row: strawberry.Parent[OrderRow], info: Info) -> list[PartRow]:
        return await info.context.loader(parts_loader).load(row.id)

    @strawberry.field(
        description="Where a gift goes: in clear to its member and to operators who hand gifts out,"
        " masked to others."
    )
    def delivery(self, row: strawberry.Parent[OrderRow], info: Info) -> str | None:
        delivery = service.opened_delivery(info.context.keyring, row)
        actor = info.context.caller
        may_read = actor.kind is ActorKind.MEMBER or Grant.COUPONS in actor.grants
        return delivery if delivery is None or may_read else masked_delivery(delivery)


async def _read_orders(
    context: Context, member_ids: Sequence[UUID], before: UUID | None, limit: int
) -> list[tuple[UUID, OrderRow]]:
    brand_id = context.caller.brand_id
    async with context.database.snapshot() as snapshot:
        rows = await queries.list_orders_of_members(
            snapshot, brand_id, member_ids, before=before, limit=limit
        )
    return [(row.member_id, row) for row in rows]


async def orders_of(
    context: Context, member_id: UUID, first: int | None, after: str | None
) -> Connection[OrderRow]:
    """A page of a member's orders; whoever sees the member may see them."""
    return await page_of_member(context, _read_orders, member_id, first, after)


async def fetch_order(context: Context, id: UUID) -> OrderRow | None:
    """For ``node``: an operator sees the brand's orders, a member its own."""
    async with context.database.snapshot() as snapshot:
        order = await queries.find_order(snapshot, context.caller.brand_id, id)
    if order is None or Grant.READ in context.caller.grants:
        return order
    return order if await is_own(context, order.member_id) else None


@strawberry.input
class RedeemOfferInput:
    idempotency_key: strawberry.ID
    offer_id: strawberry.ID
    quantity: int = 1
    delivery: str | None = strawberry.field(
        default=None, description="GIFT: name, phone and address, if it is to be sent."
    )


@strawberry.input
class OrderGiftInput:
    idempotency_key: strawberry.ID
    coupon_id: strawberry.ID
    delivery: str | None = strawberry.field(
        default=None, description="Name, phone and address, if it is to be sent."
    )


@strawberry.input
class FulfilOrderInput:
    idempotency_key: strawberry.ID
    order_id: strawberry.ID
    carrier: str | None = None
    tracking_number: str | None = None


@strawberry.input
class CancelOrderInput:
    idempotency_key: strawberry.ID
    order_id: strawberry.ID
    reason: str = strawberry.field(description="Shown to the member.")


@strawberry.type(description="What was taken, what came of it, and the balances right after it.")
class RedeemOfferReceipt:
    replayed: bool
    order: OrderRow = strawberry.field(graphql_type=OfferOrder)
    coupons: list[CouponView] = strawberry.field(graphql_type=list[Coupon])
    balances: list[BalanceRow] = strawberry.field(graphql_type=list[Balance])


@strawberry.type
class OrderGiftReceipt:
    replayed: bool
    order: OrderRow = strawberry.field(graphql_type=OfferOrder)


@strawberry.type
class FulfilOrderReceipt:
    replayed: bool
    order: OrderRow = strawberry.field(graphql_type=OfferOrder)


@strawberry.type
class CancelOrderReceipt:
    replayed: bool
    order: OrderRow = strawberry.field(graphql_type=OfferOrder)


RedeemOfferResult = Annotated[RedeemOfferReceipt | Refused, strawberry.union("RedeemOfferResult")]
OrderGiftResult = Annotated[OrderGiftReceipt | Refused, strawberry.union("OrderGiftResult")]
FulfilOrderResult = Annotated[FulfilOrderReceipt | Refused, strawberry.union("FulfilOrderResult")]
CancelOrderResult = Annotated[CancelOrderReceipt | Refused, strawberry.union("CancelOrderResult")]


async def _order(context: Context, id: str) -> OrderRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_order(snapshot, context.caller.brand_id, UUID(hex=id))


async def _coupons(context: Context, ids: Sequence[str]) -> list[CouponView]:
    if not ids:
        return []
    async with context.database.snapshot() as snapshot:
        found = await list_views_by_ids(
            snapshot, context.caller.brand_id, [UUID(hex=id) for id in ids]
        )
    return sorted(found, key=lambda view: view.id)


@strawberry.type
class OrderQuery:
    @strawberry.field(graphql_type=Connection[OfferOrder], extensions=[HasGrant(Grant.READ)])
    async def offer_orders(
        self,
        info: Info,
        status: OrderStatus | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[OrderRow]:
        """The mall's orders, newest first; in one status, or all."""
        return await page_of_brand(
            info.context, partial(queries.list_orders, status=status), first, after
        )


@strawberry.type
class OrderMutation:
    @strawberry.mutation(extensions=[IsMember(MemberRole.CONSUMER)])
    async def redeem_offer(self, info: Info, input: RedeemOfferInput) -> RedeemOfferResult:
        """Take pieces of an offer in the mall for its price (兑换); what expires soonest is spent
        first."""
        timezone = await info.context.timezone(info.context.caller.brand_id)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            order, coupons = await service.redeem_offer(
                tx,
                actor,
                info.context.keyring,
                local_id("MallOffer", input.offer_id),
                quantity=input.quantity,
                delivery=input.delivery,
            )
            left = await list_balances(
                tx, order.brand_id, order.member_id, local_date(tx.now, timezone)
            )
            return {
                "id": order.id.hex,
                "coupons": [coupon.id.hex for coupon in coupons],
                "balances": [asdict(row) for row in left],
            }

        reply, replayed = await effect_once(info.context, "redeemOffer", input, verb)
        return RedeemOfferReceipt(
            replayed=replayed,
            order=await _order(info.context, reply["id"]),
            coupons=await _coupons(info.context, reply["coupons"]),
            balances=[BalanceRow(**row) for row in reply["balances"]],
        )

    @strawberry.mutation(extensions=[IsMember()])
    async def order_gift(self, info: Info, input: OrderGiftInput) -> OrderGiftResult:
        """Exchange a coupon for its gift (实物礼品): one that was won, bought or given."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            order = await service.order_gift(
                tx,
                actor,
                info.context.keyring,
                local_id("Coupon", input.coupon_id),
                delivery=input.delivery,
            )
            return {"id": order.id.hex}

        reply, replayed = await effect_once(info.context, "orderGift", input, verb)
        return OrderGiftReceipt(replayed=replayed, order=await _order(info.context, reply["id"]))

    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def fulfil_order(self, info: Info, input: FulfilOrderInput) -> FulfilOrderResult:
        """Note that a gift was handed out or sent; its member is told."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            order = await ending.fulfil_order(
                tx,
                actor,
                local_id("OfferOrder", input.order_id),
                carrier=input.carrier,
                tracking_number=input.tracking_number,
            )
            return {"id": order.id.hex}

        reply, replayed = await effect_once(info.context, "fulfilOrder", input, verb)
        return FulfilOrderReceipt(replayed=replayed, order=await _order(info.context, reply["id"]))

    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def cancel_order(self, info: Info, input: CancelOrderInput) -> CancelOrderResult:
        """End an order whose gift was not handed out: its price and fee are given back, into the
        lots they came from; its member is told."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            order = await ending.cancel_order(
                tx, actor, local_id("OfferOrder", input.order_id), input.reason
            )
            return {"id": order.id.hex}

        reply, replayed = await effect_once(info.context, "cancelOrder", input, verb)
        return CancelOrderReceipt(replayed=replayed, order=await _order(info.context, reply["id"]))
