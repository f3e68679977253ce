"""Members that became one (会员合并)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from loyalty.tables import own_id, reference, tenant


class MemberMerge(SQLModel, table=True):
    """That everything good of one member went to another, who did it and why; the cause of the
    transfers that moved it. ``into_member_id`` may have been merged itself since:
    ``members.merged_into_id`` says who has it now. Append-only."""

    __tablename__ = "member_merges"
    __table_args__ = (
        UniqueConstraint("brand_id", "from_member_id"),
        CheckConstraint("from_member_id <> into_member_id", name="two_members"),
        Index(None, "brand_id", "into_member_id"),
        reference("from_member_id", "members"),
        reference("into_member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    from_member_id: UUID
    into_member_id: UUID
    reason: str
    actor_kind: str
    actor_id: UUID
    created_at: datetime
