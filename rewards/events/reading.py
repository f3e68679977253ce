"""Pure: custom events as others post them, read into facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from loyalty.errors import InvalidInput, NotFound
from loyalty.members.rules import EXTERNAL_REF_LENGTH_MAX
from loyalty.text import checked_text
from rewards.campaigns.models import EventKind
from rewards.conditions.facts import custom_facts
from rewards.event_types.models import EventType
from rewards.event_types.rules import FieldValue, check_payload, fields_from_json
from rewards.events.rules import EventFact

REF_LENGTH_MAX = 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EventReport:
    """An event as it was posted. ``ref`` is the sender's; the member by one of the two. In the
    payload None stands for what is no one value."""

    ref: str
    type: str
    occurred_at: datetime
    payload: Sequence[tuple[str, FieldValue | None]]
    member_id: UUID | None = None
    external_ref: str | None = None


def read_external_ref(report: EventReport) -> str | None:
    """The outside reference by which the member is named, if it is. Refuses InvalidInput."""
    if (report.member_id is None) is (report.external_ref is None):
        raise InvalidInput(field="memberId", problem="a memberId or an externalRef")
    if report.external_ref is None:
        return None
    return checked_text(report.external_ref, "externalRef", length_max=EXTERNAL_REF_LENGTH_MAX)


def read_report(
    report: EventReport,
    types: Mapping[str, EventType],
    consumers: Mapping[str, UUID],
    now: datetime,
) -> EventFact:
    """A fact of a registered type. Refuses InvalidInput (with the field's path) and NotFound (event
    type, member)."""
    ref = checked_text(report.ref, "eventRef", length_max=REF_LENGTH_MAX)
    external_ref = read_external_ref(report)
    held = types.get(report.type)
    if held is None:
        raise NotFound(noun="event type")
    fields = fields_from_json(held.fields)
    payload = check_payload("payload", report.payload, fields)
    at = _checked_time(report.occurred_at, now)
    member_id = report.member_id
    if member_id is None:
        member_id = consumers.get(external_ref or "")
    if member_id is None:
        raise NotFound(noun="member")
    kinds = [(field.name, field.kind.value) for field in fields]
    custom = custom_facts(kinds, payload)
    return EventFact(EventKind.CUSTOM, ref, member_id, at, payload, type_id=held.id, custom=custom)


def _checked_time(at: datetime, now: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(field="occurredAt", problem="needs a time zone offset")
    if at > now:
        raise InvalidInput(field="occurredAt", problem="must not be in the future")
    if at < EARLIEST:
        raise InvalidInput(field="occurredAt", problem=f"not before {EARLIEST:%Y-%m-%d}")
    return at.astimezone(UTC)
