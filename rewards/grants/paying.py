"""Pure: what an event's first campaign gives the event's member, all of it or nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.ledger.rules import Cause
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts
from rewards.conditions.rules import Questions
from rewards.draws.drawing import Turn, claim_by_cause, draw_all
from rewards.draws.folding import DrawState, can_draw
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
    purchase, what each role behind its place got. ``draws``: of whoever draws; what the event's own
    member won is earned too."""

    earned: tuple[Earned, ...]
    bonuses: tuple[GivenBonus, ...] = ()
    channel: tuple[ChannelPart, ...] = ()
    draws: tuple[DrawState, ...] = ()

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
    world: GrantWorld,
    brand_id: UUID,
    questions: Questions,
    candidates: Iterable[LiveCampaign],
    facts: Callable[[LiveCampaign], Facts],
) -> LiveCampaign | None:
    """The campaign for an event: the first whose condition holds. A draw without today's seed does
    not run."""
    for campaign in candidates:
        if not can_draw(world, campaign, brand_id):
            continue
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
    if not credits and not campaign.draws(MemberRole(member.role)):
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
    give_channel(world, campaign, channel, cause)
    beside = [part.member for part in channel if part.member is not None and part.unpaid is None]
    turn = Turn(cause, member, beside, lambda: stacking.facts(campaign), stacking.questions.holds)
    draws = draw_all(world, campaign, turn, claim_by_cause(cause))
    earned += [
        Earned(state.credit.asset, state.credit.amount, state.locked is not None)
        for state in draws
        if state.drawing.member is member
        and state.credit is not None
        and state.credit.template_id is None
    ]
    grants.count_caps(world, caps)
    given = give_bonuses(world, bonuses, cause, member)
    return Given(tuple(earned), tuple(given), channel, tuple(draws))
