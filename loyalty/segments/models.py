"""Groups of members that a brand's campaigns tell apart."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Segment(SQLModel, table=True):
    """A segment (人群) by the brand's own code."""

    __tablename__ = "segments"
    __table_args__ = (UniqueConstraint("brand_id", "code"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    code: str
    name_zh: str
    name_en: str
    created_at: datetime
    updated_at: datetime


class SegmentMember(SQLModel, table=True):
    """That a member is in a segment, as an operator said."""

    __tablename__ = "segment_members"
    __table_args__ = (
        Index(None, "brand_id", "member_id"),
        reference("segment_id", "segments"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    segment_id: UUID = Field(primary_key=True)
    member_id: UUID = Field(primary_key=True)
    added_at: datetime
