"""The tier a member holds, and how it came to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class Standing(SQLModel, table=True):
    """The level a member holds now. A member without a row stands at rank 0."""

    __tablename__ = "standings"
    __table_args__ = (reference("member_id", "members"),)

    brand_id: UUID = tenant()
    member_id: UUID = Field(primary_key=True)
    rank: int
    since: datetime


class StandingChange(SQLModel, table=True):
    """One move, and the transfer that caused it; none when a new ladder version did.
    Append-only."""

    __tablename__ = "standing_changes"
    __table_args__ = (Index(None, "brand_id", "member_id", "id"),)

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    from_rank: int
    to_rank: int
    transfer_id: UUID | None
    ladder_id: UUID
    occurred_at: datetime
    created_at: datetime
