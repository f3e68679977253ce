"""What members gave back of what they bought."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class PurchaseReturn(SQLModel, table=True):
    """Some or all of a purchase given back (退货): a fact with an outside id, so that a repeat has
    no second effect. ``left_fen`` was left of the purchase after it. Append-only."""

    __tablename__ = "purchase_returns"
    __table_args__ = (
        UniqueConstraint("brand_id", "return_ref"),
        CheckConstraint("amount_fen >= 0 AND left_fen >= 0", name="not_negative"),
        Index(None, "brand_id", "purchase_id", "id"),
        reference("purchase_id", "purchase_events"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    purchase_id: UUID
    return_ref: str
    content_hash: str
    amount_fen: int = Field(sa_type=BigInteger)
    left_fen: int = Field(sa_type=BigInteger)
    reason: str
    created_at: datetime


class PurchaseReturnLine(SQLModel, table=True):
    """What of a purchase's line a return gave back. Append-only."""

    __tablename__ = "purchase_return_lines"
    __table_args__ = (
        CheckConstraint("quantity >= 0 AND amount_fen >= 0", name="not_negative"),
        reference("return_id", "purchase_returns"),
    )

    brand_id: UUID = tenant()
    return_id: UUID = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    quantity: int = Field(sa_type=BigInteger)
    amount_fen: int = Field(sa_type=BigInteger)


class PurchaseReturnTaking(SQLModel, table=True):
    """What a return took of one asset from the buyer, or from who was behind the place in another
    ``role``: ``taken`` from the member's balance, ``owed`` by the member since, ``voided`` of what
    was still locked. Append-only."""

    __tablename__ = "purchase_return_takings"
    __table_args__ = (
        CheckConstraint(
            "taken >= 0 AND owed >= 0 AND voided >= 0 AND taken + owed + voided > 0",
            name="something",
        ),
        reference("return_id", "purchase_returns"),
    )

    brand_id: UUID = tenant()
    return_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    asset: str = Field(primary_key=True)
    taken: int = Field(sa_type=BigInteger)
    owed: int = Field(sa_type=BigInteger)
    voided: int = Field(sa_type=BigInteger)
