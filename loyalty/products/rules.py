"""What a product may be called, numbered and pictured by."""

import re
from urllib.parse import urlsplit

from loyalty.errors import InvalidInput

SKU_LENGTH_MAX = 64
NAME_LENGTH_MAX = 200
AGE_MIN_MAX = 120
PICTURE_URL_LENGTH_MAX = 2048
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_URL = re.compile(r"https://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")


def gtin_check_digit(body: str) -> int:
    """The last digit of a GTIN from those before it: weights 3, 1, 3 ... from the right."""
    weighted = sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(body)))
    return -weighted % 10


def normalise_gtin(gtin: str) -> str:
    """GTIN-8, -12, -13 or -14 as 14 digits; InvalidInput when the check digit is wrong."""
    digits = gtin.strip() if len(gtin) <= 32 else ""
    if not _GTIN.fullmatch(digits) or not digits.strip("0"):
        raise InvalidInput(field="gtin", problem="8, 12, 13 or 14 digits")
    if gtin_check_digit(digits[:-1]) != int(digits[-1]):
        raise InvalidInput(field="gtin", problem="the check digit is wrong")
    return digits.zfill(14)


def check_picture_url(url: str) -> str:
    """An absolute https address without credentials."""
    if len(url) <= PICTURE_URL_LENGTH_MAX and _URL.fullmatch(url):
        try:
            parts = urlsplit(url)
            if parts.hostname and parts.port != 0 and "@" not in parts.netloc:
                return url
        except ValueError:
            pass
    raise InvalidInput(field="pictureUrl", problem="an https address")


def check_age_min(age: int | None) -> int | None:
    """1 to 120, or no gate."""
    if age is not None and not 1 <= age <= AGE_MIN_MAX:
        raise InvalidInput(field="ageMin", problem=f"1 to {AGE_MIN_MAX}")
    return age
