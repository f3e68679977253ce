"""E-mails, passwords, and what an attempt to sign in does."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from loyalty.access.rules import (
    AttemptDecision,
    brand_of_refresh_token,
    check_operator_role,
    check_password,
    decide_attempt,
    is_sign_in_code,
    is_wechat_app_id,
    is_wechat_code,
    normalise_email,
    totp_step_of,
)
from loyalty.errors import InvalidInput
from loyalty.ids import new_id

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


# RFC 6238, appendix B: the secret of its SHA-1 vectors, and the last six of their eight digits.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_VECTORS = [
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), RFC_VECTORS)
def test_a_totp_code_is_that_of_the_rfc_one_step_early_or_late(seconds: int, code: str) -> None:
    step = seconds // 30
    start = step * 30
    for moment in (seconds, start - 30, start - 1, start + 30, start + 59):
        assert totp_step_of(RFC_SECRET, code, at(moment), None) == step
    for moment in (start - 31, start + 60):
        assert totp_step_of(RFC_SECRET, code, at(moment), None) is None


def test_a_totp_code_is_not_taken_for_a_step_that_was_used_or_passed() -> None:
    assert totp_step_of(RFC_SECRET, "287082", at(59), 0) == 1
    assert totp_step_of(RFC_SECRET, "287082", at(59), 1) is None
    assert totp_step_of(RFC_SECRET, "287082", at(59), 2) is None


@pytest.mark.parametrize(
    "wrong",
    ["", "287083", "28708", "0287082", "94287082", " 287082", "２８７０８２", "\ud800", "\x00"],
)
def test_what_is_not_the_totp_code_is_refused(wrong: str) -> None:
    assert totp_step_of(RFC_SECRET, wrong, at(59), None) is None


def test_a_refresh_token_names_its_brand() -> None:
    brand_id = new_id()
    assert brand_of_refresh_token(f"{brand_id.hex}.x") == brand_id
    for wrong in (
        "",
        ".",
        "x",
        ".x",
        "x.y",
        brand_id.hex,
        f"{brand_id.hex}.",
        f"{brand_id.hex}.\ud800",
        f"{brand_id.hex}.令牌",
        f"{brand_id.hex}.{'x' * 200}",
        "0" * 10**6,
    ):
        assert brand_of_refresh_token(wrong) is None


def test_wechats_ids_and_codes_are_plain_and_short() -> None:
    assert is_wechat_app_id("wx1234567890abcdef")
    assert is_wechat_code("0a3Xyz_-=")
    for wrong in ("", "wx 1", "wx\n", "微信", "\x00", "\ud800", "x" * 257):
        assert not is_wechat_app_id(wrong)
        assert not is_wechat_code(wrong)
