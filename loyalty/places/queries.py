"""How places, tills and clerks are found, always inside one brand."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Snapshot, Statement, Tx
from loyalty.members.models import RosterEntry
from loyalty.places.models import Clerk, GuidePlace, Place, PlaceChannel, Till
from loyalty.places.rules import ACTIVE, OPEN, Desk
from loyalty.statements import columns_of, names_of

STORE_PLACES_MAX = 100

_PLACE, _TILL, _CLERK = (columns_of(model) for model in (Place, Till, Clerk))
_DESK_NAMES = [names_of(columns) for columns in (_PLACE, _TILL, _CLERK)]

FIND_DESK = Statement(
    f"""
    SELECT {", ".join(names_of(_PLACE, "p") + names_of(_TILL, "t") + names_of(_CLERK, "c"))}
    FROM {{desks}}
    {{each:t tills ON t.brand_id = desks.brand_id AND t.id = desks.till_id}}
    {{each:p places ON p.brand_id = t.brand_id AND p.id = t.place_id}}
    {{each:c clerks ON c.brand_id = t.brand_id AND c.id = desks.clerk_id
        AND c.place_id = t.place_id}}
    """,
    sets={"desks": "brand_id uuid, till_id uuid, clerk_id uuid"},
    returns=", ".join((_PLACE, _TILL, _CLERK)),
)


async def find_place(snapshot: Snapshot, brand_id: UUID, place_id: UUID) -> Place | None:
    return await keyed.find_row(snapshot, Place, brand_id, place_id)


async def get_place(snapshot: Snapshot, brand_id: UUID, place_id: UUID) -> Place:
    return await keyed.get_row(snapshot, Place, brand_id, place_id, "place")


async def list_places(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Place]:
    """Newest first, older than the id ``before``."""
    return await keyed.list_newest(snapshot, Place, brand_id, before=before, limit=limit)


async def find_places_by_ids(
    snapshot: Snapshot, brand_id: UUID, place_ids: Sequence[UUID]
) -> list[Place]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Place, brand_id, place_ids)


async def places_of_store_phone(snapshot: Snapshot, brand_id: UUID, phone_hash: str) -> list[Place]:
    """The places (up to 100) that a STORE member with this phone acts for, oldest first."""
    found = await snapshot.session.exec(
        select(Place)
        .where(col(Place.brand_id) == brand_id, col(Place.store_phone_hash) == phone_hash)
        .order_by(col(Place.id))
        .limit(STORE_PLACES_MAX)
    )
    return list(found)


async def get_till(snapshot: Snapshot, brand_id: UUID, till_id: UUID) -> Till:
    return await keyed.get_row(snapshot, Till, brand_id, till_id, "till")


async def list_tills(
    snapshot: Snapshot, brand_id: UUID, place_id: UUID, *, before: UUID | None, limit: int
) -> list[Till]:
    """Of one place, newest first, revoked ones too."""
    here = col(Till.place_id) == place_id
    return await keyed.list_newest(snapshot, Till, brand_id, here, before=before, limit=limit)


async def get_clerk(snapshot: Snapshot, brand_id: UUID, clerk_id: UUID) -> Clerk:
    return await keyed.get_row(snapshot, Clerk, brand_id, clerk_id, "clerk")


async def list_clerks(
    snapshot: Snapshot, brand_id: UUID, place_id: UUID, *, before: UUID | None, limit: int
) -> list[Clerk]:
    """Of one place, newest first, those who left too."""
    here = col(Clerk.place_id) == place_id
    return await keyed.list_newest(snapshot, Clerk, brand_id, here, before=before, limit=limit)


async def find_desk(
    snapshot: Snapshot, brand_id: UUID, till_id: UUID, clerk_id: UUID
) -> Desk | None:
    """A till, its place and a clerk of that place in one statement, in service or not; None when
    there is no such till, or the clerk is not of the till's place."""
    rows = await snapshot.fetch(FIND_DESK, desks=[(brand_id, till_id, clerk_id)])
    if not rows:
        return None
    values = iter(rows[0])
    place, till, clerk = ({name: next(values) for name in names} for names in _DESK_NAMES)
    return Desk(Place(**place), Till(**till), Clerk(**clerk))


async def find_till_and_clerk(
    snapshot: Snapshot, brand_id: UUID, key_hash: str, number: str
) -> tuple[Till, Clerk | None] | None:
    """An active till of an open place by its key, and the place's active clerk of that number;
    always one statement."""
    found = await snapshot.session.exec(
        select(Till, Clerk)
        .join(
            Place,
            (col(Place.brand_id) == col(Till.brand_id))
            & (col(Place.id) == col(Till.place_id))
            & (col(Place.status) == OPEN),
        )
        .outerjoin(
            Clerk,
            (col(Clerk.brand_id) == col(Till.brand_id))
            & (col(Clerk.place_id) == col(Till.place_id))
            & (col(Clerk.number) == number)
            & (col(Clerk.status) == ACTIVE),
        )
        .where(
            col(Till.brand_id) == brand_id,
            col(Till.key_hash) == key_hash,
            col(Till.status) == ACTIVE,
        )
    )
    row = found.first()
    return None if row is None else (row[0], row[1])


# Redemptions refer to tills and clerks, which locks their keys in share: these two leave the keys
# alone, so that a sign-in never waits for a redemption, nor makes one wait.


async def lock_till(tx: Tx, brand_id: UUID, till_id: UUID) -> Till | None:
    """The row as it is now, and nobody else changes it until this transaction ends."""
    return await keyed.lock_row(tx, Till, brand_id, till_id, key_share=True)


async def lock_clerk(tx: Tx, brand_id: UUID, clerk_id: UUID) -> Clerk | None:
    """The row as it is now, and nobody else changes it until this transaction ends."""
    return await keyed.lock_row(tx, Clerk, brand_id, clerk_id, key_share=True)


async def set_till_failures(tx: Tx, till: Till, failures_until: datetime) -> None:
    """Count failed sign-ins at a till that the caller has locked."""
    await tx.session.exec(
        update(Till)
        .where(col(Till.brand_id) == till.brand_id, col(Till.id) == till.id)
        .values(failures_until=failures_until)
        .execution_options(synchronize_session=False)
    )


async def set_clerk_failures(
    tx: Tx, clerk: Clerk, failed_attempts: int, locked_until: datetime | None
) -> None:
    """Count failed sign-ins of a clerk that the caller has locked."""
    await tx.session.exec(
        update(Clerk)
        .where(col(Clerk.brand_id) == clerk.brand_id, col(Clerk.id) == clerk.id)
        .values(failed_attempts=failed_attempts, locked_until=locked_until)
        .execution_options(synchronize_session=False)
    )


async def set_place_status(tx: Tx, brand_id: UUID, place_id: UUID, status: str) -> bool:
    """False when it has it already, or there is no such place."""
    return await keyed.set_status(tx, Place, brand_id, place_id, status)


async def set_till_status(tx: Tx, brand_id: UUID, till_id: UUID, status: str) -> bool:
    """False when it has it already, or there is no such till."""
    return await keyed.set_status(tx, Till, brand_id, till_id, status)


async def set_clerk_status(tx: Tx, brand_id: UUID, clerk_id: UUID, status: str) -> bool:
    """False when it has it already, or there is no such clerk."""
    return await keyed.set_status(tx, Clerk, brand_id, clerk_id, status)


async def set_pin_hash(tx: Tx, brand_id: UUID, clerk_id: UUID, pin_hash: str) -> None:
    """A new PIN, which also unlocks."""
    await tx.session.exec(
        update(Clerk)
        .where(col(Clerk.brand_id) == brand_id, col(Clerk.id) == clerk_id)
        .values(pin_hash=pin_hash, failed_attempts=0, locked_until=None)
        .execution_options(synchronize_session=False)
    )


# --- who stands behind a guide -----------------------------------------------------------------

# Who has roles at a place ``p``. Whoever is looked for is found by a roster entry, and may not have
# enrolled yet; of a merged one by whom it was merged into.
_AT_PLACE = """
    {maybe:c place_channels ON c.brand_id = p.brand_id AND c.place_id = p.id
        AND c.role = keys.role}
    {maybe:e roster_entries ON e.brand_id = c.brand_id AND e.id = c.roster_entry_id}
    {maybe:s roster_entries ON s.brand_id = p.brand_id AND s.role = keys.role
        AND s.phone_hash = CASE keys.role WHEN 'STORE' THEN p.store_phone_hash END}
    {maybe:i identities ON i.brand_id = p.brand_id
        AND i.phone_hash = COALESCE(e.phone_hash, s.phone_hash)}
    {maybe:own members ON own.brand_id = i.brand_id AND own.identity_id = i.id
        AND own.role = keys.role}
    {maybe:m members ON m.brand_id = own.brand_id AND m.id = own.merged_into_id}
"""
_WHO = """COALESCE(e.id, s.id),
        COALESCE(m.id, own.id), COALESCE(m.identity_id, own.identity_id),
        COALESCE(m.status, own.status), i.person_id, COALESCE(m.enrolled_at, own.enrolled_at)"""
_WHO_TYPES = (
    "entry_id uuid, member_id uuid, identity_id uuid, status text, person_id uuid,"
    " enrolled_at timestamptz"
)

# By guide and role; no row for one that is of no open place.
FIND_HOLDERS = Statement(
    f"""
    SELECT keys.brand_id, keys.guide_id, keys.role, {_WHO}
    FROM {{keys}}
    {{each:g members ON g.brand_id = keys.brand_id AND g.id = keys.guide_id}}
    {{each:gi identities ON gi.brand_id = g.brand_id AND gi.id = g.identity_id}}
    {{each:r roster_entries ON r.brand_id = gi.brand_id AND r.role = 'GUIDE'
        AND r.phone_hash = gi.phone_hash}}
    {{each:gp guide_places ON gp.brand_id = r.brand_id AND gp.roster_entry_id = r.id}}
    {{each:p places ON p.brand_id = gp.brand_id AND p.id = gp.place_id AND p.status = 'OPEN'}}
    {_AT_PLACE}
    """,
    sets={"keys": "brand_id uuid, guide_id uuid, role text"},
    returns=f"brand_id uuid, guide_id uuid, role text, {_WHO_TYPES}",
)

# By place and role; no row for one that is closed.
FIND_HOLDERS_AT = Statement(
    f"""
    SELECT keys.brand_id, keys.place_id, keys.role, {_WHO}
    FROM {{keys}}
    {{each:p places ON p.brand_id = keys.brand_id AND p.id = keys.place_id
        AND p.status = 'OPEN'}}
    {_AT_PLACE}
    """,
    sets={"keys": "brand_id uuid, place_id uuid, role text"},
    returns=f"brand_id uuid, place_id uuid, role text, {_WHO_TYPES}",
)

SET_GUIDE_PLACES = Statement(
    """
    INSERT INTO guide_places (brand_id, roster_entry_id, place_id, set_at)
    SELECT r.brand_id, r.id, guides.place_id, :now FROM {guides}
    {each:r roster_entries ON r.brand_id = guides.brand_id AND r.role = 'GUIDE'
        AND r.phone_hash = guides.phone_hash}
    WHERE true
    ON CONFLICT (brand_id, roster_entry_id) DO UPDATE SET
        place_id = excluded.place_id, set_at = excluded.set_at
    RETURNING roster_entry_id
    """,
    sets={"guides": "brand_id uuid, phone_hash text, place_id uuid"},
    params="now timestamptz",
    returns="roster_entry_id uuid",
)

FIND_GUIDE_PLACES = Statement(
    """
    SELECT keys.guide_id, gp.place_id
    FROM {keys}
    {each:g members ON g.brand_id = keys.brand_id AND g.id = keys.guide_id AND g.role = 'GUIDE'}
    {each:i identities ON i.brand_id = g.brand_id AND i.id = g.identity_id}
    {each:r roster_entries ON r.brand_id = i.brand_id AND r.role = 'GUIDE'
        AND r.phone_hash = i.phone_hash}
    {each:gp guide_places ON gp.brand_id = r.brand_id AND gp.roster_entry_id = r.id}
    """,
    sets={"keys": "brand_id uuid, guide_id uuid"},
    returns="guide_id uuid, place_id uuid",
)


async def remove_guide_place(tx: Tx, brand_id: UUID, roster_entry_id: UUID) -> None:
    """Let a guide belong to no place."""
    await tx.session.exec(
        delete(GuidePlace).where(
            col(GuidePlace.brand_id) == brand_id,
            col(GuidePlace.roster_entry_id) == roster_entry_id,
        )
    )


async def replace_channel(tx: Tx, place: Place, entries: Iterable[RosterEntry]) -> None:
    """Let these be whom a place has beside its store, and nobody else."""
    await tx.session.exec(
        delete(PlaceChannel).where(
            col(PlaceChannel.brand_id) == place.brand_id, col(PlaceChannel.place_id) == place.id
        )
    )
    await tx.add(
        *(
            PlaceChannel(
                brand_id=place.brand_id,
                place_id=place.id,
                role=entry.role,
                roster_entry_id=entry.id,
                set_at=tx.now,
            )
            for entry in entries
        )
    )


async def list_channel(
    snapshot: Snapshot, brand_id: UUID, place_ids: Sequence[UUID]
) -> list[tuple[UUID, RosterEntry]]:
    """For loaders: (place id, the entry of its dealer or salesperson)."""
    found = await snapshot.session.exec(
        select(PlaceChannel.place_id, RosterEntry)
        .join(
            RosterEntry,
            (col(RosterEntry.brand_id) == col(PlaceChannel.brand_id))
            & (col(RosterEntry.id) == col(PlaceChannel.roster_entry_id)),
        )
        .where(col(PlaceChannel.brand_id) == brand_id, col(PlaceChannel.place_id).in_(place_ids))
    )
    return list(found)


async def places_of_guides(
    snapshot: Snapshot, brand_id: UUID, guide_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """The place of each of these members that is a guide and has one."""
    keys = [(brand_id, id) for id in sorted(guide_ids)]
    return dict(await snapshot.fetch(FIND_GUIDE_PLACES, keys=keys))
