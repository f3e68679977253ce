"""Pure: what a coupon's number looks like, and what a template may promise."""

import re
import secrets
import unicodedata
from datetime import datetime

from rewards.coupons.models import Coupon, CouponStatus

CODE_DIGITS = 16
_TYPED_LENGTH_MAX = 64
_FORGIVEN = re.compile(r"[\s\-\u2010-\u2015\u2212]")


def new_code() -> str:
    """A coupon's number, not to be guessed: digits, so that any till can type it."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


def normalise_code(text: str) -> str | None:
    """The digits of a coupon's number as somebody typed it: spaces, hyphens and full-width digits
    are forgiven. None for what is no coupon's number."""
    if len(text) > _TYPED_LENGTH_MAX:
        return None
    digits = _FORGIVEN.sub("", unicodedata.normalize("NFKC", text))
    return digits if len(digits) == CODE_DIGITS and digits.isascii() and digits.isdigit() else None


def printed_code(code: str) -> str:
    """A coupon's number as it is shown: groups of four."""
    return " ".join(code[i : i + 4] for i in range(0, len(code), 4))


def status_at(coupon: Coupon, now: datetime) -> CouponStatus:
    """What a coupon's status comes to at a time: a hold that has lapsed is none, swept or not."""
    if (
        coupon.status == CouponStatus.HELD
        and coupon.held_until is not None
        and coupon.held_until <= now
    ):
        return CouponStatus.ISSUED
    return CouponStatus(coupon.status)
