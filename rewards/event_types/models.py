"""What brands let others tell of: types of custom events, and the fields that they have."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, tenant


class FieldKind(StrEnum):
    STRING = "STRING"
    INT = "INT"
    BOOL = "BOOL"


class EventType(SQLModel, table=True):
    """A type in its newest ``version``, which only ever adds to the ones before. ``fields``: a list
    of {name, kind, required, since}, where ``since`` is the version that added it."""

    __tablename__ = "event_types"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        CheckConstraint("version > 0", name="version_positive"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    version: int
    fields: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    created_at: datetime
    registered_at: datetime
