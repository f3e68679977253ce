"""What a place, a till and a clerk may be called, and when they may redeem."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.errors import InvalidInput
from loyalty.members.rules import normalise_phone
from loyalty.places.models import Clerk, Place, Till
from loyalty.text import is_clean

OPEN = "OPEN"
CLOSED = "CLOSED"
ACTIVE = "ACTIVE"
REVOKED = "REVOKED"
LEFT = "LEFT"
PIN_CHANGED = "PIN_CHANGED"

CODE_LENGTH_MAX = 64
NAME_LENGTH_MAX = 100
ADDRESS_LENGTH_MAX = 300
PAYEE_LENGTH_MAX = 128
REASON_LENGTH_MAX = 500
PAYOUT_THRESHOLD_FEN_MAX = 10**12

TILL_KEY_LENGTH_MAX = 128
TILL_FAILURES_MAX = 20
TILL_FAILURE_SECONDS = 180

_CLERK_NUMBER = re.compile(r"[A-Za-z0-9]{1,12}")
_PIN = re.compile(r"[0-9]{4,8}")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a clerk stands: the place, the till and the clerk, as they were when read."""

    place: Place
    till: Till
    clerk: Clerk


def is_in_service(desk: Desk) -> bool:
    """An open place, and a till and a clerk of that very place that are both active."""
    return (
        desk.place.status == OPEN
        and desk.till.status == ACTIVE
        and desk.clerk.status == ACTIVE
        and desk.place.id == desk.till.place_id == desk.clerk.place_id
    )


def check_coordinates(
    latitude: float | None, longitude: float | None
) -> tuple[float, float] | tuple[None, None]:
    """Degrees on the globe, both or neither."""
    if latitude is None and longitude is None:
        return None, None
    if latitude is None or not -90 <= latitude <= 90:
        raise InvalidInput(field="latitude", problem="-90 to 90, together with the longitude")
    if longitude is None or not -180 <= longitude <= 180:
        raise InvalidInput(field="longitude", problem="-180 to 180, together with the latitude")
    return latitude, longitude


def check_store_phone(phone: str) -> str:
    """The phone of the STORE member that acts for a place, in E.164."""
    try:
        return normalise_phone(phone)
    except InvalidInput as refusal:
        raise InvalidInput(field="storePhone", problem=refusal.details["problem"]) from None


def check_payout_threshold(amount_fen: int) -> int:
    if not 1 <= amount_fen <= PAYOUT_THRESHOLD_FEN_MAX:
        problem = f"1 to {PAYOUT_THRESHOLD_FEN_MAX} fen"
        raise InvalidInput(field="payoutThresholdFen", problem=problem)
    return amount_fen


def normalise_clerk_number(number: str) -> str:
    """A staff number (工号): 1 to 12 letters and digits, in capitals."""
    if not _CLERK_NUMBER.fullmatch(number):
        raise InvalidInput(field="number", problem="1 to 12 letters and digits")
    return number.upper()


def is_possible_pin(pin: str) -> bool:
    return _PIN.fullmatch(pin) is not None


def check_pin(pin: str) -> str:
    if not is_possible_pin(pin):
        raise InvalidInput(field="pin", problem="4 to 8 digits")
    return pin


def is_possible_till_key(key: str) -> bool:
    return 1 <= len(key) <= TILL_KEY_LENGTH_MAX and is_clean(key)


def has_patience(failures_until: datetime | None, now: datetime) -> bool:
    """Whether a till takes another attempt: 20 failures at once, over all its clerks, and then one
    more every three minutes. PINs are short, and clerks are many."""
    patience = timedelta(seconds=(TILL_FAILURES_MAX - 1) * TILL_FAILURE_SECONDS)
    return failures_until is None or failures_until - now <= patience


def count_failure(failures_until: datetime | None, now: datetime) -> datetime:
    """What one more failure at a till moves ``failures_until`` to."""
    return max(failures_until or now, now) + timedelta(seconds=TILL_FAILURE_SECONDS)
