"""How identities, members and invitations are found, always inside one brand."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy.orm import class_mapper
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Database, KeyedStatement, Snapshot, Statement, Tx
from loyalty.members.models import Identity, Invitation, Member, RosterEntry
from loyalty.statements import columns_of, names_of

MERGED = "MERGED"


async def find_identity_by_phone_hash(
    snapshot: Snapshot, brand_id: UUID, phone_hash: str
) -> Identity | None:
    found = await snapshot.session.exec(
        select(Identity).where(
            col(Identity.brand_id) == brand_id, col(Identity.phone_hash) == phone_hash
        )
    )
    return found.first()


async def find_identity_by_external_ref(
    snapshot: Snapshot, brand_id: UUID, external_ref: str
) -> Identity | None:
    found = await snapshot.session.exec(
        select(Identity).where(
            col(Identity.brand_id) == brand_id, col(Identity.external_ref) == external_ref
        )
    )
    return found.first()


async def find_identity(snapshot: Snapshot, brand_id: UUID, identity_id: UUID) -> Identity | None:
    return await keyed.find_row(snapshot, Identity, brand_id, identity_id)


async def get_identity(snapshot: Snapshot, brand_id: UUID, identity_id: UUID) -> Identity:
    return await keyed.get_row(snapshot, Identity, brand_id, identity_id, "identity")


async def list_identities_by_ids(
    snapshot: Snapshot, brand_id: UUID, identity_ids: Sequence[UUID]
) -> list[Identity]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Identity, brand_id, identity_ids)


async def find_member(
    snapshot: Snapshot, brand_id: UUID, identity_id: UUID, role: str
) -> Member | None:
    """The account of an identity in one role, as it is now; of a merged one that into which it
    was merged."""
    found = await snapshot.session.exec(
        select(Member)
        .where(
            col(Member.brand_id) == brand_id,
            col(Member.identity_id) == identity_id,
            col(Member.role) == role,
        )
        .execution_options(populate_existing=True)
    )
    member = found.first()
    if member is None or member.merged_into_id is None:
        return member
    return await get_member(snapshot, brand_id, member.merged_into_id)


async def get_member(snapshot: Snapshot, brand_id: UUID, member_id: UUID) -> Member:
    return await keyed.get_row(snapshot, Member, brand_id, member_id, "member")


async def list_members(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    role: str | None = None,
    before: UUID | None,
    limit: int,
) -> list[Member]:
    """Newest first, older than the id ``before``."""
    of_role = () if role is None else (col(Member.role) == role,)
    return await keyed.list_newest(snapshot, Member, brand_id, *of_role, before=before, limit=limit)


async def list_members_by_ids(
    snapshot: Snapshot, brand_id: UUID, member_ids: Sequence[UUID]
) -> list[Member]:
    """For loaders: those that exist, in no order."""
    return await keyed.list_rows_by_ids(snapshot, Member, brand_id, member_ids)


async def find_roster_entry(
    snapshot: Snapshot, brand_id: UUID, role: str, phone_hash: str
) -> RosterEntry | None:
    found = await snapshot.session.exec(
        select(RosterEntry).where(
            col(RosterEntry.brand_id) == brand_id,
            col(RosterEntry.role) == role,
            col(RosterEntry.phone_hash) == phone_hash,
        )
    )
    return found.first()


async def find_open_invitation(
    snapshot: Snapshot, brand_id: UUID, phone_hash: str
) -> Invitation | None:
    """The invitation of a phone that nobody has enrolled on yet."""
    found = await snapshot.session.exec(
        select(Invitation).where(
            col(Invitation.brand_id) == brand_id,
            col(Invitation.phone_hash) == phone_hash,
            col(Invitation.accepted_member_id).is_(None),
        )
    )
    return found.first()


_MEMBER = columns_of(Member)
_MEMBER_NAMES = names_of(_MEMBER)

# Of a merged one that into which it was merged: one more look at the primary key.
READ_MEMBER = KeyedStatement(
    f"""
    SELECT {", ".join(names_of(_MEMBER, "m"))}
    FROM members own
    {{each:m members ON m.brand_id = own.brand_id AND m.id = COALESCE(own.merged_into_id, own.id)}}
    WHERE own.brand_id = :brand_id AND own.identity_id = :identity_id AND own.role = :role
    """,
    keys="brand_id uuid, identity_id uuid, role text",
    returns=_MEMBER,
)


async def read_member(db: Database, brand_id: UUID, identity_id: UUID, role: str) -> Member | None:
    """``find_member`` as the hot read behind a member's home page."""
    (rows,) = await db.read_each(READ_MEMBER, [(brand_id, identity_id, role)])
    return member_of(rows[0]) if rows else None


def member_of(row: Sequence[Any]) -> Member:
    """As rows are loaded, past the constructor: it takes ten times as long."""
    # Asked each time, as whoever asks first has the tables' attributes made.
    member: Member = class_mapper(Member).class_manager.new_instance()
    member.__dict__.update(zip(_MEMBER_NAMES, row, strict=True))
    return member


ADMIT = Statement(
    """
    INSERT INTO roster_entries (brand_id, id, role, phone_hash, phone_cipher, name, created_at)
    SELECT brand_id, id, role, phone_hash, phone_cipher, name, created_at FROM {entries} WHERE true
    ON CONFLICT (brand_id, role, phone_hash) DO NOTHING
    RETURNING id
    """,
    sets={
        "entries": "brand_id uuid, id uuid, role text, phone_hash text, phone_cipher text,"
        " name text, created_at timestamptz"
    },
    returns="id uuid",
)


async def accept_invitation(tx: Tx, invitation: Invitation, member: Member) -> bool:
    """Attribute an open invitation to the member it brought; False when it is taken, or its
    inviter was merged into another meanwhile."""
    accepted = await tx.session.exec(
        update(Invitation)
        .where(
            col(Invitation.brand_id) == invitation.brand_id,
            col(Invitation.id) == invitation.id,
            col(Invitation.inviter_id) == invitation.inviter_id,
            col(Invitation.accepted_member_id).is_(None),
        )
        .values(accepted_member_id=member.id, accepted_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return accepted.rowcount == 1


async def set_status(tx: Tx, brand_id: UUID, member_id: UUID, status: str) -> bool:
    """Set a member's status; False when it has it already, is merged, or is not there."""
    changed = await tx.session.exec(
        update(Member)
        .where(
            col(Member.brand_id) == brand_id,
            col(Member.id) == member_id,
            col(Member.status).not_in((status, MERGED)),
        )
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1


# --- two members become one --------------------------------------------------------------------


# What was merged while this waited for its row is told as it is now.
KEEP_MEMBERS = Statement(
    """
    SELECT m.id, m.merged_into_id FROM {members}
    {shared:m members ON m.brand_id = members.brand_id AND m.id = members.id}
    """,
    sets={"members": "brand_id uuid, id uuid"},
    returns="id uuid, merged_into_id uuid",
)


async def keep_members(tx: Tx, members: Iterable[tuple[UUID, UUID]]) -> list[UUID]:
    """Keep (brand_id, member_id) pairs as they are until the transaction ends, in their order;
    those of them that are merged already."""
    rows = await tx.fetch(KEEP_MEMBERS, members=sorted(members))
    return [row[0] for row in rows if row[1] is not None]


async def lock_members(tx: Tx, brand_id: UUID, member_ids: Iterable[UUID]) -> list[Member]:
    """The rows as they are now, in the order of their ids: nobody else changes them, or keeps them
    as they are, until the transaction ends."""
    found = await tx.session.exec(
        select(Member)
        .where(col(Member.brand_id) == brand_id, col(Member.id).in_(member_ids))
        .order_by(col(Member.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def list_merged_into(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> list[tuple[UUID, UUID]]:
    """(member_id, merged_into_id) of those of the members that were merged."""
    found = await snapshot.session.exec(
        select(Member.id, Member.merged_into_id).where(
            col(Member.brand_id) == brand_id,
            col(Member.id).in_(member_ids),
            col(Member.merged_into_id).is_not(None),
        )
    )
    return [(id, into_id) for id, into_id in found if into_id is not None]


FIND_MERGED_FROM = Statement(
    """
    SELECT into_ids.id, m.id FROM {into_ids}
    {each:m members ON m.brand_id = into_ids.brand_id AND m.merged_into_id = into_ids.id}
    """,
    sets={"into_ids": "brand_id uuid, id uuid"},
    returns="into_id uuid, id uuid",
)


async def mark_merged(tx: Tx, source: Member, target: Member) -> None:
    """Close one member in favour of another. Who was merged into it before leads to the other one
    too, so that nobody is more than one step away."""
    await tx.session.exec(
        update(Member)
        .where(
            col(Member.brand_id) == source.brand_id,
            or_(col(Member.id) == source.id, col(Member.merged_into_id) == source.id),
        )
        .values(status=MERGED, merged_into_id=target.id)
        .execution_options(synchronize_session=False)
    )


async def hand_over_invitations(tx: Tx, brand_id: UUID, from_id: UUID, into_id: UUID) -> None:
    """Let another member have invited whom one has invited; but nobody invites itself."""
    await tx.session.exec(
        update(Invitation)
        .where(
            col(Invitation.brand_id) == brand_id,
            col(Invitation.inviter_id) == from_id,
            or_(
                col(Invitation.accepted_member_id).is_(None),
                col(Invitation.accepted_member_id) != into_id,
            ),
        )
        .values(inviter_id=into_id)
        .execution_options(synchronize_session=False)
    )


async def hand_over_invited(tx: Tx, brand_id: UUID, from_id: UUID, into_id: UUID) -> None:
    """Let another member have brought whom one has brought; but nobody brings itself."""
    await tx.session.exec(
        update(Member)
        .where(
            col(Member.brand_id) == brand_id,
            col(Member.invited_by_id) == from_id,
            col(Member.id) != into_id,
        )
        .values(invited_by_id=into_id)
        .execution_options(synchronize_session=False)
    )


async def describe_anew(tx: Tx, /, member: Member, **told: Any) -> None:
    """Overwrite what is told of a member, such as who brought it."""
    await tx.session.exec(
        update(Member)
        .where(col(Member.brand_id) == member.brand_id, col(Member.id) == member.id)
        .values(**told)
        .execution_options(synchronize_session=False)
    )


async def join_persons(tx: Tx, source: Identity, target: Identity) -> None:
    """Let two identities, and whoever is one person with either, count as one person: all of them
    name the one that stands for it, itself among them."""
    person_id = target.person_id or target.id
    was_id = source.person_id or source.id
    if was_id == person_id:
        return
    await tx.session.exec(
        update(Identity)
        .where(
            col(Identity.brand_id) == source.brand_id,
            or_(
                col(Identity.id).in_((was_id, person_id)),
                col(Identity.person_id) == was_id,
            ),
        )
        .values(person_id=person_id)
        .execution_options(synchronize_session=False)
    )


async def set_birthday(
    tx: Tx, brand_id: UUID, member_id: UUID, birthday: str, *, only_first: bool
) -> bool:
    """False when there is no such member, or (``only_first``) its birthday is known already."""
    conditions = [col(Member.brand_id) == brand_id, col(Member.id) == member_id]
    if only_first:
        conditions.append(col(Member.birthday).is_(None))
    changed = await tx.session.exec(
        update(Member)
        .where(*conditions)
        .values(birthday=birthday)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount == 1
