"""Who people are to a brand, and the roles they hold there."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant

ROLE_KNOWN = "role IN ('CONSUMER', 'GUIDE', 'STORE', 'DEALER', 'SALESPERSON')"
_OF_A_PERSON = "person_id IS NOT NULL"
_MERGED = "merged_into_id IS NOT NULL"


class Identity(SQLModel, table=True):
    """Who someone is to a brand (身份): a phone, an outside reference of an import, or WeChat
    accounts (``wechat``: there are some in ``wechat_accounts``).

    ``phone_cipher`` is AES-GCM, ``phone_hash`` a keyed hash to find it by; neither leaves the
    server. One identity may hold several members, one in each role. ``person_id`` is the identity
    that stands for the person, once members of several identities were merged; that one names
    itself. ``born_by`` is what the person's ages that it stated come to (``loyalty.ages``), the
    same on all its identities: born then or before.
    """

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("brand_id", "phone_hash"),
        UniqueConstraint("brand_id", "external_ref"),
        CheckConstraint(
            "phone_hash IS NOT NULL OR external_ref IS NOT NULL OR wechat",
            name="known_by_something",
        ),
        Index(
            "ix_identities_person",
            "brand_id",
            "person_id",
            sqlite_where=text(_OF_A_PERSON),
            postgresql_where=text(_OF_A_PERSON),
        ),
        reference("person_id", "identities"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    phone_hash: str | None = None
    phone_cipher: str | None = None
    external_ref: str | None = None
    wechat: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    person_id: UUID | None = None
    born_by: date | None = None
    created_at: datetime


class Member(SQLModel, table=True):
    """A person's account in one brand, in one role (会员). One that was MERGED is closed:
    ``merged_into_id`` has everything that was good, and acts for its identity; never one that
    itself was merged. ``birthday`` is month and day, ``MM-DD``."""

    __tablename__ = "members"
    __table_args__ = (
        UniqueConstraint("brand_id", "identity_id", "role"),
        CheckConstraint(ROLE_KNOWN, name="role_known"),
        CheckConstraint("status IN ('ACTIVE', 'FROZEN', 'MERGED')", name="status_known"),
        CheckConstraint("(status = 'MERGED') = (merged_into_id IS NOT NULL)", name="merged_whole"),
        CheckConstraint("merged_into_id <> id", name="merged_into_another"),
        Index(None, "brand_id", "invited_by_id"),
        Index(None, "brand_id", "birthday"),
        Index(
            "ix_members_merged",
            "brand_id",
            "merged_into_id",
            sqlite_where=text(_MERGED),
            postgresql_where=text(_MERGED),
        ),
        reference("identity_id", "identities"),
        reference("invited_by_id", "members"),
        reference("merged_into_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    identity_id: UUID
    role: str
    status: str = "ACTIVE"
    display_name: str | None = None
    invited_by_id: UUID | None = None
    birthday: str | None = None
    merged_into_id: UUID | None = None
    enrolled_at: datetime


class RosterEntry(SQLModel, table=True):
    """A phone that a brand admits to a channel role (名册). Who is not on it cannot act in it."""

    __tablename__ = "roster_entries"
    __table_args__ = (
        UniqueConstraint("brand_id", "role", "phone_hash"),
        CheckConstraint(ROLE_KNOWN, name="role_known"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    role: str
    phone_hash: str
    phone_cipher: str
    name: str
    created_at: datetime


class Invitation(SQLModel, table=True):
    """Who brought whom: a phone invited by a member, attributed when that phone enrols."""

    __tablename__ = "invitations"
    __table_args__ = (
        UniqueConstraint("brand_id", "phone_hash"),
        Index(None, "brand_id", "inviter_id"),
        reference("inviter_id", "members"),
        reference("accepted_member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    inviter_id: UUID
    phone_hash: str
    phone_cipher: str
    accepted_member_id: UUID | None = None
    accepted_at: datetime | None = None
    created_at: datetime


class MemberDevice(SQLModel, table=True):
    """A device a member has scanned with, as a keyed hash. A claim of the client, never proof."""

    __tablename__ = "member_devices"
    __table_args__ = (reference("member_id", "members"),)

    brand_id: UUID = tenant()
    device_hash: str = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)
    first_seen_at: datetime
