"""Pure: what endpoints may be, how requests are signed, and when to try again."""

import base64
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from loyalty.errors import InvalidInput
from loyalty.notifications.rules import webhook_signature
from loyalty.text import is_clean
from loyalty.webhooks.catalogue import WANTED_NAMES

URL_LENGTH_MAX = 2000
DESCRIPTION_LENGTH_MAX = 200
ENDPOINTS_MAX = 100
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
OVERLAP_SECONDS_MAX = 7 * 86_400

ATTEMPTS_MAX = 12
AGE_MAX = timedelta(days=3)
BACKOFF_SECONDS_FIRST = 5
BACKOFF_SECONDS_MAX = 6 * 3600
BLOCK_SECONDS_FIRST = 2
BLOCK_SECONDS_MAX = 600
TRIP_FAILURES = 5
"""So many requests in a row that were answered, but not taken, open the circuit; one that was not
answered at all opens it at once."""
JITTER = 0.25


def check_url(url: str, *, is_private_allowed: bool) -> str:
    """An address that we may send to, as far as can be seen without looking its host up."""
    parts = None
    if len(url) <= URL_LENGTH_MAX and is_clean(url) and " " not in url and "\\" not in url:
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises for what is no port
        except ValueError:
            parts = None
    schemes = ("https", "http") if is_private_allowed else ("https",)
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        raise InvalidInput(field="url", problem="must be an https:// address")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput(field="url", problem="without a user, a password or a fragment")
    return url


def shown_url(url: str) -> str:
    """What everybody may see of an address: where it is, and not the rest, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def check_event_types(names: Collection[str]) -> list[str]:
    """Sorted, each once. InvalidInput for none, and for what is not told outside."""
    unknown = sorted(set(names) - WANTED_NAMES)
    if unknown or not names:
        raise InvalidInput(field="eventTypes", problem="one or more of webhookEventTypes")
    return sorted(set(names))


def secret_of(raw: bytes) -> str:
    """``whsec_`` and base64, as people are shown it."""
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def signed_headers(
    webhook_id: str, timestamp: int, body: bytes, signing: Sequence[str]
) -> dict[str, str]:
    """The headers of a request as Standard Webhooks has them; a signature by each secret."""
    signatures = [
        webhook_signature(
            base64.b64decode(each.removeprefix(SECRET_PREFIX)), webhook_id, timestamp, body
        )
        for each in signing
    ]
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def next_attempt(
    attempts: int, queued_at: datetime, now: datetime, chance: float
) -> datetime | None:
    """When to try again what has failed ``attempts`` times; None when it is to be dead. 5 s, three
    times as long each time, up to 6 hours; ``chance`` (0 to 1) spreads it by a quarter."""
    if attempts >= ATTEMPTS_MAX or now - queued_at >= AGE_MAX:
        return None
    return now + _spread(BACKOFF_SECONDS_FIRST * 3 ** (attempts - 1), BACKOFF_SECONDS_MAX, chance)


def blocked_until(
    failures: int, *, was_reached: bool, now: datetime, chance: float
) -> datetime | None:
    """How long nobody asks an endpoint that has failed so many times in a row; None: the circuit
    stays closed."""
    if not failures or (was_reached and failures < TRIP_FAILURES):
        return None
    doubled = BLOCK_SECONDS_FIRST * 2 ** min(failures - 1, 20)
    return now + _spread(doubled, BLOCK_SECONDS_MAX, chance)


def _spread(seconds: float, seconds_max: float, chance: float) -> timedelta:
    return timedelta(seconds=min(seconds, seconds_max) * (1 - JITTER + 2 * JITTER * chance))
