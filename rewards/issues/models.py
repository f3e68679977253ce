"""Coupons of a host's templates that its partners issue: the issuer's own rows. The host has the
coupon itself, whose cause they are."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class PartnerIssue(SQLModel, table=True):
    """A coupon that ``brand_id`` issued to a member of ``host_id``, which it does not know.
    ``reference`` is the issuer's own word for it. ``fee_fen`` was owed for it at once."""

    __tablename__ = "partner_issues"
    __table_args__ = (
        CheckConstraint("brand_id <> host_id", name="two_brands"),
        CheckConstraint("fee_fen >= 0 AND reserved_fen >= 0", name="not_negative"),
        Index(None, "brand_id", "coupon_id", unique=True),
        ForeignKeyConstraint(["host_id"], ["brands.id"]),
        reference("agreement_id", "agreements"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    host_id: UUID
    agreement_id: UUID
    version_id: UUID
    template_id: UUID
    coupon_id: UUID
    reference: str | None = None
    fee_fen: int = Field(sa_type=BigInteger)
    reserved_fen: int = Field(sa_type=BigInteger)
    """What was reserved for it when it was issued."""
    issued_at: datetime


class IssueCounter(SQLModel, table=True):
    """How many coupons of a template its issuer has issued in a window that began on a day;
    ``used_max`` is the quota that the last one obeyed."""

    __tablename__ = "issue_counters"
    __table_args__ = (CheckConstraint("used > 0 AND used <= used_max", name="within_quota"),)

    brand_id: UUID = tenant()
    agreement_id: UUID = Field(primary_key=True)
    template_id: UUID = Field(primary_key=True)
    window: str = Field(primary_key=True)
    starts_on: date = Field(primary_key=True)
    used: int = Field(sa_type=BigInteger)
    used_max: int = Field(sa_type=BigInteger)
