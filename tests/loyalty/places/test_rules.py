"""What a place, a till and a clerk may be called, and how long a till is patient."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from loyalty.errors import InvalidInput
from loyalty.places.rules import (
    PAYOUT_THRESHOLD_FEN_MAX,
    check_coordinates,
    check_payout_threshold,
    check_pin,
    check_store_phone,
    count_failure,
    has_patience,
    is_possible_pin,
    is_possible_till_key,
    normalise_clerk_number,
)

NOON = datetime(2026, 11, 9, 4, tzinfo=UTC)


def test_coordinates_come_together_and_are_on_the_globe() -> None:
    assert check_coordinates(None, None) == (None, None)
    assert check_coordinates(-90, 180) == (-90, 180)
    for wrong in (
        (31.2, None),
        (None, 121.4),
        (90.1, 0),
        (0, -180.1),
        (math.nan, 0),
        (0, math.inf),
    ):
        with pytest.raises(InvalidInput):
            check_coordinates(*wrong)


def test_a_payout_threshold_is_a_fen_or_more_and_bounded() -> None:
    for right in (1, PAYOUT_THRESHOLD_FEN_MAX):
        assert check_payout_threshold(right) == right
    for wrong in (0, -1, PAYOUT_THRESHOLD_FEN_MAX + 1, 2**63):
        with pytest.raises(InvalidInput):
            check_payout_threshold(wrong)


def test_a_store_phone_is_one_and_its_field_is_named() -> None:
    assert check_store_phone("138 0013 8000") == "+8613800138000"
    with pytest.raises(InvalidInput) as refused:
        check_store_phone("12345")
    assert refused.value.details["field"] == "storePhone"


def test_a_staff_number_is_letters_and_digits_in_one_spelling() -> None:
    assert normalise_clerk_number("a07") == normalise_clerk_number("A07") == "A07"
    assert normalise_clerk_number("9" * 12) == "9" * 12
    for wrong in ("", "9" * 13, "A-7", " 7", "７", "7\n", "\ud800", "٣"):
        with pytest.raises(InvalidInput):
            normalise_clerk_number(wrong)


def test_a_pin_is_four_to_eight_digits() -> None:
    for right in ("0000", "12345678"):
        assert check_pin(right) == right
    for wrong in ("", "123", "123456789", "12a4", "１２３４", "1234\n", "\ud800"):
        assert not is_possible_pin(wrong)
        with pytest.raises(InvalidInput):
            check_pin(wrong)


def test_a_till_key_is_looked_up_only_if_it_is_text() -> None:
    assert is_possible_till_key("till_anything")
    for wrong in ("", "x" * 129, "\0", "\ud800"):
        assert not is_possible_till_key(wrong)


def test_a_till_forgives_twenty_failures_and_one_more_every_three_minutes() -> None:
    failures_until: datetime | None = None
    for _ in range(20):
        assert has_patience(failures_until, NOON)
        failures_until = count_failure(failures_until, NOON)
    assert not has_patience(failures_until, NOON + timedelta(seconds=179))
    later = NOON + timedelta(seconds=180)
    assert has_patience(failures_until, later)
    assert not has_patience(count_failure(failures_until, later), later)


def test_a_till_that_was_quiet_for_an_hour_is_as_patient_as_ever() -> None:
    failures_until: datetime | None = None
    for _ in range(20):
        failures_until = count_failure(failures_until, NOON)
    later = NOON + timedelta(hours=30)
    assert count_failure(failures_until, later) == count_failure(None, later)
