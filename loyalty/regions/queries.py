"""How regions are found, always inside one brand."""

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, select, update

from loyalty.db import Snapshot, Tx
from loyalty.regions.models import Region


async def list_regions(snapshot: Snapshot, brand_id: UUID) -> list[Region]:
    """All of a brand, by code."""
    found = await snapshot.session.exec(
        select(Region).where(col(Region.brand_id) == brand_id).order_by(col(Region.code))
    )
    return list(found)


async def list_regions_by_codes(
    snapshot: Snapshot, brand_id: UUID, codes: Collection[str]
) -> list[Region]:
    """Those that exist, in no order."""
    found = await snapshot.session.exec(
        select(Region).where(col(Region.brand_id) == brand_id, col(Region.code).in_(sorted(codes)))
    )
    return list(found)


async def change_region(tx: Tx, region: Region) -> None:
    """Write what a region, by its id, is called now and where it is."""
    await tx.session.exec(
        update(Region)
        .where(col(Region.brand_id) == region.brand_id, col(Region.id) == region.id)
        .values(
            name_zh=region.name_zh,
            name_en=region.name_en,
            areas=region.areas,
            updated_at=region.updated_at,
        )
        .execution_options(synchronize_session=False)
    )
