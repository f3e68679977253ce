"""How brands are found."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty.brands.models import Brand
from loyalty.brands.rules import is_slug
from loyalty.db import Snapshot, Tx
from loyalty.errors import NotFound


async def find_brand_by_slug(snapshot: Snapshot, slug: str) -> Brand | None:
    if not is_slug(slug):
        return None
    return (await snapshot.session.exec(select(Brand).where(col(Brand.slug) == slug))).first()


async def get_brand_by_slug(snapshot: Snapshot, slug: str) -> Brand:
    brand = await find_brand_by_slug(snapshot, slug)
    if brand is None:
        raise NotFound(noun="brand")
    return brand


async def get_brand(snapshot: Snapshot, brand_id: UUID) -> Brand:
    """The row as it is now, also when this transaction has read an older one."""
    found = await snapshot.session.exec(
        select(Brand).where(col(Brand.id) == brand_id).execution_options(populate_existing=True)
    )
    brand = found.first()
    if brand is None:
        raise NotFound(noun="brand")
    return brand


async def list_brands_by_ids(snapshot: Snapshot, ids: Sequence[UUID]) -> list[Brand]:
    """Those that exist, in no order."""
    return list(await snapshot.session.exec(select(Brand).where(col(Brand.id).in_(ids))))


async def list_brands(snapshot: Snapshot) -> list[Brand]:
    """All tenants of this database, by slug."""
    return list((await snapshot.session.exec(select(Brand).order_by(col(Brand.slug)))).all())


async def move_revision(tx: Tx, brand_id: UUID) -> bool:
    """Move a brand's revision on; False when there is no such brand."""
    moved = await tx.session.exec(
        update(Brand)
        .where(col(Brand.id) == brand_id)
        .values(revision=col(Brand.revision) + 1)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1


async def set_member_days(tx: Tx, brand_id: UUID, stored: list[dict[str, Any]]) -> bool:
    """Set a brand's calendar and move its revision on; False when there is no such brand."""
    moved = await tx.session.exec(
        update(Brand)
        .where(col(Brand.id) == brand_id)
        .values(member_days=stored, revision=col(Brand.revision) + 1)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount == 1
