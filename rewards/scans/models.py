"""Attempts and claims."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import own_id, tenant


class Verdict(StrEnum):
    FIRST = "FIRST"
    REPEAT = "REPEAT"
    INACTIVE = "INACTIVE"
    RETIRED = "RETIRED"


class UnpaidReason(StrEnum):
    """Why a recorded scan paid its scanner nothing."""

    ALREADY_CLAIMED = "ALREADY_CLAIMED"
    INACTIVE = "INACTIVE"
    RETIRED = "RETIRED"
    NO_CAMPAIGN = "NO_CAMPAIGN"
    ROSTER = "ROSTER"
    SELF_DEALING = "SELF_DEALING"
    AGE = "AGE"
    CAP = "CAP"
    BUDGET = "BUDGET"
    AWAITS_CONSUMER = "AWAITS_CONSUMER"
    FROZEN = "FROZEN"


class GuideUnpaidReason(StrEnum):
    """Why a paid dual-reward scan has no guide credit. GUIDE_VOIDED: an operator took back what the
    pre-scan had locked, or it lapsed."""

    NO_GUIDE = "NO_GUIDE"
    GUIDE_CAP = "GUIDE_CAP"
    GUIDE_FROZEN = "GUIDE_FROZEN"
    GUIDE_BUDGET = "GUIDE_BUDGET"
    GUIDE_VOIDED = "GUIDE_VOIDED"
    NO_GUIDE_OUTCOME = "NO_GUIDE_OUTCOME"


class ClaimOutcome(StrEnum):
    """What a consumed claim came to; of a store's, dealer's or salesperson's also any
    ``ChannelUnpaidReason``."""

    PAID = "PAID"
    LOCKED = "LOCKED"
    ATTRIBUTED = "ATTRIBUTED"
    BUDGET = "BUDGET"
    NO_GUIDE = "NO_GUIDE"
    GUIDE_CAP = "GUIDE_CAP"
    GUIDE_FROZEN = "GUIDE_FROZEN"
    GUIDE_VOIDED = "GUIDE_VOIDED"
    NO_GUIDE_OUTCOME = "NO_GUIDE_OUTCOME"
    NO_PLACE = "NO_PLACE"
    VACANT = "VACANT"
    NOT_ENROLLED = "NOT_ENROLLED"
    FROZEN = "FROZEN"
    SELF_DEALING = "SELF_DEALING"
    CAP = "CAP"


class ScanEvent(SQLModel, table=True):
    """One attempt that decoded, paid or not. Append-only. ``member_id`` is None for an
    off-roster account. Device and position are claims of the client, never proof."""

    __tablename__ = "scan_events"
    __table_args__ = (
        Index(None, "brand_id", "item_no"),
        Index(None, "brand_id", "member_id", "id"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    item_no: int = Field(sa_type=BigInteger)
    code_kind: str
    batch_id: UUID
    product_id: UUID
    identity_id: UUID
    member_id: UUID | None
    role: str
    verdict: str
    unpaid_reason: str | None
    guide_member_id: UUID | None
    guide_unpaid_reason: str | None
    campaign_version_id: UUID | None
    device_hash: str | None
    latitude: float | None
    longitude: float | None
    scene: str | None
    occurred_at: datetime
    created_at: datetime


class Claim(SQLModel, table=True):
    """The right to one reward for one item, purpose and beneficiary role: at most one each.

    A guide's claim made by pre-scan waits (LOCKED or ATTRIBUTED) for the consumer's scan, which
    settles it: ``settled_scan_id``. A store, dealer or salesperson has one where the scan's
    campaign pays its role; ``member_id`` is who it was then, paid or not.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint(
            "outcome NOT IN ('PAID', 'LOCKED', 'ATTRIBUTED') OR member_id IS NOT NULL",
            name="beneficiary_known",
        ),
    )

    brand_id: UUID = tenant()
    item_no: int = Field(primary_key=True, sa_type=BigInteger)
    purpose: str = Field(primary_key=True)
    beneficiary_role: str = Field(primary_key=True)
    scan_id: UUID
    member_id: UUID | None
    outcome: str
    campaign_id: UUID | None
    settled_scan_id: UUID | None = None
    created_at: datetime


class ScanReversal(SQLModel, table=True):
    """That an operator took back what a consumer's scan had given, to the consumer, to the
    guide and to who stands behind it: once. Append-only."""

    __tablename__ = "scan_reversals"
    __table_args__ = (UniqueConstraint("brand_id", "scan_id"),)

    brand_id: UUID = tenant()
    id: UUID = own_id()
    scan_id: UUID
    reason: str
    reversed_by: UUID
    created_at: datetime
