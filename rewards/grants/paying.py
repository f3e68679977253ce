"""Pure: what an event's campaign gives the event's member, all of it or nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts
from rewards.conditions.rules import Questions
from rewards.grants import rules as grants
from rewards.grants.world import BrandConfiguration, CounterKey, GrantWorld, MemberState


@dataclass(frozen=True, slots=True)
class Earned:
    """What an event earned of one asset; locked: it waits for a named thing."""

    asset: str
    amount: int
    locked: bool


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


def caps_of(
    brand: BrandConfiguration, campaign: LiveCampaign, member_id: UUID, at: datetime
) -> list[tuple[CounterKey, int]]:
    """The counters that an event of a member counts in, with their limits."""
    return grants.counter_keys(brand, campaign, {CapSubject.MEMBER: member_id.hex}, at)


def pay(
    world: GrantWorld,
    campaign: LiveCampaign,
    member: MemberState,
    cause: Cause,
    amount_fen: int = 0,
) -> tuple[Earned, ...] | NotPaid:
    """Give a member what a campaign gives it for an event, and count it: what it was, or why not.
    ``amount_fen`` is what was spent."""
    at = cause.occurred_at
    credits = grants.credits_of(world, campaign, member, amount_fen, at)
    if not credits:
        return NotPaid.NOTHING_FOR_ROLE
    caps = caps_of(world.brands[member.brand_id], campaign, member.id, at)
    if not grants.caps_allow(world, caps):
        return NotPaid.CAP
    if not grants.within_budget(world, campaign, credits):
        return NotPaid.BUDGET
    earned = []
    for credit in credits:
        locked = grants.give(world, campaign, credit, cause)
        earned.append(Earned(credit.asset, credit.amount, locked is not None))
    grants.count_caps(world, caps)
    return tuple(earned)
