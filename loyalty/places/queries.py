"""How places, tills and clerks are found, always inside one brand."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Snapshot
from loyalty.errors import NotFound
from loyalty.places.models import Clerk, Place, Till
from loyalty.places.rules import Desk


async def find_place(snapshot: Snapshot, brand_id: UUID, place_id: UUID) -> Place | None:
    found = await snapshot.session.exec(
        select(Place)
        .where(col(Place.brand_id) == brand_id, col(Place.id) == place_id)
        .execution_options(populate_existing=True)
    )
    return found.first()


async def get_place(snapshot: Snapshot, brand_id: UUID, place_id: UUID) -> Place:
    place = await find_place(snapshot, brand_id, place_id)
    if place is None:
        raise NotFound(noun="place")
    return place


async def find_places_by_ids(
    snapshot: Snapshot, brand_id: UUID, place_ids: Sequence[UUID]
) -> list[Place]:
    """For loaders: those that exist, in no order."""
    found = await snapshot.session.exec(
        select(Place).where(col(Place.brand_id) == brand_id, col(Place.id).in_(place_ids))
    )
    return list(found)


async def places_of_store_phone(snapshot: Snapshot, brand_id: UUID, phone_hash: str) -> list[Place]:
    """The places that a STORE member with this phone acts for, oldest first."""
    found = await snapshot.session.exec(
        select(Place)
        .where(col(Place.brand_id) == brand_id, col(Place.store_phone_hash) == phone_hash)
        .order_by(col(Place.id))
    )
    return list(found)


async def find_desk(
    snapshot: Snapshot, brand_id: UUID, till_id: UUID, clerk_id: UUID
) -> Desk | None:
    """A till, its place and a clerk of that place in one statement, in service or not; None when
    there is no such till, or the clerk is not of the till's place."""
    found = await snapshot.session.exec(
        select(Place, Till, Clerk)
        .join(
            Till,
            (col(Till.brand_id) == col(Place.brand_id)) & (col(Till.place_id) == col(Place.id)),
        )
        .join(
            Clerk,
            (col(Clerk.brand_id) == col(Place.brand_id)) & (col(Clerk.place_id) == col(Place.id)),
        )
        .where(
            col(Till.brand_id) == brand_id,
            col(Till.id) == till_id,
            col(Clerk.brand_id) == brand_id,
            col(Clerk.id) == clerk_id,
        )
        .execution_options(populate_existing=True)
    )
    row = found.first()
    return None if row is None else Desk(*row)
