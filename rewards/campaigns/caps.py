"""Pure: caps and bonus terms as stored, and caps that only count for what conditions read."""

from collections.abc import Iterable, Mapping
from typing import Any

from rewards.campaigns.models import CapSubject, CapWindow
from rewards.campaigns.rules import COUNTED_MAX, BonusTerms, Cap
from rewards.conditions.facts import MEMBER_TODAY, MEMBER_TOTAL

_WINDOWS = {MEMBER_TODAY: CapWindow.DAY, MEMBER_TOTAL: CapWindow.CAMPAIGN}


def with_counted(caps: Iterable[Cap], facts: Iterable[str]) -> tuple[Cap, ...]:
    """The caps, and one that only counts for each counter among the facts that no cap counts."""
    counted = list(caps)
    for window in sorted(_WINDOWS[fact] for fact in facts if fact in _WINDOWS):
        if all((cap.subject, cap.window) != (CapSubject.MEMBER, window) for cap in counted):
            counted.append(Cap(CapSubject.MEMBER, window, COUNTED_MAX))
    return tuple(counted)


def limiting(caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """The caps that limit somebody, without those of ``with_counted`` that only count."""
    return tuple(cap for cap in caps if cap.times_max != COUNTED_MAX)


def caps_to_json(caps: Iterable[Cap]) -> list[dict[str, Any]]:
    """As stored in a campaign version."""
    return [
        {"subject": c.subject.value, "window": c.window.value, "times_max": c.times_max}
        for c in caps
    ]


def caps_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Cap, ...]:
    return tuple(
        Cap(CapSubject(part["subject"]), CapWindow(part["window"]), part["times_max"])
        for part in stored
    )


def bonus_to_json(bonus: BonusTerms | None) -> dict[str, Any] | None:
    """As stored in a campaign version."""
    return None if bonus is None else {"group": bonus.group, "best_of": bonus.best_of}


def bonus_from_json(stored: Mapping[str, Any] | None) -> BonusTerms | None:
    return None if stored is None else BonusTerms(stored["group"], stored["best_of"])
