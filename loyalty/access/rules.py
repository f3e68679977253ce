"""Who may sign in, decided from values alone."""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pyotp

from loyalty.actor import OperatorRole
from loyalty.errors import InvalidInput
from loyalty.text import is_clean

EMAIL_LENGTH_MAX = 254
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 1024
FAILED_ATTEMPTS_MAX = 5
LOCK_SECONDS = 15 * 60

CODE_ATTEMPTS_MAX = 5
CODES_PER_WINDOW_MAX = 5
CODE_WINDOW_SECONDS = 3600

TOTP_STEP_SECONDS = 30
REFRESH_TOKEN_LENGTH_MAX = 200

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_SIGN_IN_CODE = re.compile(r"[0-9]{6}")
_WECHAT_APP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WECHAT_CODE = re.compile(r"[!-~]{1,256}")


def normalise_email(text: str) -> str:
    """One spelling of an e-mail address: trimmed, NFKC, lower case."""
    if len(text) <= 2 * EMAIL_LENGTH_MAX and is_clean(text):
        email = unicodedata.normalize("NFKC", text).strip().lower()
        if len(email) <= EMAIL_LENGTH_MAX and is_clean(email) and _EMAIL.fullmatch(email):
            return email
    raise InvalidInput(field="email", problem="an e-mail address")


def is_possible_password(password: str) -> bool:
    return PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX and is_clean(password)


def check_password(password: str) -> str:
    """At least 12 characters, kept as they are; no composition rules."""
    if not is_possible_password(password):
        raise InvalidInput(field="password", problem=f"at least {PASSWORD_LENGTH_MIN} characters")
    return password


def check_operator_role(role: str) -> OperatorRole:
    if role not in OperatorRole.__members__:
        raise InvalidInput(field="role", problem=", ".join(OperatorRole))
    return OperatorRole(role)


def is_sign_in_code(text: str) -> bool:
    return _SIGN_IN_CODE.fullmatch(text) is not None


def totp_step_of(secret: str, code: str, now: datetime, last_step: int | None) -> int | None:
    """The time step (RFC 6238, 30 seconds) whose code this is: the one of ``now``, the one before
    or the one after, as clocks differ a little. None for a wrong code, and for one that is not
    newer than ``last_step``: each works once."""
    current = int(now.timestamp()) // TOTP_STEP_SECONDS
    totp = pyotp.TOTP(secret)
    written = code if is_sign_in_code(code) else "impossible"
    matching = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(totp.generate_otp(step), written)
    ]
    return next((step for step in matching if last_step is None or step > last_step), None)


def brand_of_refresh_token(token: str) -> UUID | None:
    """The brand that a refresh token begins with; None for what is no such token."""
    brand, dot, rest = token.partition(".")
    if len(token) > REFRESH_TOKEN_LENGTH_MAX or not token.isascii() or not dot or not rest:
        return None
    try:
        return UUID(hex=brand)
    except ValueError:
        return None


def check_wechat_app_id(text: str) -> str:
    if not is_wechat_app_id(text):
        raise InvalidInput(field="appId", problem="up to 64 letters, digits, - and _")
    return text


def is_wechat_app_id(text: str) -> bool:
    return _WECHAT_APP_ID.fullmatch(text) is not None


def is_wechat_code(text: str) -> bool:
    """Whether it could be a ``js_code``: worth asking WeChat about."""
    return _WECHAT_CODE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class AttemptDecision:
    """What one attempt to sign in does to an operator's counters."""

    accepted: bool
    failed_attempts: int
    locked_until: datetime | None


def decide_attempt(
    failed_attempts: int, locked_until: datetime | None, matched: bool, now: datetime
) -> AttemptDecision:
    """Five failures lock for 15 minutes; while locked nothing is accepted and nothing counts."""
    if locked_until is not None and now < locked_until:
        return AttemptDecision(False, failed_attempts, locked_until)
    if matched:
        return AttemptDecision(True, 0, None)
    failed = 1 if locked_until is not None else failed_attempts + 1
    lock = now + timedelta(seconds=LOCK_SECONDS) if failed >= FAILED_ATTEMPTS_MAX else None
    return AttemptDecision(False, failed, lock)
