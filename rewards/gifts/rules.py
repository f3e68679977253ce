"""Pure: occasions, and what of the gifts that are due there is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from rewards.coupons.models import CouponTemplate
from rewards.coupons.rules import usable_dates
from rewards.gifts.models import GiftStatus
from tiers.privileges.rules import Privilege

YEARS_MAX = 100


@dataclass(frozen=True, slots=True)
class GiftDue:
    """A gift that a member's level grants on an occasion."""

    brand_id: UUID
    member_id: UUID
    privilege: Privilege
    occasion: str

    @property
    def key(self) -> tuple[UUID, UUID, str, str]:
        return (self.brand_id, self.member_id, self.privilege.code, self.occasion)


@dataclass(frozen=True, slots=True)
class PlannedGift:
    """A gift with what became of it; ``dates`` of its coupon, if it is one."""

    due: GiftDue
    status: GiftStatus
    dates: tuple[date, date] | None = None


def occasion_of_year(kind: str, on: date) -> str:
    """A birthday or an anniversary: once a year."""
    return f"{kind.lower()}:{on.year}"


def birthdays_on(on: date) -> list[str]:
    """``MM-DD`` of those who celebrate on a day; who was born on 29 February does so on the 28th
    of years without one."""
    days = [f"{on.month:02}-{on.day:02}"]
    if (on.month, on.day) == (2, 28) and (on + timedelta(days=1)).month == 3:
        days.append("02-29")
    return days


def anniversaries_on(on: date) -> list[date]:
    """The days of earlier years of which a day is the anniversary."""
    days = []
    for year in range(max(1970, on.year - YEARS_MAX), on.year):
        for text in birthdays_on(on):
            month, day = (int(part) for part in text.split("-"))
            if (month, day) != (2, 29) or _is_leap(year):
                days.append(date(year, month, day))
    return days


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def plan_gifts(
    dues: Iterable[GiftDue],
    templates: Mapping[UUID, CouponTemplate],
    stock: Mapping[UUID, int | None],
    active_assets: frozenset[str],
    on: date,
) -> list[PlannedGift]:
    """What can be given of what is due, in its order. ``stock`` is what is left of a template,
    None without limit, 0 of a paused one."""
    left = dict(stock)
    planned = []
    for due in dues:
        template_id = due.privilege.coupon_template_id
        if template_id is None:
            given = due.privilege.asset in active_assets
            planned.append(PlannedGift(due, _status(given)))
            continue
        template = templates.get(template_id)
        dates = None if template is None else usable_dates(template, on)
        remaining = left.get(template_id, 0)
        if dates is None or remaining == 0:
            planned.append(PlannedGift(due, GiftStatus.UNAVAILABLE))
            continue
        left[template_id] = None if remaining is None else remaining - 1
        planned.append(PlannedGift(due, GiftStatus.GIVEN, dates))
    return planned


def _status(given: bool) -> GiftStatus:
    return GiftStatus.GIVEN if given else GiftStatus.UNAVAILABLE
