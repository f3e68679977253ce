"""Keys that a brand's systems call with, and how often they do."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class PartnerKey(SQLModel, table=True):
    """A key of a brand's own systems (合作方密钥), known by its SHA-256; the one before is good
    as well until ``previous_until``. ``start`` is what people tell it by. Without ``networks``
    (CIDRs) it is good from anywhere; revoked it is good for nothing, for ever."""

    __tablename__ = "partner_keys"
    __table_args__ = (
        UniqueConstraint("key_hash"),
        UniqueConstraint("previous_hash"),
        CheckConstraint("requests_per_minute > 0", name="requests_positive"),
        CheckConstraint(
            "(previous_hash IS NULL) = (previous_until IS NULL)", name="previous_wholly"
        ),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    name: str
    start: str
    key_hash: str
    previous_hash: str | None = None
    previous_until: datetime | None = None
    scopes: list[Any] = Field(sa_type=JsonColumn)
    networks: list[Any] = Field(default_factory=list, sa_type=JsonColumn)
    requests_per_minute: int
    created_at: datetime
    revoked_at: datetime | None = None


class PartnerKeyUse(SQLModel, table=True):
    """How often a key called a field on a day of the brand's zone."""

    __tablename__ = "partner_key_uses"
    __table_args__ = (
        CheckConstraint("calls > 0", name="calls_positive"),
        reference("key_id", "partner_keys"),
    )

    brand_id: UUID = tenant()
    key_id: UUID = Field(primary_key=True)
    on_day: date = Field(primary_key=True)
    field_name: str = Field(primary_key=True)
    calls: int = Field(sa_type=BigInteger)
