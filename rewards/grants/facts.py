"""Pure: the facts that conditions read of a member, from the world that events are folded over."""

from collections.abc import Callable, Mapping
from datetime import datetime

from rewards.campaigns.models import CapSubject, CapWindow
from rewards.campaigns.rules import COUNTED_MAX, Cap, LiveCampaign
from rewards.conditions.facts import Value, calendar_facts, member_facts
from rewards.grants.rules import counter_key, level_of
from rewards.grants.world import GrantWorld, MemberState

Builders = dict[str, Callable[[], Mapping[str, Value]]]
"""What puts the facts of each root together."""
_TODAY = Cap(CapSubject.MEMBER, CapWindow.DAY, COUNTED_MAX)
_TOTAL = Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, COUNTED_MAX)


def builders_of_member(
    world: GrantWorld, campaign: LiveCampaign, member: MemberState, at: datetime
) -> Builders:
    """Of every root but those of what happened: what any event's member has, as a campaign sees
    it. For ``LazyFacts``."""
    brand = world.brands[member.brand_id]
    return {
        "member": lambda: facts_of_member(world, member, at),
        "tier": lambda: tier_facts(world, member, at),
        "segment": lambda: {"codes": world.segments.get((brand.id, member.id), [])},
        "counters": lambda: counter_facts(world, campaign, member, at),
        "calendar": lambda: calendar_facts(at, brand.timezone, brand.member_dates),
    }


def facts_of_member(world: GrantWorld, member: MemberState, at: datetime) -> Mapping[str, Value]:
    """``member.*`` at an event's time. New is who was made by this very event, the first of a
    batch."""
    is_new = member.is_new or member.joined_at == world.now
    return member_facts(
        role=member.role,
        is_new=is_new and not member.is_greeted,
        invited_by_id=member.invited_by_id,
        joined_at=member.joined_at,
        birthday=member.birthday,
        at=at,
        timezone=world.brands[member.brand_id].timezone,
    )


def tier_facts(world: GrantWorld, member: MemberState, at: datetime) -> Mapping[str, Value]:
    """``tier.*`` at an event's time."""
    level = level_of(world, member, at)
    return {"rank": level.rank if level else 0, "code": level.code if level else ""}


def counter_facts(
    world: GrantWorld, campaign: LiveCampaign, member: MemberState, at: datetime
) -> Mapping[str, Value]:
    """``counters.*`` as they were read, with what earlier events of the batch counted."""
    brand, subject = world.brands[member.brand_id], member.id.hex
    today = counter_key(brand, campaign, _TODAY, subject, at)
    total = counter_key(brand, campaign, _TOTAL, subject, at)
    return {
        "memberToday": world.counters.get(today, 0),
        "memberTotal": world.counters.get(total, 0),
    }
