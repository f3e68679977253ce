"""E-mails, passwords, and what an attempt to sign in does."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.access.rules import (
    AttemptDecision,
    check_operator_role,
    check_password,
    decide_attempt,
    is_sign_in_code,
    normalise_email,
)
from loyalty.errors import InvalidInput

NOW = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)


@pytest.mark.parametrize(
    "written", ["ada@example.com", " Ada@Example.COM ", "ａｄａ@example.com", "ADA@EXAMPLE.COM"]
)
def test_one_email_has_one_spelling(written: str) -> None:
    assert normalise_email(written) == "ada@example.com"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "a@b@c.de",
        "a b@c.de",
        "a@b..c",
        "a\x00@b.c",
        "\ud800@b.cd",
        "a" * 250 + "@b.cd",
        "a" * 10**6,
    ],
)
def test_what_is_no_email_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        normalise_email(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "x" * 11, "x" * 1025, "x" * 12 + "\x00", "x" * 12 + "\ud800"]
)
def test_a_password_that_is_short_or_cannot_be_kept_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        check_password(wrong)


def test_a_long_password_is_kept_as_it_is() -> None:
    assert check_password(" correct horse 电池 ") == " correct horse 电池 "


def test_an_operator_has_one_of_four_roles() -> None:
    assert check_operator_role("ADMIN") == "ADMIN"
    for wrong in ("admin", "CONSUMER", "", "\x00"):
        with pytest.raises(InvalidInput):
            check_operator_role(wrong)


def test_a_code_is_six_plain_digits() -> None:
    assert is_sign_in_code("012345")
    for wrong in ("12345", "1234567", "12345a", "１２３４５６", "12345\n", "", "\ud800"):
        assert not is_sign_in_code(wrong)


@pytest.mark.parametrize(
    ("before", "matched", "after"),
    [
        ((0, None), True, (True, 0, None)),
        ((4, None), True, (True, 0, None)),
        ((0, None), False, (False, 1, None)),
        ((3, None), False, (False, 4, None)),
        ((4, None), False, (False, 5, LATER)),
        ((5, LATER), True, (False, 5, LATER)),
        ((5, LATER), False, (False, 5, LATER)),
        ((5, NOW), True, (True, 0, None)),
        ((5, NOW), False, (False, 1, None)),
    ],
)
def test_five_failures_lock_for_fifteen_minutes(
    before: tuple[int, datetime | None],
    matched: bool,
    after: tuple[bool, int, datetime | None],
) -> None:
    assert decide_attempt(*before, matched, NOW) == AttemptDecision(*after)
