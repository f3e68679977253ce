"""Pure: bonus campaigns, which pay on top of what an event's first campaign gives; of each group
the one that it chooses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import NOTHING_BOUGHT, Bought, LiveCampaign
from rewards.conditions.facts import Facts
from rewards.conditions.rules import Questions
from rewards.grants import rules as grants
from rewards.grants.models import BonusUnpaidReason
from rewards.grants.world import Credit, Earned, GivenBonus, GrantWorld, MemberState


@dataclass(frozen=True, slots=True)
class Paid:
    """Whom the first campaign pays, and what it gives, by asset."""

    member: MemberState
    gets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stacking:
    """What there is to know of an event for its bonuses: ``candidates`` in the order in which they
    are asked, and what their conditions read."""

    candidates: tuple[LiveCampaign, ...]
    questions: Questions
    facts: Callable[[LiveCampaign], Facts]
    bought: Bought = NOTHING_BOUGHT
    device: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedBonus:
    """The choice of a group, with what it is to give."""

    campaign: LiveCampaign
    credits: list[Credit]
    guide: MemberState | None = None
    guide_credits: list[Credit] = field(default_factory=list)


def by_asset(credits: Iterable[Credit]) -> dict[str, int]:
    """What credits come to."""
    sums: dict[str, int] = {}
    for credit in credits:
        sums[credit.asset] = sums.get(credit.asset, 0) + credit.amount
    return sums


def plan_bonuses(
    world: GrantWorld, stacking: Stacking, cause: Cause, paid: Paid, guide: Paid | None = None
) -> list[PlannedBonus]:
    """The choice of each group. To be asked before the first campaign's rewards are given, which
    may move a level: an event is paid by the level that it finds."""
    groups: dict[str, list[LiveCampaign]] = {}
    for campaign in stacking.candidates:
        if campaign.bonus is not None:
            groups.setdefault(campaign.bonus.group, []).append(campaign)
    planned = []
    for _, group in sorted(groups.items()):
        chosen = _choose(world, stacking, cause, paid, group)
        if chosen is not None and guide is not None:
            campaign, credits = chosen.campaign, _credits(world, stacking, cause, guide, chosen)
            chosen = PlannedBonus(campaign, chosen.credits, guide.member, credits)
        if chosen is not None:
            planned.append(chosen)
    return planned


def _choose(
    world: GrantWorld, stacking: Stacking, cause: Cause, paid: Paid, group: list[LiveCampaign]
) -> PlannedBonus | None:
    """The first whose condition holds; or, best of an asset, the one of all those that gives the
    event's member most of it, the first of those that give as much."""
    best_of = group[0].bonus.best_of if group[0].bonus else None
    best: tuple[int, PlannedBonus] | None = None
    for campaign in group:
        condition = campaign.condition
        if condition is not None and not stacking.questions.holds(
            condition, stacking.facts(campaign)
        ):
            continue
        planned = PlannedBonus(campaign, [])
        planned.credits.extend(_credits(world, stacking, cause, paid, planned))
        if best_of is None:
            return planned
        amount = by_asset(planned.credits).get(best_of, 0)
        if best is None or amount > best[0]:
            best = (amount, planned)
    return None if best is None else best[1]


def _credits(
    world: GrantWorld, stacking: Stacking, cause: Cause, paid: Paid, planned: PlannedBonus
) -> list[Credit]:
    return grants.credits_of(
        world, planned.campaign, paid.member, stacking.bought, cause.occurred_at, paid.gets
    )


def give_bonuses(
    world: GrantWorld,
    planned: Iterable[PlannedBonus],
    cause: Cause,
    member: MemberState,
    device: str | None = None,
) -> list[GivenBonus]:
    """Give what was planned, each all of it or nothing, from its own caps and budgets; a guide who
    is over the guide's cap gets nothing beside."""
    given = [_give(world, each, cause, member, device) for each in planned]
    world.bonuses += [(member.brand_id, each) for each in given]
    return given


def _give(
    world: GrantWorld,
    planned: PlannedBonus,
    cause: Cause,
    member: MemberState,
    device: str | None,
) -> GivenBonus:
    campaign, at = planned.campaign, cause.occurred_at
    brand = world.brands[member.brand_id]
    guide = planned.guide if planned.guide_credits else None
    caps = grants.caps_of(brand, campaign, member.id, at, device)
    guide_caps: list[tuple[grants.CounterKey, int]] = []
    if guide is not None:
        guide_caps = grants.counter_keys(brand, campaign, {CapSubject.GUIDE: guide.id.hex}, at)
    is_over = not grants.caps_allow(world, guide_caps)
    guide_credits = [] if is_over else planned.guide_credits
    credits = [*planned.credits, *guide_credits]
    unpaid = None
    if not planned.credits and not planned.guide_credits:
        unpaid = BonusUnpaidReason.NOTHING
    elif not credits or not grants.caps_allow(world, caps):
        unpaid = BonusUnpaidReason.CAP
    elif not grants.within_budget(world, campaign, credits):
        unpaid = BonusUnpaidReason.BUDGET
    if unpaid is not None:
        return GivenBonus(campaign, cause, unpaid)
    rewards = tuple((each, grants.give(world, campaign, each, cause)) for each in planned.credits)
    for credit in guide_credits:
        grants.give(world, campaign, credit, cause)
    grants.count_caps(world, caps if is_over else [*caps, *guide_caps])
    return GivenBonus(campaign, cause, None, rewards, guide if guide_credits else None)


def earned(given: GivenBonus) -> list[Earned]:
    """What a bonus gave the event's member."""
    return [Earned(each.asset, each.amount, locked is not None) for each, locked in given.rewards]


def told(given: GivenBonus) -> list[dict[str, object]]:
    """The same, as it is stored."""
    return [asdict(each) for each in earned(given)]
