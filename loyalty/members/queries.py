"""How identities, members and invitations are found, always inside one brand."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.db import Database, Snapshot, Statement, Tx
from loyalty.members.models import Identity, Invitation, Member, RosterEntry


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
    """The account of an identity in one role, as it is now."""
    found = await snapshot.session.exec(
        select(Member)
        .where(
            col(Member.brand_id) == brand_id,
            col(Member.identity_id) == identity_id,
            col(Member.role) == role,
        )
        .execution_options(populate_existing=True)
    )
    return found.first()


async def get_member(snapshot: Snapshot, brand_id: UUID, member_id: UUID) -> Member:
    return await keyed.get_row(snapshot, Member, brand_id, member_id, "member")


async def list_members(
    snapshot: Snapshot,
    brand_id: UUID,
    *,
    role: str | None = None,
    after: UUID | None = None,
    first: int,
) -> list[Member]:
    """Newest first; ``after`` is the id of the last member of the page before."""
    of_role = () if role is None else (col(Member.role) == role,)
    return await keyed.list_newest(snapshot, Member, brand_id, *of_role, before=after, limit=first)


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


READ_MEMBER = Statement(
    """
    SELECT m.brand_id, m.id, m.identity_id, m.role, m.status, m.display_name, m.invited_by_id,
        m.enrolled_at
    FROM members m
    WHERE m.brand_id = :brand_id AND m.identity_id = :identity_id AND m.role = :role
    """,
    params="brand_id uuid, identity_id uuid, role text",
    returns="brand_id uuid, id uuid, identity_id uuid, role text, status text, display_name text,"
    " invited_by_id uuid, enrolled_at timestamptz",
)


async def read_member(db: Database, brand_id: UUID, identity_id: UUID, role: str) -> Member | None:
    """The account of an identity in one role: the hot read behind a member's home page."""
    rows = await db.read(READ_MEMBER, brand_id=brand_id, identity_id=identity_id, role=role)
    if not rows:
        return None
    names = ("brand_id", "id", "identity_id", "role", "status", "display_name", "invited_by_id")
    values = dict(zip((*names, "enrolled_at"), rows[0], strict=True))
    return Member(**values)


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
    """Attribute an open invitation to the member it brought; False when it is taken."""
    accepted = await tx.session.exec(
        update(Invitation)
        .where(
            col(Invitation.brand_id) == invitation.brand_id,
            col(Invitation.id) == invitation.id,
            col(Invitation.accepted_member_id).is_(None),
        )
        .values(accepted_member_id=member.id, accepted_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return accepted.rowcount == 1


async def set_status(tx: Tx, brand_id: UUID, member_id: UUID, status: str) -> bool:
    """Set a member's status; False when it has it already, or there is no such member."""
    return await keyed.set_status(tx, Member, brand_id, member_id, status)
