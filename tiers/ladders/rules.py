"""Pure: which level a growth balance earns, and what a ladder must look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty.errors import InvalidInput

LEVELS_MAX = 20
GROWTH_MAX = 10**15
NAME_LENGTH_MAX = 40


@dataclass(frozen=True, slots=True)
class Level:
    """One level. Rank 0 is where everyone starts."""

    rank: int
    code: str
    name_zh: str
    name_en: str
    growth_threshold: int
    points_multiplier_percent: int


@dataclass(frozen=True, slots=True)
class LadderView:
    """The newest ladder of one role, as rules see it: ``levels[i].rank == i``."""

    id: UUID
    role: str
    version: int
    levels: tuple[Level, ...]

    def rank_for(self, growth: int) -> int:
        """The highest rank whose threshold the growth balance meets."""
        rank = 0
        for level in self.levels:
            if growth >= level.growth_threshold:
                rank = level.rank
        return rank

    def level(self, rank: int) -> Level:
        """The level of a rank; a rank above the top is the top."""
        return self.levels[min(rank, len(self.levels) - 1)]

    def next_level(self, rank: int) -> Level | None:
        """The level above, if there is one."""
        return self.levels[rank + 1] if rank + 1 < len(self.levels) else None


def multiplied(points: int, percent: int) -> int:
    """Points times the privilege's multiplier, rounded down."""
    return points * percent // 100


def check_levels(levels: Sequence[Level]) -> None:
    """Refuses InvalidInput with the field's path: ranks 0.., thresholds from 0 and rising."""
    if not 1 <= len(levels) <= LEVELS_MAX:
        raise InvalidInput(field="levels", problem=f"1 to {LEVELS_MAX} levels")
    codes = set()
    for index, level in enumerate(levels):
        path = f"levels[{index}]"
        fits = 1 <= len(level.code) <= NAME_LENGTH_MAX and level.code.isprintable()
        if level.code in codes or not fits:
            raise InvalidInput(field=f"{path}.code", problem="missing, too long or used twice")
        codes.add(level.code)
        for name in (level.name_zh, level.name_en):
            if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
                raise InvalidInput(field=f"{path}.name", problem=f"1 to {NAME_LENGTH_MAX} letters")
        if index == 0 and level.growth_threshold != 0:
            raise InvalidInput(field=f"{path}.growthThreshold", problem="the first level is at 0")
        if index > 0 and not (
            levels[index - 1].growth_threshold < level.growth_threshold <= GROWTH_MAX
        ):
            raise InvalidInput(
                field=f"{path}.growthThreshold", problem="must rise from level to level"
            )
        if not 100 <= level.points_multiplier_percent <= 1000:
            raise InvalidInput(field=f"{path}.pointsMultiplierPercent", problem="100 to 1000")
