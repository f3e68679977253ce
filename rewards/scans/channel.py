"""Pure: what a consumer's paid scan comes to for the store, the dealer and the salesperson behind
its guide, where its campaign pays them."""

from loyalty.actor import MemberRole
from rewards.campaigns.rules import LiveCampaign
from rewards.grants.channel import ChannelPart, plan_part
from rewards.grants.models import ChannelUnpaidReason
from rewards.grants.world import MemberState
from rewards.scans.world import ScanRequest, ScanWorld, is_same_person


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
    is_buyer = False
    if isinstance(found, MemberState):
        if found.is_new and not found.is_greeted:  # enrolled by a later scan of this very batch
            found = ChannelUnpaidReason.NOT_ENROLLED
        else:
            is_buyer = is_same_person(world, request, member, found)
    now = world.grants.now
    return plan_part(world.grants, campaign, role, found, now, is_buyer=is_buyer)
