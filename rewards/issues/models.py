"""Coupons of a host's templates that its partners issue: the issuer's own rows. The host has the
coupon itself, whose cause they are."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class PartnerIssue(SQLModel, table=True):
    """A coupon that ``brand_id`` issued to a member of ``host_id``, which it does not know.
    ``reference`` is the issuer's own word for it, ``campaign`` that for what it is part of.
    ``fee_fen`` was owed for it at once."""

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
    campaign: str | None = None
    fee_fen: int = Field(sa_type=BigInteger)
    reserved_fen: int = Field(sa_type=BigInteger)
    """What was reserved for it when it was issued."""
    issued_at: datetime


class IssueCounter(SQLModel, table=True):
    """How many coupons of a template its issuer has issued in a window that began on a day: all,
    or those of a campaign; ``used_max`` is the quota that the last one obeyed."""

    __tablename__ = "issue_counters"
    __table_args__ = (CheckConstraint("used > 0 AND used <= used_max", name="within_quota"),)

    brand_id: UUID = tenant()
    agreement_id: UUID = Field(primary_key=True)
    template_id: UUID = Field(primary_key=True)
    window: str = Field(primary_key=True)
    starts_on: date = Field(primary_key=True)
    campaign: str = Field(primary_key=True)
    """Empty: of all."""
    used: int = Field(sa_type=BigInteger)
    used_max: int = Field(sa_type=BigInteger)


class PoolMove(SQLModel, table=True):
    """Coupons that their issuer has put into a host's pool, or (below zero) taken out of it.
    ``fee_fen`` came to be owed for them, or was given back."""

    __tablename__ = "pool_moves"
    __table_args__ = (
        CheckConstraint("brand_id <> host_id", name="two_brands"),
        CheckConstraint("count <> 0", name="some"),
        Index(None, "brand_id", "host_id", "template_id"),
        ForeignKeyConstraint(["host_id"], ["brands.id"]),
        reference("agreement_id", "agreements"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    host_id: UUID
    agreement_id: UUID
    template_id: UUID
    campaign: str | None = None
    count: int = Field(sa_type=BigInteger)
    fee_fen: int = Field(sa_type=BigInteger)
    moved_at: datetime


class IssueListStatus(StrEnum):
    """LOADING while its file is being read; OPEN until the worker has come to its last row; DONE;
    CANCELLED by the issuer: what was issued by then is."""

    LOADING = "LOADING"
    OPEN = "OPEN"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class IssueList(SQLModel, table=True):
    """A file of members to whom a partner issues a coupon each (名单发券). ``upload_key`` is good
    for one file: ``digest`` is its SHA-256 in hex. The worker has come to ``done_count`` of its
    rows, and has issued ``issued_count`` coupons."""

    __tablename__ = "issue_lists"
    __table_args__ = (
        UniqueConstraint("brand_id", "upload_key"),
        CheckConstraint("status IN ('LOADING', 'OPEN', 'DONE', 'CANCELLED')", name="status_known"),
        CheckConstraint(
            "issued_count >= 0 AND issued_count <= done_count AND done_count <= row_count",
            name="counts",
        ),
        CheckConstraint("status <> 'DONE' OR done_count = row_count", name="done_whole"),
        CheckConstraint("(status IN ('DONE', 'CANCELLED')) = (ended_at IS NOT NULL)", name="ended"),
        Index(
            "ix_issue_lists_open",
            "worked_at",
            sqlite_where=text("status = 'OPEN'"),
            postgresql_where=text("status = 'OPEN'"),
        ),
        reference("agreement_id", "agreements"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    agreement_id: UUID
    template_id: UUID
    campaign: str | None = None
    name: str
    upload_key: str
    digest: str
    status: str = IssueListStatus.LOADING.value
    row_count: int = Field(default=0, sa_type=BigInteger)
    done_count: int = Field(default=0, sa_type=BigInteger)
    issued_count: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime
    worked_at: datetime
    ended_at: datetime | None = None


class IssueListRow(SQLModel, table=True):
    """A row of a list, from 1. ``code`` None waits; ISSUED, or the code it was refused with."""

    __tablename__ = "issue_list_rows"
    __table_args__ = (
        CheckConstraint("(code = 'ISSUED') = (issue_id IS NOT NULL)", name="issued"),
        reference("list_id", "issue_lists"),
    )

    brand_id: UUID = tenant()
    list_id: UUID = Field(primary_key=True)
    row_no: int = Field(primary_key=True, sa_type=BigInteger)
    token: str
    reference: str | None = None
    code: str | None = None
    issue_id: UUID | None = None
