"""Pure: what one scan comes to, and what becomes of the claims of its item."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loyalty.ledger.rules import Cause
from rewards.campaigns.rules import LiveCampaign
from rewards.draws.folding import DrawState
from rewards.grants.boxes import count_bottle
from rewards.grants.channel import ChannelPart
from rewards.grants.world import GivenBonus, LockedState, MemberState
from rewards.scans.models import ClaimOutcome, GuideUnpaidReason, UnpaidReason
from rewards.scans.world import CONSUMER, GUIDE, ClaimState, ScanRequest, ScanWorld


@dataclass(slots=True)
class Outcome:
    """What one scan came to, before it is noted."""

    unpaid: UnpaidReason | None = None
    guide: MemberState | None = None
    guide_unpaid: GuideUnpaidReason | None = None
    campaign: LiveCampaign | None = None
    rewards: list[dict[str, Any]] = field(default_factory=list)
    coupons: list[dict[str, Any]] = field(default_factory=list)
    unlocked: Sequence[LockedState] = ()
    draw: DrawState | None = None
    bonuses: Sequence[GivenBonus] = ()
    channel: Sequence[ChannelPart] = ()


def cause_of(request: ScanRequest, now: datetime) -> Cause:
    """A scan as a cause of what it moves."""
    actor = request.actor
    return Cause("SCAN", request.scan_id, actor.kind.value, actor.id, "scan", now)


def note_claims(
    world: ScanWorld,
    request: ScanRequest,
    item: int,
    member: MemberState,
    outcome: Outcome,
    guide_claim: ClaimState | None,
) -> None:
    """The consumer's claim and those of the channel are consumed, and the guide's consumed or
    settled, by one scan; so one more bottle of its box is scanned."""
    brand_id = member.brand_id
    if request.scan_id in world.grants.boxes:
        opened = count_bottle(world.grants, cause_of(request, world.grants.now))
        outcome.unlocked = [*outcome.unlocked, *(s for s in opened if s.member_id == member.id)]
    campaign_id = outcome.campaign.id if outcome.campaign else None
    broke = outcome.unpaid is UnpaidReason.BUDGET
    consumer_end = ClaimOutcome.BUDGET if broke else ClaimOutcome.PAID
    if broke:
        guide_end = ClaimOutcome.BUDGET.value
    elif outcome.guide_unpaid is not None:
        guide_end = ClaimOutcome(_CLAIM_END_BY_REASON[outcome.guide_unpaid]).value
    else:
        guide_end = ClaimOutcome.PAID.value
    world.claims[(brand_id, item, CONSUMER)] = ClaimState(
        request.scan_id, member.id, consumer_end.value, campaign_id, request.scan_id, is_new=True
    )
    for part in outcome.channel:
        end = ClaimOutcome(part.unpaid.value) if part.unpaid else ClaimOutcome.PAID
        world.claims[(brand_id, item, part.role)] = ClaimState(
            request.scan_id,
            part.member.id if part.member else None,
            (ClaimOutcome.BUDGET if broke else end).value,
            campaign_id,
            request.scan_id,
            is_new=True,
        )
    if guide_claim is not None:
        guide_claim.outcome = guide_end
        guide_claim.settled_scan_id = request.scan_id
        guide_claim.is_settled_now = True
        return
    world.claims[(brand_id, item, GUIDE)] = ClaimState(
        request.scan_id,
        outcome.guide.id if outcome.guide else None,
        guide_end,
        campaign_id,
        request.scan_id,
        is_new=True,
    )


_CLAIM_END_BY_REASON = {
    GuideUnpaidReason.NO_GUIDE: ClaimOutcome.NO_GUIDE,
    GuideUnpaidReason.GUIDE_CAP: ClaimOutcome.GUIDE_CAP,
    GuideUnpaidReason.GUIDE_FROZEN: ClaimOutcome.GUIDE_FROZEN,
    GuideUnpaidReason.GUIDE_BUDGET: ClaimOutcome.BUDGET,
    GuideUnpaidReason.GUIDE_VOIDED: ClaimOutcome.GUIDE_VOIDED,
    GuideUnpaidReason.NO_GUIDE_OUTCOME: ClaimOutcome.NO_GUIDE_OUTCOME,
}
