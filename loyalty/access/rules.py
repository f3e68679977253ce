"""Who may sign in, decided from values alone."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

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

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_SIGN_IN_CODE = re.compile(r"[0-9]{6}")


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
