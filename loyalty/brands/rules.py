"""What a brand may be called and where it may be, and its member days."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from loyalty.errors import InvalidInput
from loyalty.text import checked_text

HOLD_SECONDS = 300
HOLD_SECONDS_MAX = 86_400
REVERSAL_WINDOW_SECONDS = 7 * 86_400
REVERSAL_WINDOW_SECONDS_MAX = 366 * 86_400
PRIZE_CEILING_FEN = 5_000_000  # 5 万元, what the law allows of prizes drawn by chance
PRIZE_CEILING_FEN_MAX = 10**12
MEMBER_DAYS_MAX = 100
MEMBER_DAY_NAME_LENGTH_MAX = 60
_DAYS_LOOKED_AT_MAX = 366
_SLUG = re.compile(r"[a-z0-9-]{2,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def check_slug(slug: str) -> str:
    """2 to 40 of a-z, 0-9 and hyphen."""
    if not is_slug(slug):
        raise InvalidInput(field="slug", problem="2 to 40 of a-z, 0-9 and hyphen")
    return slug


def check_timezone(timezone: str) -> str:
    """An IANA name such as Asia/Shanghai."""
    if timezone not in available_timezones():
        raise InvalidInput(field="timezone", problem="an IANA name such as Asia/Shanghai")
    return timezone


def check_currency(currency: str) -> str:
    """An ISO 4217 code such as CNY."""
    if not _CURRENCY.fullmatch(currency):
        raise InvalidInput(field="currency", problem="an ISO 4217 code such as CNY")
    return currency


def check_hold(seconds: int) -> int:
    """How long a till may hold a coupon."""
    if not 1 <= seconds <= HOLD_SECONDS_MAX:
        raise InvalidInput(field="holdSeconds", problem=f"1 to {HOLD_SECONDS_MAX}")
    return seconds


def check_reversal_window(seconds: int) -> int:
    """How long a redemption may be reversed; 0 for never."""
    if not 0 <= seconds <= REVERSAL_WINDOW_SECONDS_MAX:
        raise InvalidInput(
            field="reversalWindowSeconds", problem=f"0 to {REVERSAL_WINDOW_SECONDS_MAX}"
        )
    return seconds


def check_prize_ceiling(fen: int) -> int:
    """How much cash a campaign may promise at once."""
    if not 1 <= fen <= PRIZE_CEILING_FEN_MAX:
        raise InvalidInput(field="prizeCeilingFen", problem=f"1 to {PRIZE_CEILING_FEN_MAX}")
    return fen


# --- member days -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberDay:
    """A member day (会员日): this day of each month that has it, or one date. Local days."""

    day_of_month: int | None
    on: date | None
    name_zh: str
    name_en: str


class MemberDates(NamedTuple):
    """Which local days are member days."""

    days_of_month: frozenset[int] = frozenset()
    dates: frozenset[date] = frozenset()

    def has(self, on: date) -> bool:
        return on.day in self.days_of_month or on in self.dates


NO_MEMBER_DATES = MemberDates()


def check_member_days(days: Sequence[MemberDay]) -> None:
    """Refuses InvalidInput with the field's path."""
    if len(days) > MEMBER_DAYS_MAX:
        raise InvalidInput(field="days", problem=f"at most {MEMBER_DAYS_MAX}")
    seen: set[tuple[int | None, date | None]] = set()
    for i, day in enumerate(days):
        path = f"days[{i}]"
        if (day.day_of_month is None) == (day.on is None):
            raise InvalidInput(field=path, problem="either dayOfMonth or on")
        if day.day_of_month is not None and not 1 <= day.day_of_month <= 31:
            raise InvalidInput(field=f"{path}.dayOfMonth", problem="1 to 31")
        if (day.day_of_month, day.on) in seen:
            raise InvalidInput(field=path, problem="each of them once")
        seen.add((day.day_of_month, day.on))
        checked_text(day.name_zh, f"{path}.nameZh", length_max=MEMBER_DAY_NAME_LENGTH_MAX)
        checked_text(day.name_en, f"{path}.nameEn", length_max=MEMBER_DAY_NAME_LENGTH_MAX)


def member_days_to_json(days: Iterable[MemberDay]) -> list[dict[str, Any]]:
    """As stored with the brand."""
    return [
        {
            "day_of_month": day.day_of_month,
            "on": None if day.on is None else day.on.isoformat(),
            "name_zh": day.name_zh.strip(),
            "name_en": day.name_en.strip(),
        }
        for day in days
    ]


def member_days_from_json(stored: Iterable[dict[str, Any]]) -> list[MemberDay]:
    """What ``member_days_to_json`` made."""
    return [
        MemberDay(
            day["day_of_month"],
            None if day["on"] is None else date.fromisoformat(day["on"]),
            day["name_zh"],
            day["name_en"],
        )
        for day in stored
    ]


def member_dates(days: Iterable[MemberDay]) -> MemberDates:
    """Which days those are, to be asked of quickly."""
    found = list(days)
    return MemberDates(
        frozenset(day.day_of_month for day in found if day.day_of_month is not None),
        frozenset(day.on for day in found if day.on is not None),
    )


def next_date(day: MemberDay, today: date) -> date | None:
    """The first on which it is from a day on, that day included; None of a date that is over."""
    if day.on is not None:
        return day.on if day.on >= today else None
    days = (today + timedelta(days=n) for n in range(_DAYS_LOOKED_AT_MAX))
    return next((each for each in days if each.day == day.day_of_month), None)
