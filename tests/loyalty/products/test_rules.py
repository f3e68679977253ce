"""GTINs and picture addresses."""

import pytest

from loyalty.errors import InvalidInput
from loyalty.products.rules import check_picture_url, gtin_check_digit, normalise_gtin


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("6901234567892", "06901234567892"),
        ("4006381333931", "04006381333931"),
        ("036000291452", "00036000291452"),
        ("96385074", "00000096385074"),
        ("10614141000415", "10614141000415"),
        (" 6901234567892 ", "06901234567892"),
    ],
)
def test_a_gtin_is_kept_with_fourteen_digits(written: str, kept: str) -> None:
    assert normalise_gtin(written) == kept


@pytest.mark.parametrize("digit", range(10))
def test_only_the_right_check_digit_is_accepted(digit: int) -> None:
    body = "690123456789"
    if gtin_check_digit(body) == digit:
        assert normalise_gtin(f"{body}{digit}") == f"0{body}{digit}"
    else:
        with pytest.raises(InvalidInput):
            normalise_gtin(f"{body}{digit}")


@pytest.mark.parametrize(
    "wrong",
    ["", "1", "00000000", "690123456789２", "6901234 567892", "6" * 15, "a" * 13],
)
def test_what_is_no_gtin_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput):
        normalise_gtin(wrong)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "javascript:alert(1)",
        "https://",
        "https:///a.png",
        "https://user:pass@example.com/a.png",
        "https://example.com/a b.png",
        "https://example.com/a.png\n",
        'https://example.com/"onerror=',
        "https://[half/a.png",
        "https://example.com:99999/a.png",
        "https://例子.cn/a.png",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_a_picture_that_is_not_a_plain_https_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_picture_url(url)


def test_a_plain_https_picture_is_kept() -> None:
    url = "https://cdn.example.com:8443/p/%E6%B0%B4.png?w=200#top"
    assert check_picture_url(url) == url
