"""Pure: the periods that tiers qualify in, and grace. All days are local days of the brand."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.assets.rules import Unit, period_end, plus
from loyalty.errors import InvalidInput
from tiers.ladders.models import PeriodKind

ROLLING_DAYS_MAX = 3_660
JOIN_MONTHS_MAX = 120
GRACE_MONTHS_MAX = 120
GRACE_DAYS_MAX = 3_660
_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}
_DAY = timedelta(days=1)
_GRACE = re.compile(
    r"P(?=.)(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,4})D)?"
)


@dataclass(frozen=True, slots=True)
class Period:
    """From its first to its last day, both included."""

    first: date
    last: date

    @property
    def next_first(self) -> date:
        """The first day after it."""
        return self.last + _DAY

    @property
    def day_before(self) -> date:
        return self.first - _DAY


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """CALENDAR: the MONTH, QUARTER or YEAR of a day. ROLLING: the ``count`` days that end with it.
    JOIN: ``count`` months from the day of joining, and again from each anniversary: of somebody who
    joined on the 31st they begin on a month's last day where there is no 31st."""

    kind: PeriodKind
    unit: Unit
    count: int = 1

    def period_of(self, day: date, joined_on: date) -> Period:
        """The period that a day lies in. Days before the day of joining lie in periods too:
        purchases may be older than the membership."""
        if self.kind is PeriodKind.ROLLING:
            return Period(day - timedelta(days=self.count - 1), day)
        if self.kind is PeriodKind.CALENDAR:
            last = period_end(day, self.unit)
            months = _MONTHS[self.unit]
            return Period(plus(last.replace(day=1), Unit.MONTH, 1 - months), last)
        months = (day.year - joined_on.year) * 12 + day.month - joined_on.month
        index = months // self.count
        if plus(joined_on, Unit.MONTH, index * self.count) > day:
            index -= 1
        return Period(
            plus(joined_on, Unit.MONTH, index * self.count),
            plus(joined_on, Unit.MONTH, (index + 1) * self.count) - _DAY,
        )


@dataclass(frozen=True, slots=True)
class Grace:
    """How much longer than it should a level is held."""

    months: int = 0
    days: int = 0

    @property
    def text(self) -> str:
        """As ISO 8601 has it."""
        return (
            "P"
            + (f"{self.months}M" if self.months else "")
            + (f"{self.days}D" if self.days else "")
        )

    def after(self, last: date) -> date:
        """The last day of grace after a last good day. Months are counted from the day after: from
        the end of January one month reaches to the end of February."""
        return plus(last + _DAY, Unit.MONTH, self.months) + timedelta(days=self.days) - _DAY


def read_grace(text: str | None, field: str = "grace") -> Grace | None:
    """The grace that an ISO 8601 duration of years, months, weeks and days tells, such as ``P1M``
    or ``P1Y2W``. Refuses InvalidInput for any other text, for none at all and for too long a one.
    """
    if text is None:
        return None
    match = _GRACE.fullmatch(text)
    years, months, weeks, days = (int(part or 0) for part in match.groups()) if match else (0,) * 4
    grace = Grace(years * 12 + months, weeks * 7 + days)
    if (
        not match
        or grace == Grace()
        or grace.months > GRACE_MONTHS_MAX
        or grace.days > GRACE_DAYS_MAX
    ):
        raise InvalidInput(
            field=field,
            problem="an ISO 8601 duration of days, weeks, months and years, such as P1M,"
            f" up to {GRACE_MONTHS_MAX} months and {GRACE_DAYS_MAX} days",
        )
    return grace


def check_period(rule: PeriodRule, field: str = "period") -> None:
    """Refuses InvalidInput with the field's path."""
    if rule.kind is PeriodKind.CALENDAR:
        if rule.unit is Unit.DAY:
            raise InvalidInput(field=f"{field}.unit", problem="MONTH, QUARTER or YEAR")
        if rule.count != 1:
            raise InvalidInput(field=f"{field}.count", problem="1 of a calendar's periods")
        return
    unit, most = (
        (Unit.DAY, ROLLING_DAYS_MAX)
        if rule.kind is PeriodKind.ROLLING
        else (Unit.MONTH, JOIN_MONTHS_MAX)
    )
    if rule.unit is not unit:
        raise InvalidInput(field=f"{field}.unit", problem=f"{unit} goes with {rule.kind}")
    if not 1 <= rule.count <= most:
        raise InvalidInput(field=f"{field}.count", problem=f"1 to {most}")
