"""Who stands behind a guide: the place it belongs to, and that place's dealer and salesperson."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.loaders import row_loader
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.places import Place, place_of_reply
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Snapshot, Tx
from loyalty.members.models import Member as MemberRow
from loyalty.places import channel, queries
from loyalty.places.models import Place as PlaceRow


async def _places_of_guides(
    snapshot: Snapshot, brand_id: UUID, guide_ids: Any
) -> list[tuple[UUID, PlaceRow]]:
    place_ids = await queries.places_of_guides(snapshot, brand_id, guide_ids)
    found = await queries.find_places_by_ids(snapshot, brand_id, sorted({*place_ids.values()}))
    places = {place.id: place for place in found}
    return [(guide_id, places[place_id]) for guide_id, place_id in place_ids.items()]


place_of_guide_loader = row_loader(_places_of_guides, key=lambda row: row[0])


@strawberry.type
class MemberPlace:
    @strawberry.field(
        graphql_type=Place | None,
        description="Of a guide: the place that it belongs to now (所属网点).",
    )
    async def place(self, row: strawberry.Parent[MemberRow], info: Info) -> PlaceRow | None:
        found = await info.context.loader(place_of_guide_loader).load(row.id)
        return found[1] if found else None


@strawberry.type
class SetPlaceChannelReceipt:
    replayed: bool
    place: PlaceRow = strawberry.field(graphql_type=Place)


@strawberry.type
class SetGuidePlaceReceipt:
    replayed: bool
    place: PlaceRow | None = strawberry.field(graphql_type=Place | None)


@strawberry.input(description="Phones on the roster of their role; who is left out is taken away.")
class SetPlaceChannelInput:
    idempotency_key: strawberry.ID
    place_id: strawberry.ID
    dealer_phone: str | None = None
    salesperson_phone: str | None = None


@strawberry.input(description="Of a phone on the roster of GUIDE. Without placeId it has no place.")
class SetGuidePlaceInput:
    idempotency_key: strawberry.ID
    phone: str
    place_id: strawberry.ID | None = None


SetPlaceChannelResult = Annotated[
    SetPlaceChannelReceipt | Refused, strawberry.union("SetPlaceChannelResult")
]
SetGuidePlaceResult = Annotated[
    SetGuidePlaceReceipt | Refused, strawberry.union("SetGuidePlaceResult")
]


async def _place(context: Context, reply: dict[str, Any]) -> PlaceRow | None:
    return await place_of_reply(context, reply) if reply["id"] else None


@strawberry.type
class ChannelMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.PLACES)])
    async def set_place_channel(
        self, info: Info, input: SetPlaceChannelInput
    ) -> SetPlaceChannelResult:
        """Say which dealer and which salesperson a place has (所属经销商、业务员), for scans and
        purchases to come."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            place = await channel.set_place_channel(
                tx,
                actor,
                context.keyring,
                local_id("Place", input.place_id),
                dealer_phone=input.dealer_phone,
                salesperson_phone=input.salesperson_phone,
            )
            return {"id": place.id.hex}

        reply, replayed = await effect_once(context, "setPlaceChannel", input, verb)
        return SetPlaceChannelReceipt(replayed=replayed, place=await place_of_reply(context, reply))

    @strawberry.mutation(extensions=[HasGrant(Grant.MEMBERS)])
    async def set_guide_place(self, info: Info, input: SetGuidePlaceInput) -> SetGuidePlaceResult:
        """Say to which place a guide belongs (所属网点), for scans to come."""
        context = info.context

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            wanted = None if input.place_id is None else local_id("Place", input.place_id)
            place_id = await channel.set_guide_place(
                tx, actor, context.keyring, input.phone, wanted
            )
            return {"id": place_id.hex if place_id else None}

        reply, replayed = await effect_once(context, "setGuidePlace", input, verb)
        return SetGuidePlaceReceipt(replayed=replayed, place=await _place(context, reply))
