"""Pure: which statuses a hold goes through, and what a capture does with each of its parts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from loyalty.holds.models import Hold, HoldStatus


@dataclass(frozen=True, slots=True)
class HeldPart:
    """What a hold took from one lot: a pending transfer."""

    transfer_id: UUID
    expires_on: date
    amount: int


@dataclass(slots=True)
class Capture:
    """What becomes of a hold's parts: ``posted`` and ``voided`` whole. Of at most one, ``split``,
    only ``taken`` is spent: it is voided, and so much of its lot spent anew."""

    posted: list[HeldPart] = field(default_factory=list)
    voided: list[HeldPart] = field(default_factory=list)
    split: HeldPart | None = None
    taken: int = 0


def plan_capture(parts: Iterable[HeldPart], amount: int) -> Capture:
    """Spend ``amount`` of what is held, soonest expiry first; 0 of it to let all go."""
    plan = Capture()
    wanted = amount
    for part in sorted(parts, key=lambda part: part.expires_on):
        if wanted >= part.amount:
            plan.posted.append(part)
            wanted -= part.amount
        elif wanted:
            plan.split, plan.taken = part, wanted
            wanted = 0
        else:
            plan.voided.append(part)
    return plan


def status_at(status: str, held_until: datetime, now: datetime) -> HoldStatus:
    """What a hold is at an instant: it lapses by time, tidied away or not."""
    if status == HoldStatus.HELD.value and held_until <= now:
        return HoldStatus.LAPSED
    return HoldStatus(status)


def as_at(hold: Hold, now: datetime) -> Hold:
    """A hold as it is at an instant, whatever its row still says."""
    status = status_at(hold.status, hold.held_until, now)
    if status.value == hold.status:
        return hold
    ended_at = hold.ended_at or hold.held_until
    return Hold(**hold.model_dump() | {"status": status.value, "ended_at": ended_at})
