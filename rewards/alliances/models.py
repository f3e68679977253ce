"""What two brands have agreed on. Each side has its own copies, under the same ids."""

from datetime import datetime
from enum import StrEnum
from typing import Any
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

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant

_LIVE = text("status <> 'ENDED'")
_PROPOSED = text("status = 'PROPOSED'")
_IN_FORCE = text("status = 'IN_FORCE'")


class AgreementStatus(StrEnum):
    """PROPOSED until both have signed a version; ACTIVE; ENDED by either side, for good."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class CouponPool(SQLModel, table=True):
    """That a host's template is a pool (券池), by an agreement, since ``opened_at``: its stock is
    what the partner has put in, and all its coupons are out of it, for there was none before.
    ``reserve_fen`` is reserved of the partner's funds for each that is in it or out of it and not
    ended."""

    __tablename__ = "coupon_pools"
    __table_args__ = (
        CheckConstraint("reserve_fen >= 0", name="not_negative"),
        reference("template_id", "coupon_templates"),
        reference("agreement_id", "agreements"),
    )

    brand_id: UUID = tenant()
    template_id: UUID = Field(primary_key=True)
    agreement_id: UUID
    reserve_fen: int = Field(sa_type=BigInteger)
    opened_at: datetime


class VersionStatus(StrEnum):
    """PROPOSED until both have signed it; IN_FORCE; OVER once another one is, or the agreement has
    ended; WITHDRAWN: another one was proposed, or the agreement ended, before both had signed."""

    PROPOSED = "PROPOSED"
    IN_FORCE = "IN_FORCE"
    OVER = "OVER"
    WITHDRAWN = "WITHDRAWN"


class Agreement(SQLModel, table=True):
    """One side's copy of an agreement (联盟协议) with ``partner_id``; live is one per pair of
    brands. ``paused_at`` is this side's pause, ``partner_paused_at`` the other's; ``pauses`` are
    all that there were: [from, until] in RFC 3339, where until is null while it lasts."""

    __tablename__ = "agreements"
    __table_args__ = (
        CheckConstraint("status IN ('PROPOSED', 'ACTIVE', 'ENDED')", name="status_known"),
        CheckConstraint("(status = 'ENDED') = (ended_at IS NOT NULL)", name="ended_at"),
        CheckConstraint("brand_id <> partner_id", name="two_brands"),
        Index(
            "uq_agreements_live",
            *("brand_id", "partner_id"),
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        ForeignKeyConstraint(["partner_id"], ["brands.id"]),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    partner_id: UUID
    partner_slug: str
    partner_name: str
    status: str = AgreementStatus.PROPOSED.value
    paused_at: datetime | None = None
    partner_paused_at: datetime | None = None
    pauses: list[Any] = Field(default_factory=list, sa_type=JsonColumn)
    created_at: datetime
    ended_at: datetime | None = None


class AgreementVersion(SQLModel, table=True):
    """One side's copy of a version. ``terms`` is the text that both sign, immutable: JSON as
    ``rewards.alliances.terms`` writes it; ``digest`` its SHA-256 in hex. ``signed_at`` and
    ``signed_by`` (an operator) are this side's, ``partner_signed_at`` is the other's. It is in
    force from ``in_force_from`` to before ``in_force_until``."""

    __tablename__ = "agreement_versions"
    __table_args__ = (
        UniqueConstraint("brand_id", "agreement_id", "number"),
        CheckConstraint(
            "status IN ('PROPOSED', 'IN_FORCE', 'OVER', 'WITHDRAWN')", name="status_known"
        ),
        CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name="signed_wholly"),
        CheckConstraint(
            "(status IN ('IN_FORCE', 'OVER')) = (in_force_from IS NOT NULL)", name="in_force_from"
        ),
        CheckConstraint("(status = 'OVER') = (in_force_until IS NOT NULL)", name="in_force_until"),
        CheckConstraint(
            "in_force_from IS NULL OR (signed_at IS NOT NULL AND partner_signed_at IS NOT NULL)",
            name="signed_by_both",
        ),
        Index(
            "uq_agreement_versions_proposed",
            *("brand_id", "agreement_id"),
            unique=True,
            sqlite_where=_PROPOSED,
            postgresql_where=_PROPOSED,
        ),
        Index(
            "uq_agreement_versions_in_force",
            *("brand_id", "agreement_id"),
            unique=True,
            sqlite_where=_IN_FORCE,
            postgresql_where=_IN_FORCE,
        ),
        reference("agreement_id", "agreements"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    agreement_id: UUID
    number: int
    terms: str
    digest: str
    status: str = VersionStatus.PROPOSED.value
    is_ours: bool
    """True in the copy of the brand that proposed it."""
    proposed_at: datetime
    signed_at: datetime | None = None
    signed_by: UUID | None = None
    partner_signed_at: datetime | None = None
    in_force_from: datetime | None = None
    in_force_until: datetime | None = None
