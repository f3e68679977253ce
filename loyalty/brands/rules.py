"""What a brand may be called and where it may be."""

import re
from zoneinfo import available_timezones

from loyalty.errors import InvalidInput

HOLD_SECONDS = 300
HOLD_SECONDS_MAX = 86_400
REVERSAL_WINDOW_SECONDS = 7 * 86_400
REVERSAL_WINDOW_SECONDS_MAX = 366 * 86_400
PRIZE_CEILING_FEN = 5_000_000  # 5 万元, what the law allows of prizes drawn by chance
PRIZE_CEILING_FEN_MAX = 10**12
_SLUG = re.compile(r"[a-z0-9-]{2,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def is_slug(text: str) -> bool:
    return _SLUG.fullmatch(text) is not None


def check_slug(slug: str) -> str:
    """2 to 40 of a-z, 0-9 and hyphen."""
    if not is_slug(slug):
        raise InvalidInput(field="slug", problem="2 to 40 of a-z, 0-9 and hyphen")
    return slug


def check_timezone(timezone: str) -> str:
    """An IANA name such as Asia/Shanghai."""
    if timezone not in available_timezones():
        raise InvalidInput(field="timezone", problem="an IANA name such as Asia/Shanghai")
    return timezone


def check_currency(currency: str) -> str:
    """An ISO 4217 code such as CNY."""
    if not _CURRENCY.fullmatch(currency):
        raise InvalidInput(field="currency", problem="an ISO 4217 code such as CNY")
    return currency


def check_hold(seconds: int) -> int:
    """How long a till may hold a coupon."""
    if not 1 <= seconds <= HOLD_SECONDS_MAX:
        raise InvalidInput(field="holdSeconds", problem=f"1 to {HOLD_SECONDS_MAX}")
    return seconds


def check_reversal_window(seconds: int) -> int:
    """How long a redemption may be reversed; 0 for never."""
    if not 0 <= seconds <= REVERSAL_WINDOW_SECONDS_MAX:
        raise InvalidInput(
            field="reversalWindowSeconds", problem=f"0 to {REVERSAL_WINDOW_SECONDS_MAX}"
        )
    return seconds


def check_prize_ceiling(fen: int) -> int:
    """How much cash a campaign may promise at once."""
    if not 1 <= fen <= PRIZE_CEILING_FEN_MAX:
        raise InvalidInput(field="prizeCeilingFen", problem=f"1 to {PRIZE_CEILING_FEN_MAX}")
    return fen
