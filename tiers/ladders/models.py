"""Levels and thresholds (会员等级)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.tables import brand_reference, own_id, reference, tenant


class Ladder(SQLModel, table=True):
    """A published, immutable version of the levels of one role. The newest version counts."""

    __tablename__ = "ladders"
    __table_args__ = (UniqueConstraint("brand_id", "role", "version"), brand_reference())

    brand_id: UUID = tenant()
    id: UUID = own_id()
    role: str
    version: int
    published_by: UUID
    published_at: datetime


class LadderLevel(SQLModel, table=True):
    """One level: rank 0 is where everyone starts. Points earned are multiplied by
    ``points_multiplier_percent`` / 100, rounded down."""

    __tablename__ = "ladder_levels"
    __table_args__ = (
        CheckConstraint("growth_threshold >= 0", name="growth_threshold_not_negative"),
        CheckConstraint(
            "points_multiplier_percent BETWEEN 100 AND 1000", name="points_multiplier_in_range"
        ),
        CheckConstraint("(rank = 0) = (growth_threshold = 0)", name="rank_0_is_free"),
        reference("ladder_id", "ladders"),
    )

    brand_id: UUID = tenant()
    ladder_id: UUID = Field(primary_key=True)
    rank: int = Field(primary_key=True)
    code: str
    name_zh: str
    name_en: str
    growth_threshold: int = Field(sa_type=BigInteger)
    points_multiplier_percent: int
