"""Products."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.loaders import product_loader
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import Connection, Cursor
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.products import queries, service
from loyalty.products.models import Product as ProductRow

CURSOR = Cursor(UUID)


@strawberry.type(description="A product (商品).")
class Product(Node):
    id: strawberry.ID = id_field("Product")
    sku: str
    name_zh: str
    name_en: str
    gtin: str | None
    picture_url: str | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, ProductRow | cls)

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[ProductRow], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field(
        description="How old a consumer has to be whom its scans pay (年龄限制); null: any age."
    )
    async def age_min(self, row: strawberry.Parent[ProductRow], info: Info) -> int | None:
        # Read anew: it may change, and the rows of products are kept in memory.
        fresh = await info.context.loader(product_loader).load(row.id)
        return fresh.age_min if fresh else None


@strawberry.type
class CreateProductReceipt:
    replayed: bool
    product: ProductRow = strawberry.field(graphql_type=Product)


@strawberry.input
class CreateProductInput:
    idempotency_key: strawberry.ID
    sku: str
    name_zh: str
    name_en: str
    gtin: str | None = None
    picture_url: str | None = None
    age_min: int | None = None


CreateProductResult = Annotated[
    CreateProductReceipt | Refused, strawberry.union("CreateProductResult")
]


async def fetch_product(context: Context, id: UUID) -> ProductRow | None:
    """For ``node``: any caller of the brand may see its products."""
    async with context.database.snapshot() as snapshot:
        return await queries.find_product(snapshot, context.caller.brand_id, id)


@strawberry.type
class ProductQuery:
    @strawberry.field(graphql_type=Connection[Product], extensions=[HasGrant(Grant.READ)])
    async def products(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[ProductRow]:
        """The brand's products, newest first."""
        return await page_of_brand(info.context, queries.list_products, first, after)


@strawberry.type
class ProductMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CODES)])
    async def create_product(self, info: Info, input: CreateProductInput) -> CreateProductResult:
        """Add a product."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            product = await service.create_product(
                tx,
                actor,
                sku=input.sku,
                name_zh=input.name_zh,
                name_en=input.name_en,
                gtin=input.gtin,
                picture_url=input.picture_url,
                age_min=input.age_min,
            )
            return {"id": product.id.hex}

        reply, replayed = await effect_once(info.context, "createProduct", input, verb)
        async with info.context.database.snapshot() as snapshot:
            product = await queries.get_product(
                snapshot, info.context.caller.brand_id, UUID(hex=reply["id"])
            )
        return CreateProductReceipt(replayed=replayed, product=product)
