"""The verbs of products."""

from collections.abc import Sequence
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands import service as brands
from loyalty.db import Snapshot, Tx
from loyalty.errors import AlreadyExists, NotFound
from loyalty.products import queries
from loyalty.products.models import Product
from loyalty.products.queries import get_product, list_all_products, list_products_by_ids
from loyalty.products.rules import (
    NAME_LENGTH_MAX,
    SKU_LENGTH_MAX,
    check_age_min,
    check_picture_url,
    normalise_gtin,
)
from loyalty.text import checked_text


async def create_product(
    tx: Tx,
    actor: Actor,
    *,
    sku: str,
    name_zh: str,
    name_en: str,
    gtin: str | None = None,
    picture_url: str | None = None,
    age_min: int | None = None,
) -> Product:
    """A new product of the actor's brand; AlreadyExists when the brand has this SKU."""
    product = Product(
        brand_id=actor.brand_id,
        sku=checked_text(sku, "sku", length_max=SKU_LENGTH_MAX),
        name_zh=checked_text(name_zh, "nameZh", length_max=NAME_LENGTH_MAX),
        name_en=checked_text(name_en, "nameEn", length_max=NAME_LENGTH_MAX),
        gtin=None if gtin is None else normalise_gtin(gtin),
        picture_url=None if picture_url is None else check_picture_url(picture_url),
        age_min=check_age_min(age_min),
        created_at=tx.now,
    )
    await brands.touch_configuration(tx, actor.brand_id)
    if not await tx.insert_if_absent(product):
        raise AlreadyExists(noun="product", field="sku")
    await audit_log.record(tx, actor, "product.create", product.id, sku=product.sku)
    return product


async def set_age_min(tx: Tx, actor: Actor, product_id: UUID, age_min: int | None) -> None:
    """How old a consumer has to be whom scans of a product pay (年龄限制); None: anybody. Scans go
    by it from now on. Refuses NotFound (product), InvalidInput."""
    check_age_min(age_min)
    await brands.touch_configuration(tx, actor.brand_id)
    if not await queries.set_age_min(tx, actor.brand_id, product_id, age_min):
        raise NotFound(noun="product")
    await audit_log.record(tx, actor, "product.age_min", product_id, age_min=age_min)


async def require_product(snapshot: Snapshot, brand_id: UUID, product_id: UUID) -> Product:
    """The product, or NotFound; also for another brand's."""
    return await get_product(snapshot, brand_id, product_id)


async def require_products(snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]) -> None:
    """NotFound unless the brand has each of these products."""
    if ids and len(await list_products_by_ids(snapshot, brand_id, ids)) != len(set(ids)):
        raise NotFound(noun="product")


async def products_by_id(snapshot: Snapshot, brand_id: UUID) -> dict[UUID, Product]:
    """All products of a brand, for what is held in memory between batches."""
    return {product.id: product for product in await list_all_products(snapshot, brand_id)}
