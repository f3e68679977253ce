"""Pure: what a referral code looks like, and who is new."""

import secrets
from datetime import datetime, timedelta

NEW_DAYS = 7
"""So long after the brand first saw them people may use a code."""
CODE_LENGTH = 8
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""None that is taken for another."""


def new_code() -> str:
    """A random one; whether it is free, the table says."""
    return "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))


def read_code(text: str) -> str:
    """As it may have been typed."""
    return text.strip().replace("-", "").replace(" ", "").upper()


def is_new(first_seen_at: datetime, now: datetime) -> bool:
    """Whether who was first seen then may still be referred."""
    return now - first_seen_at <= timedelta(days=NEW_DAYS)
