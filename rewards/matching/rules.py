"""Pure: one-way tokens by which two brands speak of the same person without naming it."""

import base64
import hashlib
import hmac
import re

TOKENS_MAX = 100
"""Of one question."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def token_of(secret: str, kind: str, value: str) -> str:
    """The token of a ``phone`` in E.164 or of a ``unionid``, under an agreement's secret:
    base64url without padding of HMAC-SHA256, 43 characters."""
    digest = hmac.digest(secret.encode(), f"{kind}:{value}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_token(text: str) -> bool:
    """Whether a text may be a token at all."""
    return _TOKEN.fullmatch(text) is not None
