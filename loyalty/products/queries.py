"""How products are found, always inside one brand."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Tx
from loyalty.products.models import Product


async def find_product(snapshot: Snapshot, brand_id: UUID, product_id: UUID) -> Product | None:
    return await keyed.find_row(snapshot, Product, brand_id, product_id)


async def get_product(snapshot: Snapshot, brand_id: UUID, product_id: UUID) -> Product:
    return await keyed.get_row(snapshot, Product, brand_id, product_id, "product")


async def list_products(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Product]:
    """Newest first; ``after`` is the id of the last product of the page before."""
    return await keyed.list_newest(snapshot, Product, brand_id, before=before, limit=limit)


async def list_products_by_ids(
    snapshot: Snapshot, brand_id: UUID, product_ids: Sequence[UUID]
) -> list[Product]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Product, brand_id, product_ids)


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


async def set_age_min(tx: Tx, brand_id: UUID, product_id: UUID, age_min: int | None) -> bool:
    """False when there is no such product."""
    changed = await tx.session.exec(
        update(Product)
        .where(col(Product.brand_id) == brand_id, col(Product.id) == product_id)
        .values(age_min=age_min)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1
