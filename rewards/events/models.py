"""What members did, or what came about for them, that may earn: beside scans and purchases."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import own_id, reference, tenant


class EventUnpaidReason(StrEnum):
    """Why a recorded event paid nothing. NOTHING_FOR_ROLE: campaigns of its kind pay other roles.
    BUDGET: coupons that there are none of, too."""

    NO_CAMPAIGN = "NO_CAMPAIGN"
    NOTHING_FOR_ROLE = "NOTHING_FOR_ROLE"
    CAP = "CAP"
    BUDGET = "BUDGET"
    FROZEN = "FROZEN"


class EarningEvent(SQLModel, table=True):
    """An event as it was told: a fact with its sender's id, so that a repeat has no second effect.

    ``ref`` is the sender's, or says of ours what may be once. ``event_type_id`` is of a CUSTOM one.
    ``campaign_version_id`` is what it fell to, paid or not; ``unpaid_reason`` None if it was paid.
    ``earned``: a list of {asset, amount, locked}. ``member_id`` is who was named; one that was
    merged has it still."""

    __tablename__ = "earning_events"
    __table_args__ = (
        UniqueConstraint("brand_id", "kind", "ref"),
        Index(None, "brand_id", "member_id", "id"),
        reference("member_id", "members"),
        reference("event_type_id", "event_types"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    kind: str
    ref: str
    content_hash: str
    member_id: UUID
    event_type_id: UUID | None = None
    payload: dict[str, Any] = Field(sa_type=JsonColumn)
    campaign_version_id: UUID | None = None
    unpaid_reason: str | None = None
    earned: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    occurred_at: datetime
    created_at: datetime
