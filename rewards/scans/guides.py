"""Pure: whose guide is behind a consumer's scan, what the guide gets, and what gates lock of it."""

from collections.abc import Iterable

from loyalty.actor import MemberRole
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject, Gate, UnlockKind
from rewards.campaigns.rules import LiveCampaign
from rewards.grants import rules as grants
from rewards.grants.channel import give_channel
from rewards.grants.rules import BrandConfiguration, Credit, LockedState, MemberState, Unlock
from rewards.grants.world import at_once, gate_ends
from rewards.scans.claims import Outcome
from rewards.scans.models import ClaimOutcome, GuideUnpaidReason
from rewards.scans.world import GUIDE, ClaimState, ScanWorld, unlock_key


def find_guide(
    world: ScanWorld, member: MemberState, claim: ClaimState | None
) -> MemberState | None:
    """Whose guide: who pre-scanned the OUTER code; else who invited the consumer."""
    if claim is not None:
        if claim.member_id is None:
            return None
        return world.members_by_id.get((member.brand_id, claim.member_id))
    if member.invited_by_id is None:
        return None
    inviter = world.members_by_id.get((member.brand_id, member.invited_by_id))
    return inviter if inviter is not None and inviter.role == GUIDE else None


def plan_guide(
    world: ScanWorld,
    brand: BrandConfiguration,
    campaign: LiveCampaign,
    item: int,
    guide: MemberState | None,
    claim: ClaimState | None,
) -> tuple[GuideUnpaidReason | None, list[Credit], list[tuple[grants.CounterKey, int]]]:
    """Why the guide gets nothing, or what it gets beyond what a pre-scan has locked for it."""
    if claim is not None and claim.outcome == ClaimOutcome.BUDGET:
        return GuideUnpaidReason.GUIDE_BUDGET, [], []
    if guide is None:
        return GuideUnpaidReason.NO_GUIDE, [], []
    if guide.status != "ACTIVE":
        return GuideUnpaidReason.GUIDE_FROZEN, [], []
    if claim is not None and claim.outcome == ClaimOutcome.LOCKED:
        waits = grants.waits_for_item(world.grants, brand.id, unlock_key(item))
        return (None if waits else GuideUnpaidReason.GUIDE_VOIDED), [], []
    credits = grants.credits_of(world.grants, campaign, guide)
    if campaign.gate is not Gate.CONSUMER_TAKEN:
        credits = [at_once(credit) for credit in credits]
    if not credits and not campaign.draws(MemberRole.GUIDE):
        return GuideUnpaidReason.NO_GUIDE_OUTCOME, [], []
    caps = grants.counter_keys(brand, campaign, {CapSubject.GUIDE: guide.id.hex}, world.grants.now)
    if not grants.caps_allow(world.grants, caps):
        return GuideUnpaidReason.GUIDE_CAP, [], []
    return None, credits, caps


def pay_guide(
    world: ScanWorld,
    item: int,
    campaign: LiveCampaign,
    outcome: Outcome,
    credits: Iterable[Credit],
    cause: Cause,
) -> None:
    """What a pre-scan has locked for the guide, if it is paid; what there is beyond that; and what
    there is for who stands behind it."""
    if outcome.guide is not None:
        pays = outcome.guide_unpaid is None
        grants.settle_item(world.grants, outcome.guide, unlock_key(item), cause, post=pays)
    for credit in credits:
        if campaign.gate is Gate.CONSUMER_TAKEN:
            lock_gated(world, campaign, credit, item, cause)
        else:
            grants.give(world.grants, campaign, credit, cause)
    give_channel(world.grants, campaign, outcome.channel, cause)


def lock_gated(
    world: ScanWorld, campaign: LiveCampaign, credit: Credit, item: int, cause: Cause
) -> LockedState:
    """Lock what a guide gets until what its campaign's gate waits for."""
    taken = campaign.gate is Gate.CONSUMER_TAKEN
    kind = UnlockKind.TAKEN if taken else UnlockKind.ITEM
    unlock = Unlock(kind, unlock_key(item), lapses_at=gate_ends(credit, cause.occurred_at))
    return grants.lock(world.grants, campaign, credit, cause, unlock)
