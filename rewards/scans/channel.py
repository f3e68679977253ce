"""Pure: what a consumer's paid scan comes to for the store, the dealer and the salesperson behind
its guide, where its campaign pays them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from loyalty.actor import MemberRole
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import LiveCampaign
from rewards.grants import rules as grants
from rewards.grants.world import CounterKey, Credit, MemberState
from rewards.scans.models import ChannelUnpaidReason
from rewards.scans.world import ScanRequest, ScanWorld, is_same_person


@dataclass(slots=True)
class ChannelPart:
    """What one role gets, or why it gets nothing. ``member``: who it is, if it is anybody."""

    role: str
    member: MemberState | None
    unpaid: ChannelUnpaidReason | None = None
    credits: list[Credit] = field(default_factory=list)
    caps: list[tuple[CounterKey, int]] = field(default_factory=list)


def plan_channel(
    world: ScanWorld,
    request: ScanRequest,
    campaign: LiveCampaign,
    member: MemberState,
    guide: MemberState | None,
) -> list[ChannelPart]:
    """A part for each role that the campaign pays, each by itself: whether the guide is paid, or
    another role is, makes no difference to it."""
    return [_plan(world, request, campaign, role, member, guide) for role in campaign.channel]


def _plan(
    world: ScanWorld,
    request: ScanRequest,
    campaign: LiveCampaign,
    role: MemberRole,
    member: MemberState,
    guide: MemberState | None,
) -> ChannelPart:
    if guide is None:
        return ChannelPart(role.value, None, ChannelUnpaidReason.NO_GUIDE)
    key = (guide.brand_id, guide.id, role.value)
    found = world.channel.get(key, ChannelUnpaidReason.NO_PLACE)
    if isinstance(found, ChannelUnpaidReason):
        return ChannelPart(role.value, None, found)
    if found.is_new and not found.is_greeted:  # enrolled by a later scan of this very batch
        return ChannelPart(role.value, None, ChannelUnpaidReason.NOT_ENROLLED)
    part = ChannelPart(role.value, found)
    if role is MemberRole.STORE:
        brand = world.grants.brands[found.brand_id]
        subjects: dict[CapSubject, str | None] = {CapSubject.STORE: found.id.hex}
        part.caps = grants.counter_keys(brand, campaign, subjects, world.grants.now)
    if found.status != "ACTIVE":
        part.unpaid = ChannelUnpaidReason.FROZEN
    elif is_same_person(world, request, member, found):
        part.unpaid = ChannelUnpaidReason.SELF_DEALING
    elif not grants.caps_allow(world.grants, part.caps):
        part.unpaid = ChannelUnpaidReason.CAP
    else:
        part.credits = grants.credits_of(world.grants, campaign, found)
    return part


def credits_of(parts: Iterable[ChannelPart]) -> list[Credit]:
    """What all of them get."""
    return [credit for part in parts for credit in part.credits]


def give_channel(
    world: ScanWorld, campaign: LiveCampaign, parts: Iterable[ChannelPart], cause: Cause
) -> None:
    """Give what was planned, at once or locked, and count it."""
    for part in parts:
        for credit in part.credits:
            grants.give(world.grants, campaign, credit, cause)
        if part.unpaid is None:
            grants.count_caps(world.grants, part.caps)
