"""Pure: how long a credit of an asset is good, and what an asset may be called.

Days are the brand's local ones; a date is the last day on which the credit is good.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from loyalty.errors import InvalidInput

NEVER_EXPIRES = date(9999, 12, 31)
DAYS_MAX = 36_500
COUNT_MAX = {"DAY": DAYS_MAX, "MONTH": 1_200, "QUARTER": 400, "YEAR": 100}
CODE_LENGTH_MAX = 32
RESERVED_CODES = frozenset({"COUPON"})
"""What stands where an asset would, of a locked reward that is a coupon."""
_CODE = re.compile(rf"[A-Z][A-Z0-9_]{{0,{CODE_LENGTH_MAX - 1}}}")


class ExpiryKind(StrEnum):
    """永久有效; 自获得起 N 天(月、年); 周期末再加 N; 固定日期; 活跃顺延."""

    NEVER = "NEVER"
    AFTER = "AFTER"
    PERIOD_END = "PERIOD_END"
    FIXED = "FIXED"
    ACTIVITY = "ACTIVITY"


class Unit(StrEnum):
    DAY = "DAY"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True)
class Expiry:
    """An expiry policy.

    AFTER: ``count`` ``unit`` from the day of earning. PERIOD_END: the end of the MONTH, QUARTER or
    YEAR (``unit``) of earning, then ``count`` ``plus_unit`` more. FIXED: ``on``; what is earned
    later never expires by it, so a new policy is due by then. ACTIVITY: ``count`` days from the
    last movement of the asset.
    """

    kind: ExpiryKind = ExpiryKind.NEVER
    unit: Unit | None = None
    count: int = 0
    plus_unit: Unit | None = None
    on: date | None = None

    def last_day(self, earned_on: date) -> date:
        """The last good day of a credit earned on a local day; NEVER_EXPIRES for none."""
        if self.kind is ExpiryKind.AFTER and self.unit is not None:
            return plus(earned_on, self.unit, self.count)
        if self.kind is ExpiryKind.PERIOD_END and self.unit is not None:
            end = period_end(earned_on, self.unit)
            if self.plus_unit is None:
                return end
            # Months added to a month's end stay at a month's end: 30 June + 1 month is 31 July.
            later = plus(end, self.plus_unit, self.count)
            return later if self.plus_unit is Unit.DAY else period_end(later, Unit.MONTH)
        if self.kind is ExpiryKind.FIXED and self.on is not None and earned_on <= self.on:
            return self.on
        if self.kind is ExpiryKind.ACTIVITY:
            return plus(earned_on, Unit.DAY, self.count)
        return NEVER_EXPIRES

    @property
    def is_extended(self) -> bool:
        """Whether every movement of the asset moves the dates of what is there."""
        return self.kind is ExpiryKind.ACTIVITY


NEVER = Expiry()


def plus(day: date, unit: Unit, count: int) -> date:
    """So many days or months later: the same day of the month, or that month's last."""
    if unit is Unit.DAY:
        return day + timedelta(days=count)
    months = count * {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}[unit]
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period_end(day: date, unit: Unit) -> date:
    """The last day of the calendar month, quarter or year of a day."""
    if unit is Unit.DAY:
        return day
    month = {Unit.MONTH: day.month, Unit.QUARTER: (day.month + 2) // 3 * 3, Unit.YEAR: 12}[unit]
    return date(day.year, month, monthrange(day.year, month)[1])


def check_code(code: str) -> str:
    """1 to 32 of A-Z, 0-9 and underscore, a letter first; not what stands for something else."""
    if code in RESERVED_CODES:
        raise InvalidInput(field="code", problem="no asset is called this")
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            field="code", problem=f"1 to {CODE_LENGTH_MAX} of A-Z, 0-9 and _, a letter first"
        )
    return code


def check_expiry(expiry: Expiry, path: str = "expiry") -> Expiry:
    """Refuses InvalidInput with the field's path; what its kind does not use must be absent."""
    wants = {
        ExpiryKind.NEVER: (False, False, False),
        ExpiryKind.AFTER: (True, True, False),
        ExpiryKind.PERIOD_END: (True, expiry.plus_unit is not None, False),
        ExpiryKind.FIXED: (False, False, True),
        ExpiryKind.ACTIVITY: (False, True, False),
    }[expiry.kind]
    given = (expiry.unit is not None, expiry.count != 0, expiry.on is not None)
    for name, is_wanted, is_given in zip(("unit", "count", "on"), wants, given, strict=True):
        if is_wanted != is_given:
            problem = "is missing" if is_wanted else f"does not go with {expiry.kind.value}"
            raise InvalidInput(field=f"{path}.{name}", problem=problem)
    if expiry.plus_unit is not None and expiry.kind is not ExpiryKind.PERIOD_END:
        raise InvalidInput(field=f"{path}.plusUnit", problem="goes with PERIOD_END only")
    if expiry.kind is ExpiryKind.PERIOD_END and expiry.unit is Unit.DAY:
        raise InvalidInput(field=f"{path}.unit", problem="MONTH, QUARTER or YEAR")
    counted = expiry.plus_unit or expiry.unit or Unit.DAY
    if not 0 <= expiry.count <= COUNT_MAX[counted.value]:
        raise InvalidInput(field=f"{path}.count", problem=f"1 to {COUNT_MAX[counted.value]}")
    return expiry


_UNITS_ZH = {"DAY": "天", "MONTH": "个月", "QUARTER": "个季度", "YEAR": "年"}
_ENDS_ZH = {"MONTH": "月末", "QUARTER": "季末", "YEAR": "年末"}


def expiry_said(expiry: Expiry, language: str) -> str:
    """The policy in words, in ``zh`` or ``en``."""
    if expiry.kind is ExpiryKind.NEVER:
        return "永久有效" if language.startswith("zh") else "Never expires"
    if expiry.kind is ExpiryKind.FIXED:
        return f"{expiry.on} 到期" if language.startswith("zh") else f"Good until {expiry.on}"
    said = _said_zh if language.startswith("zh") else _said_en
    return said(expiry, expiry.unit or Unit.DAY)


def _said_zh(expiry: Expiry, unit: Unit) -> str:
    if expiry.kind is ExpiryKind.PERIOD_END:
        plus_unit = expiry.plus_unit
        later = f"再加 {expiry.count} {_UNITS_ZH[plus_unit.value]}" if plus_unit else ""
        return f"获得当期{_ENDS_ZH[unit.value]}{later}到期"
    of = "最后一次获得或消费" if expiry.kind is ExpiryKind.ACTIVITY else "获得"
    return f"自{of}起 {expiry.count} {_UNITS_ZH[unit.value]}内有效"


def _said_en(expiry: Expiry, unit: Unit) -> str:
    if expiry.kind is ExpiryKind.PERIOD_END:
        later = f" and {_counted(expiry.count, expiry.plus_unit)} more" if expiry.plus_unit else ""
        return f"Good until the end of the {unit.value.lower()} of earning{later}"
    of = "the last earning or spending" if expiry.kind is ExpiryKind.ACTIVITY else "earning"
    return f"Good for {_counted(expiry.count, unit)} from {of}"


def _counted(count: int, unit: Unit) -> str:
    return f"{count} {unit.value.lower()}{'' if count == 1 else 's'}"


def expiry_to_json(expiry: Expiry) -> dict[str, Any]:
    """As stored: only what the kind uses."""
    stored: dict[str, Any] = {"kind": expiry.kind.value}
    if expiry.unit is not None:
        stored["unit"] = expiry.unit.value
    if expiry.count:
        stored["count"] = expiry.count
    if expiry.plus_unit is not None:
        stored["plus_unit"] = expiry.plus_unit.value
    if expiry.on is not None:
        stored["on"] = expiry.on.isoformat()
    return stored


def expiry_from_json(stored: dict[str, Any]) -> Expiry:
    """The policy that ``expiry_to_json`` stored."""
    return Expiry(
        ExpiryKind(stored["kind"]),
        Unit(stored["unit"]) if "unit" in stored else None,
        stored.get("count", 0),
        Unit(stored["plus_unit"]) if "plus_unit" in stored else None,
        date.fromisoformat(stored["on"]) if "on" in stored else None,
    )
