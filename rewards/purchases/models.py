"""What members bought."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class PurchaseEvent(SQLModel, table=True):
    """A purchase as a till, an order or an import reported it: a fact with an outside id, so that
    a repeat has no second effect. ``amount_fen`` is in hundredths of the brand's currency."""

    __tablename__ = "purchase_events"
    __table_args__ = (
        UniqueConstraint("brand_id", "purchase_ref"),
        CheckConstraint("amount_fen >= 0 AND quantity >= 0", name="not_negative"),
        Index(None, "brand_id", "member_id", "id"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    purchase_ref: str
    content_hash: str
    member_id: UUID
    purchased_on: date
    quantity: int = Field(sa_type=BigInteger)
    amount_fen: int = Field(sa_type=BigInteger)
    points_granted: int = Field(sa_type=BigInteger)
    occurred_at: datetime
    created_at: datetime
