"""Pure: what an event comes to.

``decide`` folds one event over an ``EventWorld``: it sees what earlier events of the same set did,
and notes what is to be written. No I/O, no clock, no session.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson

from loyalty.actor import Actor, MemberRole
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts, LazyFacts, Value
from rewards.conditions.rules import Questions
from rewards.draws.folding import DrawState
from rewards.event_types.rules import FieldValue
from rewards.events.models import EventUnpaidReason
from rewards.grants.facts import builders_of_member
from rewards.grants.paying import NotPaid, choose_campaign, pay
from rewards.grants.rules import BrandConfiguration, GrantWorld, MemberState
from rewards.grants.stacking import Stacking
from rewards.grants.world import Earned

CAUSE_KIND = "EVENT"
FROZEN = "FROZEN"

EventKey = tuple[str, str]
"""(kind, ref): what may be once."""


@dataclass(frozen=True, slots=True)
class EventFact:
    """One event as it was told. ``type_id`` is of a CUSTOM one, ``custom`` its payload with what
    was left out."""

    kind: EventKind
    ref: str
    member_id: UUID
    at: datetime
    payload: Mapping[str, FieldValue] = field(default_factory=dict)
    type_id: UUID | None = None
    custom: Mapping[str, Value] = field(default_factory=dict)

    @property
    def key(self) -> EventKey:
        return (self.kind.value, self.ref)

    @property
    def content_hash(self) -> str:
        """Tells a repeat of the same event from another one under its reference. Our own references
        say what may be once, whatever else there is to be told of it."""
        body: list[object] = [self.member_id.hex]
        if self.type_id is not None:
            body += [self.type_id.hex, self.at, sorted(self.payload.items())]
        return hashlib.sha256(orjson.dumps(body)).hexdigest()


class EventStatus(StrEnum):
    """RECORDED now; ALREADY_RECORDED with the same content; CONFLICT with other content; of nobody
    whom the brand knows."""

    RECORDED = "RECORDED"
    ALREADY_RECORDED = "ALREADY_RECORDED"
    CONFLICT = "CONFLICT"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that is there, or is to be written."""

    id: UUID
    content_hash: str
    unpaid_reason: EventUnpaidReason | None
    earned: tuple[Earned, ...]


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event; of a repeat, what became of the first."""

    status: EventStatus
    recorded: RecordedEvent | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be written. ``campaign_version_id`` is what it fell to, paid or not."""

    fact: EventFact
    recorded: RecordedEvent
    campaign_version_id: UUID | None


@dataclass(slots=True)
class EventWorld:
    """What a set of events of one brand may touch, as read, and what it is to write. ``members``:
    by the id that events name, whoever that is by now."""

    grants: GrantWorld
    brand: BrandConfiguration
    recorded: dict[EventKey, RecordedEvent] = field(default_factory=dict)
    members: dict[UUID, MemberState] = field(default_factory=dict)
    new: list[NewEvent] = field(default_factory=list)
    draws: list[DrawState] = field(default_factory=list)
    questions: Questions = field(default_factory=Questions)


def fresh_facts(world: EventWorld, facts: Iterable[EventFact]) -> list[EventFact]:
    """The events that may be recorded: the first of each key that is not there yet."""
    first: dict[EventKey, EventFact] = {}
    for fact in facts:
        if fact.key not in world.recorded:
            first.setdefault(fact.key, fact)
    return list(first.values())


def candidates(world: EventWorld, fact: EventFact, member: MemberState) -> tuple[LiveCampaign, ...]:
    """The campaigns that may be for a member's event, in the order they are asked: those that pay
    its role."""
    role = MemberRole(member.role)
    return world.brand.campaigns.candidates(fact.kind, fact.type_id, fact.at, role=role)


def bonuses(world: EventWorld, fact: EventFact, member: MemberState) -> tuple[LiveCampaign, ...]:
    """The bonus campaigns that may pay on top, in the order they are asked."""
    role = MemberRole(member.role)
    return world.brand.campaigns.bonuses(fact.kind, fact.type_id, fact.at, role=role)


def _pays_others(world: EventWorld, fact: EventFact) -> bool:
    """Whether any campaign runs for such events, in whatever role their members are."""
    index, about = world.brand.campaigns, (fact.kind, fact.type_id, fact.at)
    return any(index.candidates(*about, role=role) for role in MemberRole)


def event_facts(
    world: EventWorld, fact: EventFact, member: MemberState, campaign: LiveCampaign
) -> Facts:
    """An event's facts as a campaign sees them, put together as they are asked for."""
    at = fact.at
    made: dict[str, Value] = {"isNew": True} if fact.kind is EventKind.SIGN_UP else {}
    own: dict[str, Value] = {} if fact.kind is EventKind.CUSTOM else dict(fact.payload)
    builders = builders_of_member(world.grants, campaign, member, at)
    return LazyFacts(
        {
            "event": lambda: {"kind": fact.kind.value, "at": at, **own},
            "custom": lambda: fact.custom,
            **builders,
            "member": lambda: {**builders["member"](), **made},
        }
    )


def decide(world: EventWorld, actor: Actor, fact: EventFact) -> EventResult:
    """Fold one event over the world. Over a cap or the budget it is recorded and unpaid."""
    content_hash = fact.content_hash
    recorded = world.recorded.get(fact.key)
    if recorded is not None:
        if recorded.content_hash != content_hash:
            return EventResult(EventStatus.CONFLICT)
        return EventResult(EventStatus.ALREADY_RECORDED, recorded)
    member = world.members.get(fact.member_id)
    if member is None:
        return EventResult(EventStatus.MEMBER_UNKNOWN)
    kind, id = fact.kind.value, world.grants.new_id()
    cause = Cause(CAUSE_KIND, id, actor.kind.value, actor.id, kind, fact.at)
    campaign, given = _reward(world, fact, member, cause)
    unpaid, earned = (given, ()) if isinstance(given, EventUnpaidReason) else (None, given)
    member.is_greeted = True
    recorded = RecordedEvent(cause.id, content_hash, unpaid, earned)
    world.recorded[fact.key] = recorded
    world.new.append(NewEvent(fact, recorded, campaign.version_id if campaign else None))
    return EventResult(EventStatus.RECORDED, recorded)


def _reward(
    world: EventWorld, fact: EventFact, member: MemberState, cause: Cause
) -> tuple[LiveCampaign | None, EventUnpaidReason | tuple[Earned, ...]]:
    """Give what the campaign gives: the campaign, and what it was or why not."""
    if member.status == FROZEN:
        return None, EventUnpaidReason.FROZEN

    def facts(campaign: LiveCampaign) -> Facts:
        return event_facts(world, fact, member, campaign)

    found = candidates(world, fact, member)
    campaign = choose_campaign(world.grants, world.brand.id, world.questions, found, facts)
    if campaign is None:
        is_others = not found and _pays_others(world, fact)
        reason = EventUnpaidReason.NOTHING_FOR_ROLE if is_others else EventUnpaidReason.NO_CAMPAIGN
        return None, reason
    stacking = Stacking(bonuses(world, fact, member), world.questions, facts)
    given = pay(world.grants, campaign, member, cause, stacking)
    if isinstance(given, NotPaid):
        return campaign, EventUnpaidReason(given.value)
    world.draws += given.draws
    return campaign, given.earned
