"""Pure: what there was before the first event of a dry run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from rewards.campaigns.rules import LiveCampaign, index_campaigns
from rewards.coupons.models import CouponTemplate
from rewards.grants.models import ChannelUnpaidReason
from rewards.grants.world import BrandConfiguration, MemberState
from rewards.scans.world import ClaimKey, ClaimState, CodeKeyOfItem, ItemCodeState
from tiers.standings.folding import MemberTier


@dataclass(frozen=True, slots=True)
class Start:
    """What there was before the first event. ``people`` by identity and role; of who is not among
    them a member is made. ``channel``: by the id of a guide or a place, and role, the id of who
    stands behind it now, or why nobody does; a place that is not there is made up. Counters begin
    at none, budgets whole. ``segments`` are those that members are in now, by member;
    ``codes`` had been scanned before, where a campaign asks how often."""

    brand: BrandConfiguration
    people: Mapping[tuple[UUID, str], MemberState] = field(default_factory=dict)
    tiers: Mapping[UUID, MemberTier] = field(default_factory=dict)
    claims: Mapping[ClaimKey, ClaimState] = field(default_factory=dict)
    devices: frozenset[tuple[UUID, str, UUID]] = frozenset()
    stock: Mapping[UUID, int | None] = field(default_factory=dict)
    templates: Mapping[UUID, CouponTemplate] = field(default_factory=dict)
    channel: Mapping[tuple[UUID, str], UUID | ChannelUnpaidReason] = field(default_factory=dict)
    segments: Mapping[tuple[UUID, UUID], list[str]] = field(default_factory=dict)
    codes: Mapping[CodeKeyOfItem, ItemCodeState] = field(default_factory=dict)


def with_campaign(start: Start, campaign: LiveCampaign) -> Start:
    """The same brand, with this campaign in the place of the one with its code."""
    others = [each for each in start.brand.campaigns.all() if each.code != campaign.code]
    brand = replace(
        start.brand,
        campaigns=index_campaigns([*others, campaign]),
        coupon_templates={**start.brand.coupon_templates, **start.templates},
    )
    return replace(start, brand=brand)
