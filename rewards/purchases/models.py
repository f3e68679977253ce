"""What members bought."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, reference, tenant


class PurchaseSource(StrEnum):
    """Who told of a purchase: a till, an order system, or a list of past ones."""

    TILL = "TILL"
    ORDER = "ORDER"
    IMPORT = "IMPORT"


class PurchaseEvent(SQLModel, table=True):
    """A purchase as a till, an order or an import reported it: a fact with an outside id, so that
    a repeat has no second effect. ``amount_fen`` is in hundredths of the brand's currency.

    ``campaign_version_id`` is what rewarded it; None when nothing did. ``place_id``: where it was
    made, if that was told. ``returned_fen`` was given back since; ``returned_at`` is when nothing
    was left of it.
    """

    __tablename__ = "purchase_events"
    __table_args__ = (
        UniqueConstraint("brand_id", "purchase_ref"),
        CheckConstraint("amount_fen >= 0 AND quantity >= 0", name="not_negative"),
        CheckConstraint("source IN ('TILL', 'ORDER', 'IMPORT')", name="source_known"),
        CheckConstraint(
            "returned_fen >= 0 AND returned_fen <= amount_fen", name="returned_within_amount"
        ),
        # Of a purchase that cost nothing, only the date tells whether it was returned.
        CheckConstraint(
            "CASE WHEN returned_at IS NULL THEN returned_fen < amount_fen OR amount_fen = 0"
            " ELSE returned_fen = amount_fen END",
            name="returned_when_nothing_is_left",
        ),
        Index(None, "brand_id", "member_id", "id"),
        reference("member_id", "members"),
        reference("place_id", "places"),
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
    source: str = PurchaseSource.IMPORT.value
    campaign_version_id: UUID | None = None
    place_id: UUID | None = None
    returned_fen: int = Field(default=0, sa_type=BigInteger)
    returned_at: datetime | None = None
    occurred_at: datetime
    created_at: datetime


class PurchaseShare(SQLModel, table=True):
    """What a rewarded purchase came to for one role behind its place: a row for each that its
    campaign pays. ``member_id`` is who that was, also where it was paid nothing;
    ``unpaid_reason`` then says why. Append-only."""

    __tablename__ = "purchase_shares"
    __table_args__ = (
        CheckConstraint("role IN ('STORE', 'DEALER', 'SALESPERSON')", name="role_behind_a_place"),
        CheckConstraint(
            "unpaid_reason IN ('NO_PLACE', 'VACANT', 'NOT_ENROLLED', 'FROZEN', 'SELF_DEALING',"
            " 'CAP', 'NOTHING')",
            name="unpaid_reason_known",
        ),
        CheckConstraint(
            "(member_id IS NULL) = (COALESCE(unpaid_reason, '') IN"
            " ('NO_PLACE', 'VACANT', 'NOT_ENROLLED'))",
            name="member_known_where_there_is_one",
        ),
        reference("purchase_id", "purchase_events"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    purchase_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    member_id: UUID | None = None
    unpaid_reason: str | None = None


class PurchaseLine(SQLModel, table=True):
    """What a purchase was of, where its reporter told: one kind of thing. ``product_id`` is the
    brand's product of that SKU; other goods have none."""

    __tablename__ = "purchase_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND amount_fen >= 0", name="positive"),
        CheckConstraint(
            "returned_quantity >= 0 AND returned_quantity <= quantity"
            " AND returned_fen >= 0 AND returned_fen <= amount_fen",
            name="returned_within_line",
        ),
        reference("purchase_id", "purchase_events"),
        reference("product_id", "products"),
    )

    brand_id: UUID = tenant()
    purchase_id: UUID = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    sku: str
    product_id: UUID | None = None
    quantity: int = Field(sa_type=BigInteger)
    amount_fen: int = Field(sa_type=BigInteger)
    returned_quantity: int = Field(default=0, sa_type=BigInteger)
    returned_fen: int = Field(default=0, sa_type=BigInteger)
