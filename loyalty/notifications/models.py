"""What was told to members."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import reference, tenant


class Notification(SQLModel, table=True):
    """A message a provider took. Its id is that of the outbox event, so a retry sends no second."""

    __tablename__ = "notifications"
    __table_args__ = (reference("member_id", "members"),)

    brand_id: UUID = tenant()
    id: UUID = Field(primary_key=True)
    member_id: UUID
    kind: str
    content: dict[str, str] = Field(sa_type=JsonColumn)
    provider: str
    sent_at: datetime
