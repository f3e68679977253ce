"""Pure: what a referral code looks like, and who is new."""

from datetime import datetime, timedelta

NEW_DAYS = 7
"""So long after the brand first saw them people may use a code."""
CODE_LENGTH = 8
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""None that is taken for another."""


def read_code(text: str) -> str:
    """As it may have been typed."""
    return text.strip().replace("-", "").replace(" ", "").upper()


def is_new(first_seen_at: datetime, now: datetime) -> bool:
    """Whether who was first seen then may still be referred."""
    return now - first_seen_at <= timedelta(days=NEW_DAYS)
