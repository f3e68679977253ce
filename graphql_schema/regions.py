"""Regions (区域): where a brand sells, as its campaigns tell it apart."""

from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from loyalty.regions import service
from loyalty.regions.models import Region as RegionRow


@strawberry.type(description="A region (区域). One without areas is nowhere.")
class Region:
    code: str
    name_zh: str
    name_en: str

    @strawberry.field(description="The name in the caller's language.")
    def name(self, row: strawberry.Parent[RegionRow], info: Info) -> str:
        return row.name_en if info.context.language == "en" else row.name_zh

    @strawberry.field(
        description="Polygons, each a list of its corners, [latitude, longitude] in degrees."
    )
    def areas(self, row: strawberry.Parent[RegionRow]) -> JSON:
        return JSON(row.areas)


@strawberry.input
class RegionCornerInput:
    latitude: float
    longitude: float


@strawberry.input
class PutRegionInput:
    idempotency_key: strawberry.ID
    code: str
    name_zh: str
    name_en: str
    areas: list[list[RegionCornerInput]] = strawberry.field(
        description="All of its polygons; none where it is to be nowhere from now on."
    )


@strawberry.type
class PutRegionReceipt:
    replayed: bool
    region: RegionRow = strawberry.field(graphql_type=Region)


PutRegionResult = Annotated[PutRegionReceipt | Refused, strawberry.union("PutRegionResult")]


async def _regions(context: Context) -> list[RegionRow]:
    async with context.database.snapshot() as snapshot:
        return await service.list_regions(snapshot, context.caller.brand_id)


@strawberry.type
class RegionQuery:
    @strawberry.field(graphql_type=list[Region], extensions=[HasGrant(Grant.READ)])
    async def regions(self, info: Info) -> list[RegionRow]:
        """The brand's regions, by code."""
        return await _regions(info.context)


@strawberry.type
class RegionMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def put_region(self, info: Info, input: PutRegionInput) -> PutRegionResult:
        """Make a region, or say anew what it is called and where it is, for running campaigns
        too."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            region = await service.put_region(
                tx,
                actor,
                code=input.code,
                name_zh=input.name_zh,
                name_en=input.name_en,
                areas=[
                    [(corner.latitude, corner.longitude) for corner in area] for area in input.areas
                ],
            )
            return {"code": region.code}

        reply, replayed = await effect_once(info.context, "putRegion", input, verb)
        found = [row for row in await _regions(info.context) if row.code == reply["code"]]
        return PutRegionReceipt(replayed=replayed, region=found[0])
