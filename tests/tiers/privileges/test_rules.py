from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from loyalty.errors import InvalidInput
from tiers.privileges.rules import (
    OfferPrivileges,
    Privilege,
    PrivilegeKind,
    QuotaPeriod,
    bonus_odds_percent,
    check_privileges,
    offer_privileges,
    period_key,
    points_percent,
    privileges_from_json,
    privileges_to_json,
)

DAY = date(2026, 11, 9)
DOUBLE = Privilege("DOUBLE", PrivilegeKind.POINTS_MULTIPLIER, "双倍", "Double", percent=200)
LUCK = Privilege("LUCK", PrivilegeKind.BONUS_ODDS, "加成", "Luck", percent=20)
OPEN = Privilege("OPEN", PrivilegeKind.OFFER_ACCESS, "专享", "Own", offer_codes=("a", "b"))
EARLY = Privilege("EARLY", PrivilegeKind.EARLY_ACCESS, "提前", "Early", count=24)
MORE = Privilege("MORE", PrivilegeKind.HIGHER_LIMIT, "多买", "More", count=2)
FREE = Privilege(
    "FREE",
    PrivilegeKind.FEE_WAIVER,
    "免邮",
    "Free delivery",
    quota_count=3,
    quota_period=QuotaPeriod.MONTH,
)
CAKE = Privilege(
    "CAKE", PrivilegeKind.BIRTHDAY_GIFT, "蛋糕", "Cake", coupon_template_id=UUID(int=1)
)
CASH = Privilege("CASH", PrivilegeKind.LEVEL_GIFT, "礼", "Gift", asset="CASH", amount=500)
LOUNGE = Privilege(
    "LOUNGE",
    PrivilegeKind.PERK,
    "贵宾室",
    "Lounge",
    starts_on=date(2026, 1, 1),
    ends_on=date(2026, 12, 31),
)
ALL = (DOUBLE, LUCK, OPEN, EARLY, MORE, FREE, CAKE, CASH, LOUNGE)


def test_what_is_stored_is_what_was_granted() -> None:
    check_privileges(ALL)
    assert privileges_from_json(privileges_to_json(ALL)) == ALL


def test_the_best_multiplier_of_the_day_counts() -> None:
    in_june = replace(DOUBLE, code="JUNE", percent=300, starts_on=date(2026, 6, 1))
    in_june = replace(in_june, ends_on=date(2026, 6, 30))
    assert points_percent(120, (), DAY) == 120
    assert points_percent(120, (DOUBLE, in_june), date(2026, 5, 31)) == 200
    assert points_percent(120, (DOUBLE, in_june), date(2026, 6, 1)) == 300
    assert points_percent(120, (DOUBLE, in_june), date(2026, 6, 30)) == 300
    assert points_percent(250, (DOUBLE, in_june), date(2026, 7, 1)) == 250


def test_odds_and_the_mall_take_the_best_of_each_kind() -> None:
    assert bonus_odds_percent((), DAY) == 0
    assert bonus_odds_percent((LUCK, replace(LUCK, code="L2", percent=5)), DAY) == 20
    assert offer_privileges((), DAY) == OfferPrivileges(frozenset(), 0, 0, ())
    assert offer_privileges(ALL, DAY) == OfferPrivileges(frozenset("ab"), 24, 2, (FREE,))


@pytest.mark.parametrize(
    ("period", "key"),
    [
        (None, "ALL"),
        (QuotaPeriod.DAY, "2026-11-09"),
        (QuotaPeriod.MONTH, "2026-11"),
        (QuotaPeriod.QUARTER, "2026-Q4"),
        (QuotaPeriod.YEAR, "2026"),
    ],
)
def test_a_quota_begins_anew_by_the_calendar(period: QuotaPeriod | None, key: str) -> None:
    assert period_key(period, DAY) == key


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(DOUBLE, percent=None), "privileges[0].percent"),
        (replace(DOUBLE, percent=99), "privileges[0].percent"),
        (replace(DOUBLE, percent=1001), "privileges[0].percent"),
        (replace(DOUBLE, count=1), "privileges[0].count"),
        (replace(LUCK, percent=0), "privileges[0].percent"),
        (replace(OPEN, offer_codes=()), "privileges[0].offerCodes"),
        (replace(EARLY, count=0), "privileges[0].count"),
        (replace(MORE, asset="CASH"), "privileges[0].asset"),
        (replace(FREE, quota_period=None), "privileges[0].quota"),
        (replace(FREE, quota_count=0), "privileges[0].quota"),
        (replace(DOUBLE, quota_count=1, quota_period=QuotaPeriod.DAY), "privileges[0].quota"),
        (replace(CAKE, coupon_template_id=None), "privileges[0]"),
        (replace(CAKE, asset="CASH", amount=1), "privileges[0]"),
        (replace(CASH, amount=None), "privileges[0]"),
        (replace(CASH, amount=0), "privileges[0].amount"),
        (replace(CASH, asset="GROWTH"), "privileges[0].asset"),
        (replace(CASH, percent=10), "privileges[0]"),
        (replace(LOUNGE, ends_on=date(2025, 12, 31)), "privileges[0].endsOn"),
        (replace(LOUNGE, code="lounge"), "privileges[0].code"),
        (replace(LOUNGE, code=""), "privileges[0].code"),
        (replace(LOUNGE, name_zh=" "), "privileges[0].nameZh"),
        (replace(LOUNGE, name_en="x" * 81), "privileges[0].nameEn"),
    ],
)
def test_a_privilege_that_means_nothing_is_refused_by_its_field(
    wrong: Privilege, field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_privileges([wrong])
    assert refusal.value.details["field"] == field


def test_codes_are_used_once_and_privileges_are_not_without_number() -> None:
    with pytest.raises(InvalidInput):
        check_privileges([LOUNGE, LOUNGE])
    with pytest.raises(InvalidInput):
        check_privileges([replace(LOUNGE, code=f"P{number}") for number in range(31)])
