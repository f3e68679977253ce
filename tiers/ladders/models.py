"""Levels, thresholds and how long a level is held (会员等级)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from loyalty.db import JsonColumn
from loyalty.tables import brand_reference, own_id, reference, tenant


class TierMetric(StrEnum):
    """What a ladder's thresholds are on: the balance of GROWTH; or of a period: what campaigns gave
    of an asset (EARNED), the fen of purchases (SPEND), a consumer's scans that paid (SCANS), the
    days with such a scan or a purchase (VISITS). What is returned or taken back is subtracted on
    the day on which it was counted; a visit stays one."""

    GROWTH = "GROWTH"
    EARNED = "EARNED"
    SPEND = "SPEND"
    SCANS = "SCANS"
    VISITS = "VISITS"


class PeriodKind(StrEnum):
    """Calendar months, quarters or years; so many days back from today; so many months from the day
    of joining and its anniversaries."""

    CALENDAR = "CALENDAR"
    ROLLING = "ROLLING"
    JOIN = "JOIN"


class TierStart(StrEnum):
    """When a level that is earned begins."""

    AT_ONCE = "AT_ONCE"
    NEXT_PERIOD = "NEXT_PERIOD"


class TierEnd(StrEnum):
    """When a level that is no longer earned ends: ``tiers.standings.rules.decide_standing``."""

    NEVER = "NEVER"
    PERIOD_END = "PERIOD_END"
    NEXT_PERIOD_END = "NEXT_PERIOD_END"
    BALANCE_DROP = "BALANCE_DROP"


class Downgrade(StrEnum):
    """How far a level that ends falls."""

    ONE_STEP = "ONE_STEP"
    TO_EARNED = "TO_EARNED"


class Ladder(SQLModel, table=True):
    """A published, immutable version of the levels of one role. The newest version counts.

    ``grace`` is an ISO 8601 duration of years, months, weeks and days. ``counting_id`` is the first
    of the successive versions that count the same thing of a period (None for the balance):
    ``qualifying_days`` are complete for a member whose standing names it."""

    __tablename__ = "ladders"
    __table_args__ = (
        UniqueConstraint("brand_id", "role", "version"),
        CheckConstraint(
            "metric IN ('GROWTH', 'EARNED', 'SPEND', 'SCANS', 'VISITS')", name="metric_known"
        ),
        CheckConstraint("(metric = 'EARNED') = (metric_asset IS NOT NULL)", name="earned_of_asset"),
        CheckConstraint(
            "period_kind IS NULL OR period_kind IN ('CALENDAR', 'ROLLING', 'JOIN')",
            name="period_kind_known",
        ),
        CheckConstraint(
            "(period_kind IS NULL) = (period_unit IS NULL)"
            " AND (period_kind IS NULL) = (period_count IS NULL)",
            name="period_whole",
        ),
        CheckConstraint(
            "metric = 'GROWTH' OR (period_kind IS NOT NULL AND counting_id IS NOT NULL)",
            name="counts_in_a_period",
        ),
        CheckConstraint("starts IN ('AT_ONCE', 'NEXT_PERIOD')", name="starts_known"),
        CheckConstraint(
            "ends IN ('NEVER', 'PERIOD_END', 'NEXT_PERIOD_END', 'BALANCE_DROP')", name="ends_known"
        ),
        CheckConstraint("downgrade IN ('ONE_STEP', 'TO_EARNED')", name="downgrade_known"),
        brand_reference(),
    )

    brand_id: UUID = tenant()
    id: UUID = own_id()
    role: str
    version: int
    published_by: UUID
    published_at: datetime
    metric: str = TierMetric.GROWTH.value
    metric_asset: str | None = None
    period_kind: str | None = None
    period_unit: str | None = None
    period_count: int | None = None
    starts: str = TierStart.AT_ONCE.value
    ends: str = TierEnd.NEVER.value
    grace: str | None = None
    downgrade: str = Downgrade.TO_EARNED.value
    counting_id: UUID | None = None


class LadderLevel(SQLModel, table=True):
    """One level: rank 0 is where everyone starts. ``growth_threshold`` is on the ladder's metric;
    who is invited to a level by invitation only needs to reach none. Points earned are multiplied
    by ``points_multiplier_percent`` / 100, rounded down. ``privileges``: what else it grants, as
    ``tiers.privileges.rules.privileges_from_json`` reads it."""

    __tablename__ = "ladder_levels"
    __table_args__ = (
        CheckConstraint("growth_threshold >= 0", name="growth_threshold_not_negative"),
        CheckConstraint(
            "points_multiplier_percent BETWEEN 100 AND 1000", name="points_multiplier_in_range"
        ),
        CheckConstraint(
            "(rank = 0 OR invitation_only) = (growth_threshold = 0)", name="rank_0_is_free"
        ),
        CheckConstraint("rank > 0 OR NOT invitation_only", name="rank_0_is_open"),
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
    invitation_only: bool = False
    privileges: list[dict[str, Any]] = Field(default_factory=list, sa_type=JsonColumn)
