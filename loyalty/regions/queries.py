"""How regions are found, always inside one brand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select, update

from loyalty.db import Snapshot, Statement, Tx
from loyalty.regions.models import Region


async def list_regions(snapshot: Snapshot, brand_id: UUID) -> list[Region]:
    """All of a brand, by code."""
    found = await snapshot.session.exec(
        select(Region).where(col(Region.brand_id) == brand_id).order_by(col(Region.code))
    )
    return list(found)


NAMES = Statement(
    """
    SELECT r.id, r.code, r.name_zh, r.name_en, r.corners, r.created_at
    FROM regions r WHERE r.brand_id = :brand_id ORDER BY r.code
    """,
    params="brand_id uuid",
    returns="id uuid, code text, name_zh text, name_en text, corners bigint,"
    " created_at timestamptz",
)


@dataclass(frozen=True, slots=True)
class RegionNamed:
    """A region without its areas."""

    id: UUID
    code: str
    name_zh: str
    name_en: str
    corners: int
    created_at: datetime


async def list_names(snapshot: Snapshot, brand_id: UUID) -> list[RegionNamed]:
    """All of a brand by code, and no areas read."""
    rows = await snapshot.fetch(NAMES, brand_id=brand_id)
    return [RegionNamed(*row) for row in rows]


async def change_region(tx: Tx, region: Region) -> None:
    """Write what a region, by its id, is called now and where it is."""
    await tx.session.exec(
        update(Region)
        .where(col(Region.brand_id) == region.brand_id, col(Region.id) == region.id)
        .values(
            name_zh=region.name_zh,
            name_en=region.name_en,
            areas=region.areas,
            corners=region.corners,
            updated_at=region.updated_at,
        )
        .execution_options(synchronize_session=False)
    )
