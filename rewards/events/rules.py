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

from loyalty.actor import Actor
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject, EventKind
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts, LazyFacts, Value, calendar_facts
from rewards.conditions.rules import Questions
from rewards.event_types.rules import FieldValue
from rewards.events.models import EventUnpaidReason
from rewards.grants import rules as grants
from rewards.grants.facts import counter_facts, facts_of_member, tier_facts
from rewards.grants.rules import BrandConfiguration, CounterKey, GrantWorld, MemberState

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
class EventReward:
    """What an event earned of one asset; locked: it waits for a named thing."""

    asset: str
    amount: int
    locked: bool


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that is there, or is to be written."""

    id: UUID
    content_hash: str
    unpaid_reason: EventUnpaidReason | None
    earned: tuple[EventReward, ...]


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
    questions: Questions = field(default_factory=Questions)


def fresh_facts(world: EventWorld, facts: Iterable[EventFact]) -> list[EventFact]:
    """The events that may be recorded: the first of each key that is not there yet."""
    first: dict[EventKey, EventFact] = {}
    for fact in facts:
        if fact.key not in world.recorded:
            first.setdefault(fact.key, fact)
    return list(first.values())


def candidates(world: EventWorld, fact: EventFact) -> tuple[LiveCampaign, ...]:
    """The campaigns that may be for an event, in the order they are asked."""
    return world.brand.campaigns.candidates(fact.kind, fact.type_id, fact.at)


def event_facts(
    world: EventWorld, fact: EventFact, member: MemberState, campaign: LiveCampaign
) -> Facts:
    """An event's facts as a campaign sees them, put together as they are asked for."""
    at = fact.at
    made: dict[str, Value] = {"isNew": True} if fact.kind is EventKind.SIGN_UP else {}
    own: dict[str, Value] = {} if fact.kind is EventKind.CUSTOM else dict(fact.payload)
    return LazyFacts(
        {
            "event": lambda: {"kind": fact.kind.value, "at": at, **own},
            "custom": lambda: fact.custom,
            "member": lambda: {**facts_of_member(world.grants, member, at), **made},
            "tier": lambda: tier_facts(world.grants, member, at),
            "counters": lambda: counter_facts(world.grants, campaign, member, at),
            "calendar": lambda: calendar_facts(at, world.brand.timezone, world.brand.member_dates),
        }
    )


def choose_campaign(world: EventWorld, fact: EventFact, member: MemberState) -> LiveCampaign | None:
    """The campaign for an event: the first whose condition holds."""
    for campaign in candidates(world, fact):
        if campaign.condition is None or world.questions.holds(
            campaign.condition, event_facts(world, fact, member, campaign)
        ):
            return campaign
    return None


def caps_of(
    brand: BrandConfiguration, campaign: LiveCampaign, member_id: UUID, at: datetime
) -> list[tuple[CounterKey, int]]:
    """The counters that an event of a member counts in, with their limits."""
    return grants.counter_keys(brand, campaign, {CapSubject.MEMBER: member_id.hex}, at)


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
    campaign = None if member.status == FROZEN else choose_campaign(world, fact, member)
    given = _reward(world, fact, member, campaign, cause)
    unpaid, earned = (given, ()) if isinstance(given, EventUnpaidReason) else (None, given)
    member.is_greeted = True
    recorded = RecordedEvent(cause.id, content_hash, unpaid, earned)
    world.recorded[fact.key] = recorded
    world.new.append(NewEvent(fact, recorded, campaign.version_id if campaign else None))
    return EventResult(EventStatus.RECORDED, recorded)


def _reward(
    world: EventWorld,
    fact: EventFact,
    member: MemberState,
    campaign: LiveCampaign | None,
    cause: Cause,
) -> EventUnpaidReason | tuple[EventReward, ...]:
    """Give what the campaign gives, all of it or nothing: what it was, or why not."""
    if member.status == FROZEN:
        return EventUnpaidReason.FROZEN
    if campaign is None:
        return EventUnpaidReason.NO_CAMPAIGN
    credits = grants.credits_of(world.grants, campaign, member, 0, fact.at)
    if not credits:
        return EventUnpaidReason.NOTHING_FOR_ROLE
    caps = caps_of(world.brand, campaign, member.id, fact.at)
    if not grants.caps_allow(world.grants, caps):
        return EventUnpaidReason.CAP
    if not grants.within_budget(world.grants, campaign, credits):
        return EventUnpaidReason.BUDGET
    earned = []
    for credit in credits:
        locked = grants.give(world.grants, campaign, credit, cause)
        earned.append(EventReward(credit.asset, credit.amount, locked is not None))
    grants.count_caps(world.grants, caps)
    return tuple(earned)
