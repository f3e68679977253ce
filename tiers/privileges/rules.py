"""Pure: what a level grants (会员权益), as data that the engine honours.

Privileges belong to the levels of a published ladder, so they are immutable: a new version of the
ladder grants others. Days are the brand's local ones.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from loyalty.assets.models import Asset
from loyalty.errors import InvalidInput

PRIVILEGES_MAX = 30
NAME_LENGTH_MAX = 80
PERCENT_MAX = 1000
COUNT_MAX = 10_000
AMOUNT_MAX = 10**9
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


class PrivilegeKind(StrEnum):
    """积分倍数, 中奖加成, 专享商品, 提前购, 限购放宽, 免运费, 升级礼, 生日礼, 周年礼, 其他权益."""

    POINTS_MULTIPLIER = "POINTS_MULTIPLIER"
    BONUS_ODDS = "BONUS_ODDS"
    OFFER_ACCESS = "OFFER_ACCESS"
    EARLY_ACCESS = "EARLY_ACCESS"
    HIGHER_LIMIT = "HIGHER_LIMIT"
    FEE_WAIVER = "FEE_WAIVER"
    LEVEL_GIFT = "LEVEL_GIFT"
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"
    ANNIVERSARY_GIFT = "ANNIVERSARY_GIFT"
    PERK = "PERK"


class QuotaPeriod(StrEnum):
    """How often a quota begins anew, by the brand's calendar."""

    DAY = "DAY"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


GIFTS = frozenset(
    {PrivilegeKind.LEVEL_GIFT, PrivilegeKind.BIRTHDAY_GIFT, PrivilegeKind.ANNIVERSARY_GIFT}
)
COUNTED = frozenset({PrivilegeKind.FEE_WAIVER, PrivilegeKind.PERK})
"""What is used piece by piece, and so may have a quota."""
_WANTS = {
    PrivilegeKind.POINTS_MULTIPLIER: {"percent"},
    PrivilegeKind.BONUS_ODDS: {"percent"},
    PrivilegeKind.OFFER_ACCESS: {"offer_codes"},
    PrivilegeKind.EARLY_ACCESS: {"count"},
    PrivilegeKind.HIGHER_LIMIT: {"count"},
    PrivilegeKind.FEE_WAIVER: set(),
    PrivilegeKind.PERK: set(),
}


@dataclass(frozen=True, slots=True)
class Privilege:
    """One thing that a level grants.

    ``percent``: what points are multiplied by (150 is one and a half times), or what is added to
    the odds. ``count``: hours of EARLY_ACCESS, further pieces of HIGHER_LIMIT. A gift is a coupon
    of a template, or an ``amount`` of an asset. Live from ``starts_on`` to ``ends_on``, both
    included. ``quota_count`` uses in each ``quota_period``; None without limit.
    """

    code: str
    kind: PrivilegeKind
    name_zh: str
    name_en: str
    percent: int | None = None
    count: int | None = None
    offer_codes: tuple[str, ...] = ()
    coupon_template_id: UUID | None = None
    asset: str | None = None
    amount: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    quota_count: int | None = None
    quota_period: QuotaPeriod | None = None

    def is_live(self, on: date) -> bool:
        return (self.starts_on is None or self.starts_on <= on) and (
            self.ends_on is None or on <= self.ends_on
        )


def live(privileges: Iterable[Privilege], kind: PrivilegeKind, on: date) -> tuple[Privilege, ...]:
    """Those of one kind that are live on a day."""
    return tuple(each for each in privileges if each.kind is kind and each.is_live(on))


def points_percent(level_percent: int, privileges: Sequence[Privilege], on: date) -> int:
    """What points earned on a day are multiplied by: the best that the level grants then."""
    if not privileges:
        return level_percent
    granted = (each.percent or 0 for each in live(privileges, PrivilegeKind.POINTS_MULTIPLIER, on))
    return max(level_percent, *granted, 0)


def bonus_odds_percent(privileges: Sequence[Privilege], on: date) -> int:
    """What is added to the odds of a draw on a day: the best bonus, 0 without one."""
    granted = (each.percent or 0 for each in live(privileges, PrivilegeKind.BONUS_ODDS, on))
    return max((0, *granted))


@dataclass(frozen=True, slots=True)
class OfferPrivileges:
    """What a level adds at the mall: offers open to it whatever its rank, hours before they open
    to all, further pieces in each window, and the waivers of fees in the order they are used."""

    offer_codes: frozenset[str]
    early_hours: int
    more_times: int
    fee_waivers: tuple[Privilege, ...]


def offer_privileges(privileges: Sequence[Privilege], on: date) -> OfferPrivileges:
    """The best of each kind on a day."""
    early, more = (
        max((0, *(each.count or 0 for each in live(privileges, kind, on))))
        for kind in (PrivilegeKind.EARLY_ACCESS, PrivilegeKind.HIGHER_LIMIT)
    )
    opened = live(privileges, PrivilegeKind.OFFER_ACCESS, on)
    return OfferPrivileges(
        frozenset(code for each in opened for code in each.offer_codes),
        early,
        more,
        live(privileges, PrivilegeKind.FEE_WAIVER, on),
    )


def period_key(period: QuotaPeriod | None, on: date) -> str:
    """Which counter a use on a day counts in; without a period there is one for ever."""
    if period is None:
        return "ALL"
    if period is QuotaPeriod.DAY:
        return on.isoformat()
    if period is QuotaPeriod.MONTH:
        return f"{on.year:04}-{on.month:02}"
    if period is QuotaPeriod.QUARTER:
        return f"{on.year:04}-Q{(on.month + 2) // 3}"
    return f"{on.year:04}"


def check_privileges(privileges: Sequence[Privilege], path: str = "privileges") -> None:
    """Refuses InvalidInput with the field's path: what its kind needs must be there, and nothing
    that means nothing to it."""
    if len(privileges) > PRIVILEGES_MAX:
        raise InvalidInput(field=path, problem=f"at most {PRIVILEGES_MAX}")
    codes: set[str] = set()
    for index, privilege in enumerate(privileges):
        at = f"{path}[{index}]"
        if not _CODE.fullmatch(privilege.code) or privilege.code in codes:
            raise InvalidInput(field=f"{at}.code", problem="missing, malformed or used twice")
        codes.add(privilege.code)
        for name, text in (("nameZh", privilege.name_zh), ("nameEn", privilege.name_en)):
            if not 1 <= len(text.strip()) <= NAME_LENGTH_MAX or not text.isprintable():
                raise InvalidInput(field=f"{at}.{name}", problem=f"1 to {NAME_LENGTH_MAX} letters")
        if privilege.kind in GIFTS:
            _check_gift(privilege, at)
        else:
            _check_values(privilege, at)
        _check_time(privilege, at)


def _check_values(privilege: Privilege, at: str) -> None:
    wants = _WANTS[privilege.kind]
    given = {
        "percent": privilege.percent is not None,
        "count": privilege.count is not None,
        "offer_codes": bool(privilege.offer_codes),
        "coupon_template_id": privilege.coupon_template_id is not None,
        "asset": privilege.asset is not None,
        "amount": privilege.amount is not None,
    }
    for name, is_given in given.items():
        if is_given != (name in wants):
            problem = "is missing" if name in wants else f"means nothing to {privilege.kind.value}"
            raise InvalidInput(field=f"{at}.{_camel(name)}", problem=problem)
    least = 100 if privilege.kind is PrivilegeKind.POINTS_MULTIPLIER else 1
    if privilege.percent is not None and not least <= privilege.percent <= PERCENT_MAX:
        raise InvalidInput(field=f"{at}.percent", problem=f"{least} to {PERCENT_MAX}")
    if privilege.count is not None and not 1 <= privilege.count <= COUNT_MAX:
        raise InvalidInput(field=f"{at}.count", problem=f"1 to {COUNT_MAX}")


def _check_gift(privilege: Privilege, at: str) -> None:
    is_coupon = privilege.coupon_template_id is not None
    is_amount = privilege.asset is not None and privilege.amount is not None
    if is_coupon == is_amount or (privilege.asset is None) != (privilege.amount is None):
        raise InvalidInput(field=at, problem="a gift is a coupon, or an amount of an asset")
    if privilege.amount is not None and not 1 <= privilege.amount <= AMOUNT_MAX:
        raise InvalidInput(field=f"{at}.amount", problem=f"1 to {AMOUNT_MAX}")
    if privilege.asset == Asset.GROWTH:
        raise InvalidInput(field=f"{at}.asset", problem="growth would lift the level that gives it")
    if privilege.percent is not None or privilege.count is not None or privilege.offer_codes:
        raise InvalidInput(field=at, problem="percent, count and offerCodes mean nothing to a gift")


def _check_time(privilege: Privilege, at: str) -> None:
    starts, ends = privilege.starts_on, privilege.ends_on
    if starts is not None and ends is not None and ends < starts:
        raise InvalidInput(field=f"{at}.endsOn", problem="before startsOn")
    if (privilege.quota_count is None) != (privilege.quota_period is None):
        raise InvalidInput(field=f"{at}.quota", problem="a count and a period, or neither")
    if privilege.quota_count is None:
        return
    if privilege.kind not in COUNTED:
        raise InvalidInput(field=f"{at}.quota", problem=f"{privilege.kind.value} is not counted")
    if not 1 <= privilege.quota_count <= COUNT_MAX:
        raise InvalidInput(field=f"{at}.quota", problem=f"1 to {COUNT_MAX}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def privileges_to_json(privileges: Iterable[Privilege]) -> list[dict[str, Any]]:
    """As stored with a level: only what is set."""
    return [_to_json(privilege) for privilege in privileges]


def _to_json(privilege: Privilege) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "code": privilege.code,
        "kind": privilege.kind.value,
        "name_zh": privilege.name_zh,
        "name_en": privilege.name_en,
        "percent": privilege.percent,
        "count": privilege.count,
        "offer_codes": list(privilege.offer_codes) or None,
        "coupon_template_id": _text(privilege.coupon_template_id),
        "asset": privilege.asset,
        "amount": privilege.amount,
        "starts_on": _text(privilege.starts_on),
        "ends_on": _text(privilege.ends_on),
        "quota_count": privilege.quota_count,
        "quota_period": _text(privilege.quota_period),
    }
    return {name: value for name, value in stored.items() if value is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def privileges_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Privilege, ...]:
    """What ``privileges_to_json`` stored."""
    return tuple(
        Privilege(
            part["code"],
            PrivilegeKind(part["kind"]),
            part["name_zh"],
            part["name_en"],
            part.get("percent"),
            part.get("count"),
            tuple(part.get("offer_codes", ())),
            UUID(part["coupon_template_id"]) if "coupon_template_id" in part else None,
            part.get("asset"),
            part.get("amount"),
            date.fromisoformat(part["starts_on"]) if "starts_on" in part else None,
            date.fromisoformat(part["ends_on"]) if "ends_on" in part else None,
            part.get("quota_count"),
            QuotaPeriod(part["quota_period"]) if "quota_period" in part else None,
        )
        for part in stored
    )
