"""Codes of third parties (第三方券码) that a brand hands on: each is one coupon's."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import SQLModel

from loyalty.tables import own_id, reference, tenant

_GIVEN = text("coupon_id IS NOT NULL")
_SPARE = text("coupon_id IS NULL")


class OutsideCode(SQLModel, table=True):
    """A code of a template of the kind CODE. ``code_cipher`` is AES-GCM, ``code_hash`` a keyed hash
    that tells it from others. ``coupon_id``: whose it is, None while it is nobody's."""

    __tablename__ = "outside_codes"
    __table_args__ = (
        UniqueConstraint("brand_id", "template_id", "code_hash"),
        CheckConstraint("(coupon_id IS NULL) = (given_at IS NULL)", name="given_wholly"),
        Index(
            "uq_outside_codes_coupon",
            *("brand_id", "coupon_id"),
            unique=True,
            sqlite_where=_GIVEN,
            postgresql_where=_GIVEN,
        ),
        Index(
            "ix_outside_codes_spare",
            *("brand_id", "template_id", "id"),
            sqlite_where=_SPARE,
            postgresql_where=_SPARE,
        ),
        reference("template_id", "coupon_templates"),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    template_id: UUID
    code_hash: str
    code_cipher: str
    coupon_id: UUID | None = None
    added_at: datetime
    given_at: datetime | None = None
