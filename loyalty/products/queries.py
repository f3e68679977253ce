"""How products are found, always inside one brand."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Snapshot
from loyalty.errors import NotFound
from loyalty.products.models import Product


async def find_product(snapshot: Snapshot, brand_id: UUID, product_id: UUID) -> Product | None:
    found = await snapshot.session.exec(
        select(Product).where(col(Product.brand_id) == brand_id, col(Product.id) == product_id)
    )
    return found.first()


async def get_product(snapshot: Snapshot, brand_id: UUID, product_id: UUID) -> Product:
    product = await find_product(snapshot, brand_id, product_id)
    if product is None:
        raise NotFound(noun="product")
    return product


async def list_products(
    snapshot: Snapshot, brand_id: UUID, *, after: UUID | None = None, first: int
) -> list[Product]:
    """Newest first; ``after`` is the id of the last product of the page before."""
    query = select(Product).where(col(Product.brand_id) == brand_id)
    if after is not None:
        query = query.where(col(Product.id) < after)
    newest = query.order_by(col(Product.id).desc()).limit(first)
    return list(await snapshot.session.exec(newest))


async def list_products_by_ids(
    snapshot: Snapshot, brand_id: UUID, product_ids: Sequence[UUID]
) -> list[Product]:
    """For loaders: those that exist, in no order."""
    found = await snapshot.session.exec(
        select(Product).where(col(Product.brand_id) == brand_id, col(Product.id).in_(product_ids))
    )
    return list(found)


async def list_all_products(snapshot: Snapshot, brand_id: UUID) -> list[Product]:
    """Every product of a brand."""
    found = await snapshot.session.exec(select(Product).where(col(Product.brand_id) == brand_id))
    return list(found)


async def find_product_by_sku(snapshot: Snapshot, brand_id: UUID, sku: str) -> Product | None:
    """A product by the brand's own SKU."""
    found = await snapshot.session.exec(
        select(Product).where(col(Product.brand_id) == brand_id, col(Product.sku) == sku)
    )
    return found.first()
