"""The verbs of regions (区域): where a brand sells, as its campaigns tell it apart."""

from collections.abc import Collection, Sequence
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands import service as brands
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput
from loyalty.regions import queries
from loyalty.regions.models import Region
from loyalty.regions.queries import RegionNamed
from loyalty.regions.rules import (
    CODE_LENGTH_MAX,
    CORNERS_OF_BRAND_MAX,
    NAME_LENGTH_MAX,
    REGIONS_MAX,
    Corner,
    RegionView,
    area_of,
    check_areas,
)
from loyalty.text import checked_text


async def put_region(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    name_zh: str,
    name_en: str,
    areas: Sequence[Sequence[Corner]],
) -> Region:
    """Make a region, or say anew where it is and what it is called: from the next scan on, for
    running campaigns too. Refuses InvalidInput with the field's path."""
    check_areas(areas)
    region = Region(
        brand_id=actor.brand_id,
        code=checked_text(code, "code", length_max=CODE_LENGTH_MAX),
        name_zh=checked_text(name_zh, "nameZh", length_max=NAME_LENGTH_MAX),
        name_en=checked_text(name_en, "nameEn", length_max=NAME_LENGTH_MAX),
        areas=[[[latitude, longitude] for latitude, longitude in corners] for corners in areas],
        corners=sum(map(len, areas)),
        created_at=tx.now,
        updated_at=tx.now,
    )
    # Also makes those wait who change another one: so there are never too many.
    await brands.touch_configuration(tx, actor.brand_id)
    known = {row.code: row for row in await queries.list_names(tx, actor.brand_id)}
    there = known.pop(region.code, None)
    if sum(row.corners for row in known.values()) + region.corners > CORNERS_OF_BRAND_MAX:
        problem = f"at most {CORNERS_OF_BRAND_MAX} corners in all regions"
        raise InvalidInput(field="areas", problem=problem)
    if there is None:
        if len(known) >= REGIONS_MAX:
            raise InvalidInput(field="code", problem=f"at most {REGIONS_MAX} regions")
        await tx.add(region)
    else:
        region.id, region.created_at = there.id, there.created_at
        await queries.change_region(tx, region)
    await audit_log.record(
        tx, actor, "putRegion", region.id, code=region.code, corners=region.corners
    )
    return region


async def list_regions(snapshot: Snapshot, brand_id: UUID) -> list[Region]:
    """All of a brand, by code."""
    return await queries.list_regions(snapshot, brand_id)


async def list_names(snapshot: Snapshot, brand_id: UUID) -> list[RegionNamed]:
    """All of a brand by code, without their areas."""
    return await queries.list_names(snapshot, brand_id)


async def regions_of(snapshot: Snapshot, brand_id: UUID) -> tuple[RegionView, ...]:
    """All of a brand as rules see them, by code."""
    return tuple(
        RegionView(row.code, row.name_zh, row.name_en, tuple(map(area_of, row.areas)))
        for row in await queries.list_regions(snapshot, brand_id)
    )


async def require_regions(
    snapshot: Snapshot, brand_id: UUID, codes: Collection[str], field: str
) -> None:
    """InvalidInput with the path of the first code in ``field`` that the brand does not have."""
    known = {row.code for row in await queries.list_names(snapshot, brand_id)} if codes else set()
    for i, code in enumerate(codes):
        if code not in known:
            raise InvalidInput(field=f"{field}[{i}]", problem="no such region")
