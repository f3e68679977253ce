"""Pure: what an outcome may wait for, as a campaign says it: conditions, durations, their JSON."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from loyalty.errors import InvalidInput
from rewards.campaigns.models import UnlockKind

COUNT_MAX = 1000
DURATION_MAX = timedelta(days=3660)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
LAPSING_KINDS = frozenset(UnlockKind) - {UnlockKind.AFTER, UnlockKind.ON}
"""What may never come; a time always does."""
COUNTING_KINDS = frozenset({UnlockKind.NEXT_SCAN, UnlockKind.BOX_BOTTLES})

_ACTION = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DURATION = re.compile(r"P(?:([0-9]{1,5})W|(?:([0-9]{1,5})D)?(?:T([0-9]{1,5})H)?)")


@dataclass(frozen=True, slots=True)
class Lock:
    """What has to happen before an outcome may be spent. NEXT_SCAN and BOX_BOTTLES have a
    ``count``, ACTION the name of an ``action``, AFTER a duration, ON a day in the brand's zone.
    ``lapses_after`` is how long it waits for a scan or an action: None for ever, which nobody waits
    for the bottles of a box. ITEM only says how long a gate waits."""

    kind: UnlockKind
    count: int = 1
    action: str | None = None
    after: timedelta | None = None
    on: date | None = None
    lapses_after: timedelta | None = None


def check_lock(path: str, lock: Lock) -> None:
    """Refuses InvalidInput with the field's path: what its kind lacks, or has no use for."""
    kind = lock.kind
    for name, kind_of_it, is_given in (
        ("action", UnlockKind.ACTION, lock.action is not None),
        ("after", UnlockKind.AFTER, lock.after is not None),
        ("on", UnlockKind.ON, lock.on is not None),
    ):
        if (kind is kind_of_it) is not is_given:
            problem = f"not for {kind.value}" if is_given else f"{kind.value} needs it"
            raise InvalidInput(field=f"{path}.{name}", problem=problem)
    if not 1 <= lock.count <= COUNT_MAX:
        raise InvalidInput(field=f"{path}.count", problem=f"1 to {COUNT_MAX}")
    if lock.count != 1 and kind not in COUNTING_KINDS:
        raise InvalidInput(field=f"{path}.count", problem=f"not for {kind.value}")
    if lock.action is not None:
        check_action(f"{path}.action", lock.action)
    if lock.on is not None and not FIRST_DAY <= lock.on <= LAST_DAY:
        raise InvalidInput(field=f"{path}.on", problem=f"a day from {FIRST_DAY} to {LAST_DAY}")
    if lock.lapses_after is not None and kind not in LAPSING_KINDS:
        raise InvalidInput(field=f"{path}.lapsesAfter", problem=f"not for {kind.value}")
    if lock.lapses_after is None and kind is UnlockKind.BOX_BOTTLES:
        raise InvalidInput(field=f"{path}.lapsesAfter", problem=f"{kind.value} needs it")


def check_action(field: str, action: str) -> None:
    """Refuses InvalidInput unless it is a name that an action may have."""
    if not _ACTION.fullmatch(action):
        raise InvalidInput(
            field=field, problem="a small letter, then up to 39 of a-z, 0-9 and underscores"
        )


def read_duration(text: str, field: str) -> timedelta:
    """What an ISO 8601 duration of weeks, or of days (24 hours each) and hours says: ``P2W``,
    ``P7D``, ``PT36H``. Refuses InvalidInput for any other, for none at all and for too long a one.
    """
    match = _DURATION.fullmatch(text)
    weeks, days, hours = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    duration = timedelta(weeks=weeks, days=days, hours=hours)
    if text.endswith("T") or not timedelta(0) < duration <= DURATION_MAX:
        raise InvalidInput(
            field=field,
            problem="an ISO 8601 duration of weeks, or of days and hours, such as P7D or PT36H,"
            f" up to {DURATION_MAX.days} days",
        )
    return duration


def duration_text(duration: timedelta) -> str:
    """As ``read_duration`` reads it."""
    hours = duration.seconds // 3600
    days = f"{duration.days}D" if duration.days else ""
    return f"P{days}T{hours}H" if hours else f"P{days}"


def lock_to_json(lock: Lock) -> dict[str, Any]:
    """As stored with an outcome: only what its kind has."""
    stored: dict[str, Any] = {"kind": lock.kind.value}
    if lock.kind in COUNTING_KINDS:
        stored["count"] = lock.count
    if lock.action is not None:
        stored["action"] = lock.action
    if lock.after is not None:
        stored["after"] = duration_text(lock.after)
    if lock.on is not None:
        stored["on"] = lock.on.isoformat()
    if lock.lapses_after is not None:
        stored["lapses_after"] = duration_text(lock.lapses_after)
    return stored


def lock_from_json(stored: dict[str, Any] | None) -> Lock | None:
    if stored is None:
        return None
    return Lock(
        UnlockKind(stored["kind"]),
        stored.get("count", 1),
        stored.get("action"),
        _duration_of(stored, "after"),
        date.fromisoformat(stored["on"]) if "on" in stored else None,
        _duration_of(stored, "lapses_after"),
    )


def _duration_of(stored: dict[str, Any], name: str) -> timedelta | None:
    return read_duration(stored[name], name) if name in stored else None
