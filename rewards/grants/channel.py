"""Pure: what the store, the dealer and the salesperson behind a sale get of what it gives, each by
itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.actor import MemberRole
from loyalty.ledger.rules import Cause
from loyalty.places.channel import Holder
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import NOTHING_BOUGHT, Bought, LiveCampaign
from rewards.grants import rules as grants
from rewards.grants.models import ChannelUnpaidReason
from rewards.grants.world import CounterKey, Credit, GrantWorld, MemberState

Backer = MemberState | ChannelUnpaidReason
"""Who has a role at a place, or why nobody does."""


@dataclass(slots=True)
class ChannelPart:
    """What one role gets, or why it gets nothing. ``member``: who it is, if it is anybody."""

    role: str
    member: MemberState | None
    unpaid: ChannelUnpaidReason | None = None
    credits: list[Credit] = field(default_factory=list)
    caps: list[tuple[CounterKey, int]] = field(default_factory=list)


def backer_of(holder: Holder) -> Backer:
    """The member who holds a role, or why there is none."""
    if holder.member_id is None or holder.identity_id is None or holder.status is None:
        named = holder.is_named
        return ChannelUnpaidReason.NOT_ENROLLED if named else ChannelUnpaidReason.VACANT
    return MemberState(
        holder.brand_id,
        holder.member_id,
        holder.identity_id,
        holder.role,
        holder.status,
        person_id=holder.person_id,
        joined_at=holder.enrolled_at,
    )


def plan_part(
    world: GrantWorld,
    campaign: LiveCampaign,
    role: MemberRole,
    backer: Backer,
    at: datetime,
    *,
    is_buyer: bool,
    bought: Bought = NOTHING_BOUGHT,
) -> ChannelPart:
    """One role's part of an event of that time. ``is_buyer``: it would sell to itself."""
    if isinstance(backer, ChannelUnpaidReason):
        return ChannelPart(role.value, None, backer)
    part = ChannelPart(role.value, backer, caps=caps_of_store(world, campaign, backer, at))
    if backer.status != "ACTIVE":
        part.unpaid = ChannelUnpaidReason.FROZEN
    elif is_buyer:
        part.unpaid = ChannelUnpaidReason.SELF_DEALING
    elif not grants.caps_allow(world, part.caps):
        part.unpaid = ChannelUnpaidReason.CAP
    else:
        part.credits = grants.credits_of(world, campaign, backer, bought, at)
    return part


def caps_of_store(
    world: GrantWorld, campaign: LiveCampaign, member: MemberState, at: datetime
) -> list[tuple[CounterKey, int]]:
    """The counters that an event which pays a store counts in, with their limits; of a dealer or a
    salesperson none."""
    if member.role != MemberRole.STORE:
        return []
    brand = world.brands[member.brand_id]
    return grants.counter_keys(brand, campaign, {CapSubject.STORE: member.id.hex}, at)


def credits_of(parts: Iterable[ChannelPart]) -> list[Credit]:
    """What all of them get."""
    return [credit for part in parts for credit in part.credits]


def give_channel(
    world: GrantWorld, campaign: LiveCampaign, parts: Iterable[ChannelPart], cause: Cause
) -> None:
    """Give what was planned, at once or locked, and count it."""
    for part in parts:
        for credit in part.credits:
            grants.give(world, campaign, credit, cause)
        if part.unpaid is None:
            grants.count_caps(world, part.caps)
