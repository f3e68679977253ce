"""Stores' premises, their tills and who stands at them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Place(SQLModel, table=True):
    """A store's premises (网点). Its rebate account is the CASH account owned by its id. A STORE
    member whose phone is this one acts for it. ``payee`` is how the payout provider knows the
    store; rebates are paid out once ``payout_threshold_fen`` have come together."""

    __tablename__ = "places"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("status IN ('OPEN', 'CLOSED')", name="status_known"),
        CheckConstraint("payout_threshold_fen > 0", name="payout_threshold_positive"),
        Index(None, "brand_id", "store_phone_hash"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name: str
    address: str
    latitude: float | None = None
    longitude: float | None = None
    store_phone_hash: str | None = None
    store_phone_cipher: str | None = None
    payee: str | None = None
    payout_threshold_fen: int = Field(sa_type=BigInteger)
    status: str = "OPEN"
    created_at: datetime


class Till(SQLModel, table=True):
    """A till (收银台) and its API key, kept as a keyed hash; ``key_hint`` is how it ends. Failed
    sign-ins of all its clerks move ``failures_until`` ahead; too far ahead, and nobody gets in.
    The name of a revoked till is free for its successor."""

    __tablename__ = "tills"
    __table_args__ = (
        UniqueConstraint("brand_id", "key_hash"),
        Index(
            "uq_tills_brand_id_place_id_name",
            "brand_id",
            "place_id",
            "name",
            unique=True,
            sqlite_where=text("status = 'ACTIVE'"),
            postgresql_where=text("status = 'ACTIVE'"),
        ),
        CheckConstraint("status IN ('ACTIVE', 'REVOKED')", name="status_known"),
        reference("place_id", "places"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    place_id: UUID
    name: str
    key_hash: str
    key_hint: str
    failures_until: datetime | None = None
    status: str = "ACTIVE"
    created_at: datetime


class Clerk(SQLModel, table=True):
    """A store clerk (店员): signs in at a till of the place with a staff number and a PIN, which
    is kept as an argon2 hash."""

    __tablename__ = "clerks"
    __table_args__ = (
        UniqueConstraint("brand_id", "place_id", "number"),
        CheckConstraint("status IN ('ACTIVE', 'LEFT')", name="status_known"),
        reference("place_id", "places"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    place_id: UUID
    number: str
    name: str
    pin_hash: str
    failed_attempts: int = 0
    locked_until: datetime | None = None
    status: str = "ACTIVE"
    created_at: datetime


class GuidePlace(SQLModel, table=True):
    """The place of a guide (导购所属门店), by the guide's roster entry: one at a time. What scans
    paid is on record with them, whatever is set here later."""

    __tablename__ = "guide_places"
    __table_args__ = (
        reference("roster_entry_id", "roster_entries"),
        reference("place_id", "places"),
    )

    brand_id: UUID = tenant()
    roster_entry_id: UUID = Field(primary_key=True)
    place_id: UUID
    set_at: datetime


class PlaceChannel(SQLModel, table=True):
    """The dealer or the salesperson of a place (所属经销商、业务员), by its roster entry. Who acts
    for it as STORE is told by the place's own phone."""

    __tablename__ = "place_channels"
    __table_args__ = (
        CheckConstraint("role IN ('DEALER', 'SALESPERSON')", name="role_known"),
        reference("place_id", "places"),
        reference("roster_entry_id", "roster_entries"),
    )

    brand_id: UUID = tenant()
    place_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    roster_entry_id: UUID
    set_at: datetime
