"""The verbs of places (网点), their tills and clerks."""

from uuid import UUID

from loyalty.actor import Actor, ActorKind
from loyalty.db import Snapshot
from loyalty.errors import NotFound, PlaceClosed
from loyalty.places import queries
from loyalty.places.queries import find_places_by_ids, get_place, places_of_store_phone
from loyalty.places.rules import Desk, is_in_service

# Other nouns may call this service and never the queries: the last three are reads they need.
__all__ = [
    "Desk",
    "clerk_in_service",
    "require_desk",
    "find_places_by_ids",
    "get_place",
    "places_of_store_phone",
]


async def require_desk(snapshot: Snapshot, actor: Actor) -> Desk:
    """Where a clerk stands, as it is now (one statement; a ``Tx`` is a ``Snapshot`` too).

    PlaceClosed when the place is closed, the till revoked, the clerk gone, or the three are no
    longer of one place; NotFound for an actor that is no clerk.
    """
    if actor.kind is not ActorKind.CLERK or actor.place_id is None or actor.till_id is None:
        raise NotFound(noun="till")
    desk = await queries.find_desk(snapshot, actor.brand_id, actor.till_id, actor.id)
    if desk is None or desk.place.id != actor.place_id or not is_in_service(desk):
        raise PlaceClosed()
    return desk


async def clerk_in_service(
    snapshot: Snapshot, brand_id: UUID, clerk_id: UUID, till_id: UUID
) -> bool:
    """Whether a clerk may (still) work at a till: both active, of one place, which is open."""
    desk = await queries.find_desk(snapshot, brand_id, till_id, clerk_id)
    return desk is not None and is_in_service(desk)
