"""Expiry policies as people read them."""

from datetime import date

import pytest

from loyalty.assets.rules import NEVER, Expiry, ExpiryKind, Unit, expiry_said

SAID = [
    (NEVER, "永久有效", "Never expires"),
    (Expiry(ExpiryKind.AFTER, Unit.DAY, 1), "自获得起 1 天内有效", "Good for 1 day from earning"),
    (
        Expiry(ExpiryKind.AFTER, Unit.YEAR, 2),
        "自获得起 2 年内有效",
        "Good for 2 years from earning",
    ),
    (
        Expiry(ExpiryKind.PERIOD_END, Unit.MONTH),
        "获得当期月末到期",
        "Good until the end of the month of earning",
    ),
    (
        Expiry(ExpiryKind.PERIOD_END, Unit.YEAR, 2, Unit.QUARTER),
        "获得当期年末再加 2 个季度到期",
        "Good until the end of the year of earning and 2 quarters more",
    ),
    (
        Expiry(ExpiryKind.FIXED, on=date(2027, 12, 31)),
        "2027-12-31 到期",
        "Good until 2027-12-31",
    ),
    (
        Expiry(ExpiryKind.ACTIVITY, count=90),
        "自最后一次获得或消费起 90 天内有效",
        "Good for 90 days from the last earning or spending",
    ),
]


@pytest.mark.parametrize(("policy", "zh", "en"), SAID, ids=lambda part: str(part)[:40])
def test_a_policy_is_said_in_both_languages(policy: Expiry, zh: str, en: str) -> None:
    assert (expiry_said(policy, "zh-CN"), expiry_said(policy, "en")) == (zh, en)


def test_every_kind_is_said() -> None:
    assert {policy.kind for policy, _, _ in SAID} == set(ExpiryKind)
