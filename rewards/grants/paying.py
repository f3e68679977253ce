"""Pure: what an event's first campaign gives the event's member, all of it or nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from loyalty.ledger.rules import Cause
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts
from rewards.conditions.rules import Questions
from rewards.grants import rules as grants
from rewards.grants.channel import ChannelPart, credits_of, give_channel
from rewards.grants.stacking import Paid, Stacking, by_asset, give_bonuses, plan_bonuses
from rewards.grants.world import (
    Earned,
    GivenBonus,
    GrantWorld,
    MemberState,
)


@dataclass(frozen=True, slots=True)
class Given:
    """What an event's first campaign gave, and what its bonuses came to. ``channel``: of a
    purchase, what each role behind its place got."""

    earned: tuple[Earned, ...]
    bonuses: tuple[GivenBonus, ...] = ()
    channel: tuple[ChannelPart, ...] = ()

    def at_once(self, asset: str) -> int:
        """How much of an asset it came to in all, unlocked."""
        own = sum(each.amount for each in self.earned if each.asset == asset and not each.locked)
        return own + sum(
            credit.amount
            for bonus in self.bonuses
            for credit, locked in bonus.rewards
            if credit.asset == asset and locked is None
        )


class NotPaid(StrEnum):
    """Why a campaign gave nothing. NOTHING_FOR_ROLE: it pays other roles, or nothing for this."""

    NOTHING_FOR_ROLE = "NOTHING_FOR_ROLE"
    CAP = "CAP"
    BUDGET = "BUDGET"


def choose_campaign(
    questions: Questions,
    candidates: Iterable[LiveCampaign],
    facts: Callable[[LiveCampaign], Facts],
) -> LiveCampaign | None:
    """The campaign for an event: the first whose condition holds."""
    for campaign in candidates:
        if campaign.condition is None or questions.holds(campaign.condition, facts(campaign)):
            return campaign
    return None


def pay(
    world: GrantWorld,
    campaign: LiveCampaign,
    member: MemberState,
    cause: Cause,
    stacking: Stacking,
    plan_channel: Callable[[], Iterable[ChannelPart]] = tuple,
) -> Given | NotPaid:
    """Give a member what a campaign gives it for an event, and count it: what it was, or why not.
    If it was anything, then also its bonuses, and what ``plan_channel`` finds for who is behind
    the event; the budget is one for all of these but bonuses."""
    at = cause.occurred_at
    credits = grants.credits_of(world, campaign, member, stacking.bought, at)
    if not credits:
        return NotPaid.NOTHING_FOR_ROLE
    caps = grants.caps_of(world.brands[member.brand_id], campaign, member.id, at)
    if not grants.caps_allow(world, caps):
        return NotPaid.CAP
    channel = tuple(plan_channel())
    if not grants.within_budget(world, campaign, [*credits, *credits_of(channel)]):
        return NotPaid.BUDGET
    bonuses = plan_bonuses(world, stacking, cause, Paid(member, by_asset(credits)))
    earned = []
    for credit in credits:
        locked = grants.give(world, campaign, credit, cause)
        if credit.template_id is None:  # coupons are found by their cause
            earned.append(Earned(credit.asset, credit.amount, locked is not None))
    grants.count_caps(world, caps)
    give_channel(world, campaign, channel, cause)
    given = give_bonuses(world, bonuses, cause, member)
    return Given(tuple(earned), tuple(given), channel)
