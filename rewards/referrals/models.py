"""Referrals (邀请有礼): consumers' own codes, and who came by them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import SQLModel

from loyalty.tables import own_id, reference, tenant


class ReferralStatus(StrEnum):
    """WAITING for the first paid scan or purchase of whom it brought. SETTLED: that was done, and
    the event of the referrer says what it earned. REFUSED: it never earns."""

    WAITING = "WAITING"
    SETTLED = "SETTLED"
    REFUSED = "REFUSED"


class ReferralRefusedReason(StrEnum):
    """SAME_PERSON, SAME_DEVICE: as the referrer's, when the code was used or since. NOT_NEW: the
    brand knew them already."""

    SAME_PERSON = "SAME_PERSON"
    SAME_DEVICE = "SAME_DEVICE"
    NOT_NEW = "NOT_NEW"


class ReferralCode(SQLModel, table=True):
    """A consumer's own code, for good. ``device_hash``: where it was opened, if the client says."""

    __tablename__ = "referral_codes"
    __table_args__ = (
        UniqueConstraint("brand_id", "code"),
        UniqueConstraint("brand_id", "member_id"),
        reference("member_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    member_id: UUID
    code: str
    device_hash: str | None = None
    created_at: datetime


class Referral(SQLModel, table=True):
    """That somebody used another's code: one that is not refused in a life. ``settled_at`` is the
    time of what settled it. Both members are as they were then; they may have been merged since."""

    __tablename__ = "referrals"
    __table_args__ = (
        UniqueConstraint("brand_id", "referred_id", "referrer_id"),
        CheckConstraint("status IN ('WAITING', 'SETTLED', 'REFUSED')", name="status_known"),
        CheckConstraint("(status = 'REFUSED') = (refused_reason IS NOT NULL)", name="refused_why"),
        CheckConstraint("(status = 'SETTLED') = (settled_at IS NOT NULL)", name="settled_a_time"),
        Index(
            "uq_referrals_once_in_a_life",
            "brand_id",
            "referred_id",
            unique=True,
            sqlite_where=text("status <> 'REFUSED'"),
            postgresql_where=text("status <> 'REFUSED'"),
        ),
        Index(
            "ix_referrals_waiting",
            "brand_id",
            sqlite_where=text("status = 'WAITING'"),
            postgresql_where=text("status = 'WAITING'"),
        ),
        Index(None, "brand_id", "referrer_id", "id"),
        reference("referrer_id", "members"),
        reference("referred_id", "members"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    referrer_id: UUID
    referred_id: UUID
    status: str
    refused_reason: str | None = None
    device_hash: str | None = None
    created_at: datetime
    settled_at: datetime | None = None
