"""Pure: the events that come of what else happens. Their references say what may be once."""

from datetime import date, datetime
from uuid import UUID

from rewards.campaigns.models import EventKind
from rewards.event_types.rules import FieldValue
from rewards.events.rules import EventFact

FOLLOW = "follow"
"""The action of which FOLLOWED is told besides."""


def signed_up(member_id: UUID, at: datetime) -> EventFact:
    """Once a member."""
    return EventFact(EventKind.SIGN_UP, member_id.hex, member_id, at)


def profile_completed(member_id: UUID, at: datetime) -> EventFact:
    """Once a member."""
    return EventFact(EventKind.PROFILE_COMPLETED, member_id.hex, member_id, at)


def checked_in(member_id: UUID, on: date, scene: str, at: datetime) -> EventFact:
    """Once a member's local day. ``scene``: where in the client, as that says."""
    ref = f"{member_id.hex}:{on.isoformat()}"
    return EventFact(EventKind.CHECK_IN, ref, member_id, at, {"scene": scene})


def birthday_ref_end(on: date) -> str:
    """What follows the member in the reference of a birthday: once a year."""
    return f":{on.year}"


def birthday(member_id: UUID, on: date, at: datetime) -> EventFact:
    """Once a member's year."""
    return EventFact(EventKind.BIRTHDAY, f"{member_id.hex}{birthday_ref_end(on)}", member_id, at)


def tier_reached(
    member_id: UUID, change_id: str, level: str, rank: int, from_rank: int, at: datetime
) -> EventFact:
    """Once a change of level."""
    payload: dict[str, FieldValue] = {"level": level, "rank": rank, "fromRank": from_rank}
    return EventFact(EventKind.TIER_REACHED, change_id, member_id, at, payload)


def action_reported(member_id: UUID, report_id: UUID, action: str, at: datetime) -> list[EventFact]:
    """Each report; and that a member follows us, once a member."""
    payload: dict[str, FieldValue] = {"action": action}
    facts = [EventFact(EventKind.ACTION, report_id.hex, member_id, at, payload)]
    if action == FOLLOW:
        facts.append(EventFact(EventKind.FOLLOWED, member_id.hex, member_id, at, payload))
    return facts


def task_ref(task_id: UUID, member_id: UUID, period: str) -> str:
    """The reference of a completed task: once a member and period of it."""
    return f"{task_id.hex}:{member_id.hex}:{period}"


def task_completed(
    task_id: UUID, task: str, member_id: UUID, period: str, at: datetime
) -> EventFact:
    """Once a task, member and period of the task. ``task``: its code."""
    ref = task_ref(task_id, member_id, period)
    payload: dict[str, FieldValue] = {"task": task, "period": period}
    return EventFact(EventKind.TASK_COMPLETED, ref, member_id, at, payload)


def survey_answered(survey_id: UUID, survey: str, member_id: UUID, at: datetime) -> EventFact:
    """Once a survey and member. ``survey``: its code."""
    ref = f"{survey_id.hex}:{member_id.hex}"
    return EventFact(EventKind.SURVEY_ANSWERED, ref, member_id, at, {"survey": survey})


def referral(referrer_id: UUID, referred_id: UUID, first_act: str, at: datetime) -> EventFact:
    """Of the referrer, once a referred member's life. ``first_act``: SCAN or PURCHASE."""
    payload: dict[str, FieldValue] = {"firstAct": first_act}
    return EventFact(EventKind.REFERRAL, referred_id.hex, referrer_id, at, payload)
