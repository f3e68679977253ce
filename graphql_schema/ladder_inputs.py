"""What operators say of a ladder that they publish, or would."""

from typing import Protocol

import strawberry

from graphql_schema.enums import (
    Downgrade,
    MemberRole,
    PeriodKind,
    PeriodUnit,
    TierEnd,
    TierMetric,
    TierStart,
)
from graphql_schema.privileges import PrivilegeInput, privileges_of
from graphql_schema.scalars import AssetCode, BigInt
from loyalty.errors import InvalidInput
from tiers.ladders import rules
from tiers.ladders.periods import PeriodRule, read_grace
from tiers.ladders.rules import LadderPolicy


@strawberry.input
class LevelInput:
    code: str
    name_zh: str
    name_en: str
    threshold: BigInt | None = strawberry.field(
        default=None,
        description="Of the ladder's metric: 0 for the first level, rising; none with"
        " invitationOnly.",
    )
    growth_threshold: BigInt | None = strawberry.field(
        default=None, description="The former name of threshold.", deprecation_reason="threshold"
    )
    points_multiplier_percent: int = 100
    invitation_only: bool = False
    privileges: list[PrivilegeInput] = strawberry.field(default_factory=list)


@strawberry.input(
    description="CALENDAR: MONTH, QUARTER or YEAR. ROLLING: count DAYs back from today. JOIN: count"
    " MONTHs from the day of joining."
)
class PeriodInput:
    kind: PeriodKind
    unit: PeriodUnit
    count: int = 1


class LadderTerms(Protocol):
    """What the inputs of publishing and of its preview share."""

    levels: list[LevelInput]
    role: MemberRole
    metric: TierMetric
    metric_asset: AssetCode | None
    period: PeriodInput | None
    starts: TierStart
    ends: TierEnd
    grace: str | None
    downgrade: Downgrade


@strawberry.input
class PreviewLadderInput:
    levels: list[LevelInput]
    role: MemberRole = MemberRole.CONSUMER
    metric: TierMetric = TierMetric.GROWTH
    metric_asset: AssetCode | None = None
    period: PeriodInput | None = None
    starts: TierStart = TierStart.AT_ONCE
    ends: TierEnd = TierEnd.NEVER
    grace: str | None = None
    downgrade: Downgrade = Downgrade.TO_EARNED


@strawberry.input
class PublishLadderInput:
    idempotency_key: strawberry.ID
    levels: list[LevelInput]
    role: MemberRole = MemberRole.CONSUMER
    allow_lowering: bool = False
    metric: TierMetric = TierMetric.GROWTH
    metric_asset: AssetCode | None = None
    period: PeriodInput | None = None
    starts: TierStart = TierStart.AT_ONCE
    ends: TierEnd = TierEnd.NEVER
    grace: str | None = None
    downgrade: Downgrade = Downgrade.TO_EARNED


def levels_of(terms: LadderTerms) -> list[rules.Level]:
    """The levels as rules have them. Refuses InvalidInput where thresholds are missing or two."""
    levels = []
    for rank, level in enumerate(terms.levels):
        given = [t for t in (level.threshold, level.growth_threshold) if t is not None]
        if len(given) != (0 if level.invitation_only and not given else 1):
            problem = "is missing" if not given else "and growthThreshold are one and the same"
            raise InvalidInput(field=f"levels[{rank}].threshold", problem=problem)
        levels.append(
            rules.Level(
                rank,
                level.code,
                level.name_zh,
                level.name_en,
                given[0] if given else 0,
                level.points_multiplier_percent,
                level.invitation_only,
                privileges_of(level.privileges),
            )
        )
    return levels


def policy_of(terms: LadderTerms) -> LadderPolicy:
    """What the levels go by. Refuses InvalidInput for a grace that is none."""
    period = terms.period
    return LadderPolicy(
        terms.metric,
        terms.metric_asset,
        PeriodRule(period.kind, period.unit, period.count) if period else None,
        terms.starts,
        terms.ends,
        read_grace(terms.grace),
        terms.downgrade,
    )
