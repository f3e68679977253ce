"""Pure: which level an amount earns, what a ladder must look like, and how one follows another."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty.errors import InvalidInput
from tiers.ladders.models import Downgrade, PeriodKind, TierEnd, TierMetric, TierStart
from tiers.ladders.periods import Grace, PeriodRule, check_period
from tiers.privileges.rules import Privilege, check_privileges

LEVELS_MAX = 20
GROWTH_MAX = 10**15
NAME_LENGTH_MAX = 40


@dataclass(frozen=True, slots=True)
class Level:
    """One level. Rank 0 is where everyone starts. ``growth_threshold`` is on the ladder's metric;
    a level by invitation only has none (0) and is never earned."""

    rank: int
    code: str
    name_zh: str
    name_en: str
    growth_threshold: int
    points_multiplier_percent: int
    invitation_only: bool = False
    privileges: tuple[Privilege, ...] = ()


@dataclass(frozen=True, slots=True)
class LadderPolicy:
    """What a ladder counts, when a level begins and ends, and how far it falls. As it stands: the
    growth balance, at once, without end. ``tiers.standings.rules.decide_standing`` says what each
    means."""

    metric: TierMetric = TierMetric.GROWTH
    metric_asset: str | None = None
    period: PeriodRule | None = None
    starts: TierStart = TierStart.AT_ONCE
    ends: TierEnd = TierEnd.NEVER
    grace: Grace | None = None
    downgrade: Downgrade = Downgrade.TO_EARNED

    @property
    def counts_balance(self) -> bool:
        return self.metric is TierMetric.GROWTH

    @property
    def day_metric(self) -> str | None:
        """What ``qualifying_days`` call the metric; None for the balance, which needs none."""
        if self.counts_balance:
            return None
        return f"{self.metric}:{self.metric_asset}" if self.metric_asset else self.metric.value


DEFAULT_POLICY = LadderPolicy()


@dataclass(frozen=True, slots=True)
class LadderView:
    """The newest ladder of one role, as rules see it: ``levels[i].rank == i``."""

    id: UUID
    role: str
    version: int
    levels: tuple[Level, ...]
    policy: LadderPolicy = DEFAULT_POLICY
    counting_id: UUID | None = None

    @property
    def top(self) -> int:
        """The highest rank."""
        return len(self.levels) - 1

    def rank_for(self, amount: int) -> int:
        """The highest rank whose threshold the amount meets; none by invitation only."""
        rank = 0
        for level in self.levels:
            if amount >= level.growth_threshold and not level.invitation_only:
                rank = level.rank
        return rank

    def level(self, rank: int) -> Level:
        """The level of a rank; a rank above the top is the top."""
        return self.levels[min(rank, self.top)]

    def next_level(self, rank: int) -> Level | None:
        """The next level above that can be earned, if there is one."""
        return next((each for each in self.levels[rank + 1 :] if not each.invitation_only), None)

    def step_down(self, rank: int) -> int:
        """The next rank below a rank above 0 that can be earned."""
        return next(each.rank for each in self.levels[rank - 1 :: -1] if not each.invitation_only)


def multiplied(points: int, percent: int) -> int:
    """Points times the privilege's multiplier, rounded down."""
    return points * percent // 100


def carried_ranks(
    old: Sequence[Level], new: Sequence[Level]
) -> tuple[dict[int, int], frozenset[int]]:
    """Where holders of each old rank stand on a new ladder, and the old ranks that are lowered.

    A level is known by its code. One whose code is new in its place was given another name. One
    that is gone is lowered to the next below it that is still there.
    """
    ranks = {level.code: level.rank for level in new}
    codes = {level.code for level in old}
    carried: dict[int, int] = {}
    lowered = set()
    for level in old:
        if level.code in ranks:
            carried[level.rank] = ranks[level.code]
        elif level.rank < len(new) and new[level.rank].code not in codes:
            carried[level.rank] = level.rank
        else:
            lowered.add(level.rank)
            carried[level.rank] = carried.get(level.rank - 1, 0)
    return carried, frozenset(lowered)


def check_levels(levels: Sequence[Level]) -> None:
    """Refuses InvalidInput with the field's path: ranks 0.., thresholds from 0 and rising; of those
    by invitation only none."""
    if not 1 <= len(levels) <= LEVELS_MAX:
        raise InvalidInput(field="levels", problem=f"1 to {LEVELS_MAX} levels")
    codes = set()
    below = -1
    for index, level in enumerate(levels):
        path = f"levels[{index}]"
        fits = 1 <= len(level.code) <= NAME_LENGTH_MAX and level.code.isprintable()
        if level.code in codes or not fits:
            raise InvalidInput(field=f"{path}.code", problem="missing, too long or used twice")
        codes.add(level.code)
        check_privileges(level.privileges, f"{path}.privileges")
        for name in (level.name_zh, level.name_en):
            if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
                raise InvalidInput(field=f"{path}.name", problem=f"1 to {NAME_LENGTH_MAX} letters")
        _check_threshold(level, index, below, path)
        if not level.invitation_only:
            below = level.growth_threshold
        if not 100 <= level.points_multiplier_percent <= 1000:
            raise InvalidInput(field=f"{path}.pointsMultiplierPercent", problem="100 to 1000")


def _check_threshold(level: Level, index: int, below: int, path: str) -> None:
    if level.invitation_only:
        if index == 0:
            raise InvalidInput(field=f"{path}.invitationOnly", problem="everyone starts there")
        if level.growth_threshold != 0:
            raise InvalidInput(field=f"{path}.threshold", problem="not with invitationOnly")
        return
    if index == 0 and level.growth_threshold != 0:
        raise InvalidInput(field=f"{path}.threshold", problem="the first level is at 0")
    if not below < level.growth_threshold <= GROWTH_MAX:
        raise InvalidInput(field=f"{path}.threshold", problem="must rise from level to level")


def check_policy(policy: LadderPolicy) -> None:
    """Refuses InvalidInput with the field's path for parts that do not go together."""
    if (policy.metric is TierMetric.EARNED) != (policy.metric_asset is not None):
        problem = "is missing" if policy.metric_asset is None else "goes with EARNED only"
        raise InvalidInput(field="metricAsset", problem=problem)
    if policy.period is not None:
        check_period(policy.period)
    elif not policy.counts_balance:
        raise InvalidInput(field="period", problem="is missing")
    if policy.starts is TierStart.NEXT_PERIOD and (
        policy.period is None or policy.period.kind is PeriodKind.ROLLING
    ):
        raise InvalidInput(
            field="starts", problem="there is no next period without CALENDAR or JOIN"
        )
    ends_with_period = policy.ends in (TierEnd.PERIOD_END, TierEnd.NEXT_PERIOD_END)
    if ends_with_period and policy.period is None:
        raise InvalidInput(field="ends", problem="there is no period to end with")
    if policy.grace is not None and policy.ends is TierEnd.NEVER:
        raise InvalidInput(field="grace", problem="does not go with levels that never end")
