"""Phones as people write them."""

import pytest

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.members.rules import needs_roster, normalise_phone


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 138 0013 8000",
        "+8613800138000",
        "0086 13800138000",
        "１３８００１３８０００",
        "＋8613800138000",
    ],
)
def test_one_phone_has_one_spelling(written: str) -> None:
    assert normalise_phone(written) == "+8613800138000"


def test_a_normalised_phone_stays_as_it_is() -> None:
    assert normalise_phone(normalise_phone("13800138000")) == "+8613800138000"


def test_a_foreign_phone_keeps_its_country() -> None:
    assert normalise_phone("+1 650 253 0000") == "+16502530000"


def test_another_default_region_may_be_named() -> None:
    assert normalise_phone("650 253 0000", "US") == "+16502530000"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "1",
        "12345678",
        "138001380000",
        "+999 138 0013 8000",
        "=cmd 13800138000",
        "13800138000 ext 5",
        "13800138000\x00",
        "\ud80013800138000",
        "1-800-FLOWERS",
        "1" * 10**6,
        "+",
        "-----",
    ],
)
def test_what_is_no_phone_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        normalise_phone(wrong)


def test_only_consumers_come_without_a_roster() -> None:
    assert [role for role in MemberRole if not needs_roster(role)] == [MemberRole.CONSUMER]
