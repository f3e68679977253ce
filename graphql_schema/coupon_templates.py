"""What coupons promise: templates for operators, and what of them members may buy."""

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import CouponKind, CouponTemplateStatus
from graphql_schema.loaders import product_loader, row_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field, local_id
from graphql_schema.pagination import Connection, Cursor, encode_id
from graphql_schema.permissions import HasGrant, IsMember
from graphql_schema.products import Product
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant
from loyalty.clock import local_date, utc_now
from loyalty.db import Tx
from loyalty.products.models import Product as ProductRow
from rewards.coupons import queries, service
from rewards.coupons.models import CouponTemplate as TemplateRow
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.states import CouponView, Promise
from rewards.issues import pools

CURSOR = Cursor(UUID)
Promising = TemplateRow | CouponView
"""Rows that show what a coupon promises."""

template_loader = row_loader(queries.list_templates_by_ids)


def _terms(row: Promising) -> TemplateRow | Promise:
    return row.template if isinstance(row, CouponView) else row


@strawberry.type(description="What a coupon promises. Inherited by whatever shows it.")
class CouponTerms:
    @strawberry.field
    def name_zh(self, row: strawberry.Parent[Promising]) -> str:
        return _terms(row).name_zh

    @strawberry.field
    def name_en(self, row: strawberry.Parent[Promising]) -> str:
        return _terms(row).name_en

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[Promising], info: Info) -> str:
        return _terms(row).name_en if info.context.language == "en" else _terms(row).name_zh

    @strawberry.field
    def kind(self, row: strawberry.Parent[Promising]) -> CouponKind:
        return CouponKind(_terms(row).kind)

    @strawberry.field(description="AMOUNT_OFF: what comes off the basket.")
    def amount_off_fen(self, row: strawberry.Parent[Promising]) -> BigInt | None:
        return _big(_terms(row).amount_off_fen)

    @strawberry.field(description="AMOUNT_OFF: the least that the basket must come to.")
    def spend_min_fen(self, row: strawberry.Parent[Promising]) -> BigInt:
        return BigInt(_terms(row).spend_min_fen)

    @strawberry.field(description="PAY_N: what the customer pays for the product.")
    def pay_fen(self, row: strawberry.Parent[Promising]) -> BigInt | None:
        return _big(_terms(row).pay_fen)

    @strawberry.field(
        graphql_type=Product | None, description="FREE_ITEM, PAY_N: what the customer gets."
    )
    async def product(self, row: strawberry.Parent[Promising], info: Info) -> ProductRow | None:
        product_id = _terms(row).product_id
        return None if product_id is None else await info.context.product(product_id)

    @strawberry.field(
        graphql_type=list[Product],
        description="One of these has to be in the basket; empty: anything.",
    )
    async def products(self, row: strawberry.Parent[Promising], info: Info) -> list[ProductRow]:
        ids = [UUID(hex=id) for id in _terms(row).product_ids]
        found = await info.context.loader(product_loader).load_many(ids)
        return [product for product in found if product is not None]

    @strawberry.field(description="Where it may be used, as ids of Place; empty: anywhere.")
    def place_ids(self, row: strawberry.Parent[Promising]) -> list[strawberry.ID]:
        return [encode_id("Place", UUID(hex=id)) for id in _terms(row).place_ids]


def _big(value: int | None) -> BigInt | None:
    return None if value is None else BigInt(value)


@strawberry.type(
    description="What coupons of one kind promise (券模板), for operators. Both dates are included;"
    " usableDays counts from the day of issue. costFen and feeFen are what the store is credited."
)
class CouponTemplate(CouponTerms, Node):
    id: strawberry.ID = id_field("CouponTemplate")
    code: str
    usable_from: date | None
    usable_until: date | None
    usable_days: int | None
    cost_fen: BigInt
    fee_fen: BigInt
    points_price: BigInt | None
    bought_per_member_max: int | None
    stock_max: BigInt | None
    issued: BigInt
    status: CouponTemplateStatus
    created_at: datetime

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TemplateRow | cls)

    @strawberry.field(description="GIFT: the MallOffer of the gift.")
    def offer_id(self, row: strawberry.Parent[TemplateRow]) -> strawberry.ID | None:
        return None if row.offer_id is None else encode_id("MallOffer", row.offer_id)


@strawberry.type(description="A coupon that members may buy for points now.")
class Offer(CouponTerms):
    usable_from: date | None
    usable_until: date | None
    usable_days: int | None
    bought_per_member_max: int | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, TemplateRow | cls)

    @strawberry.field
    def points_price(self, row: strawberry.Parent[TemplateRow]) -> BigInt:
        if row.points_price is None:
            raise LookupError("an offer without a price")
        return BigInt(row.points_price)

    @strawberry.field(description="For buyCoupon.")
    def template_id(self, row: strawberry.Parent[TemplateRow]) -> strawberry.ID:
        return encode_id("CouponTemplate", row.id)

    @strawberry.field
    def template_code(self, row: strawberry.Parent[TemplateRow]) -> str:
        return row.code

    @strawberry.field(description="How many there are left; null: no end of them.")
    def stock_left(self, row: strawberry.Parent[TemplateRow]) -> BigInt | None:
        return None if row.stock_max is None else BigInt(row.stock_max - row.issued)


@strawberry.input
class CreateCouponTemplateInput:
    idempotency_key: strawberry.ID
    code: str
    name_zh: str
    name_en: str
    kind: CouponKind
    amount_off_fen: BigInt | None = None
    spend_min_fen: BigInt = BigInt(0)
    pay_fen: BigInt | None = None
    product_id: strawberry.ID | None = None
    offer_id: strawberry.ID | None = strawberry.field(
        default=None, description="GIFT: which of the mall's gifts; it may be PAUSED there."
    )
    usable_from: date | None = None
    usable_until: date | None = None
    usable_days: int | None = None
    place_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    product_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    cost_fen: BigInt = BigInt(0)
    fee_fen: BigInt = BigInt(0)
    points_price: BigInt | None = None
    bought_per_member_max: int | None = None
    stock_max: BigInt | None = None


@strawberry.input
class SetCouponTemplateStatusInput:
    idempotency_key: strawberry.ID
    template_id: strawberry.ID
    status: CouponTemplateStatus


@strawberry.type
class CreateCouponTemplateReceipt:
    replayed: bool
    template: TemplateRow = strawberry.field(graphql_type=CouponTemplate)


@strawberry.type
class SetCouponTemplateStatusReceipt:
    replayed: bool
    template: TemplateRow = strawberry.field(graphql_type=CouponTemplate)


CreateCouponTemplateResult = Annotated[
    CreateCouponTemplateReceipt | Refused, strawberry.union("CreateCouponTemplateResult")
]
SetCouponTemplateStatusResult = Annotated[
    SetCouponTemplateStatusReceipt | Refused, strawberry.union("SetCouponTemplateStatusResult")
]


async def fetch_template(context: Context, id: UUID) -> TemplateRow | None:
    """For ``node``: operators only."""
    if Grant.READ not in context.caller.grants:
        return None
    return await context.loader(template_loader).load(id)


async def _template(context: Context, id: str) -> TemplateRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_template(snapshot, context.caller.brand_id, UUID(hex=id))


def definition_of(input: CreateCouponTemplateInput) -> TemplateDefinition:
    """The input as the value that rules check."""
    return TemplateDefinition(
        code=input.code,
        name_zh=input.name_zh,
        name_en=input.name_en,
        kind=input.kind,
        amount_off_fen=input.amount_off_fen,
        spend_min_fen=input.spend_min_fen,
        pay_fen=input.pay_fen,
        product_id=None if input.product_id is None else local_id("Product", input.product_id),
        offer_id=None if input.offer_id is None else local_id("MallOffer", input.offer_id),
        usable_from=input.usable_from,
        usable_until=input.usable_until,
        usable_days=input.usable_days,
        place_ids=tuple(local_id("Place", id) for id in input.place_ids),
        product_ids=tuple(local_id("Product", id) for id in input.product_ids),
        cost_fen=input.cost_fen,
        fee_fen=input.fee_fen,
        points_price=input.points_price,
        bought_per_member_max=input.bought_per_member_max,
        stock_max=input.stock_max,
    )


@strawberry.type
class CouponTemplateQuery:
    @strawberry.field(graphql_type=Connection[CouponTemplate], extensions=[HasGrant(Grant.READ)])
    async def coupon_templates(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[TemplateRow]:
        """The brand's coupon templates, newest first."""
        return await page_of_brand(info.context, queries.list_templates, first, after)

    @strawberry.field(graphql_type=Connection[Offer], extensions=[IsMember()])
    async def offers(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[TemplateRow]:
        """The coupons that points buy now (积分兑换), newest first."""
        brand_id = info.context.caller.brand_id
        today = local_date(utc_now(), await info.context.timezone(brand_id))
        return await page_of_brand(
            info.context, partial(queries.list_offers, today=today), first, after
        )


@strawberry.type
class CouponTemplateMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def create_coupon_template(
        self, info: Info, input: CreateCouponTemplateInput
    ) -> CreateCouponTemplateResult:
        """Make a kind of coupon: for campaigns to give, and with a pointsPrice also to be bought.
        It cannot be changed afterwards, only paused."""
        definition = definition_of(input)

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            template = await service.create_template(tx, actor, definition)
            return {"id": template.id.hex}

        reply, replayed = await effect_once(info.context, "createCouponTemplate", input, verb)
        return CreateCouponTemplateReceipt(
            replayed=replayed, template=await _template(info.context, reply["id"])
        )

    @strawberry.mutation(extensions=[HasGrant(Grant.COUPONS)])
    async def set_coupon_template_status(
        self, info: Info, input: SetCouponTemplateStatusInput
    ) -> SetCouponTemplateStatusResult:
        """Stop issuing coupons of a template (members keep theirs), or go on."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            template = await pools.set_template_status(
                tx, actor, local_id("CouponTemplate", input.template_id), input.status
            )
            return {"id": template.id.hex}

        reply, replayed = await effect_once(info.context, "setCouponTemplateStatus", input, verb)
        return SetCouponTemplateStatusReceipt(
            replayed=replayed, template=await _template(info.context, reply["id"])
        )
