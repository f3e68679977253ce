"""Pure: draws folded over the world of a batch, each with its award given, and what they leave to
be written. What prizes there are was read without a lock; the guarded counts have the last word."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from loyalty.clock import local_date
from loyalty.ledger.rules import Cause
from rewards.campaigns.models import CapSubject
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import MEMBER_TODAY, MEMBER_TOTAL
from rewards.conditions.rules import Condition, Facts
from rewards.coupons.rules import CouponIssue, usable_dates
from rewards.draws.models import Limit
from rewards.draws.rules import (
    MEMBER_COUNTER,
    PRIZE_COUNTER,
    STAGE_COUNTER,
    Exhausted,
    Given,
    LiveDraw,
    Odds,
    facts_asked,
    message_of,
    odds_of,
    settle,
    spendable_by,
    stage_at,
    stage_subject,
    u_of,
)
from rewards.draws.terms import (
    COUNT_MAX,
    AmountAward,
    Award,
    CouponAward,
    Prize,
    awarded_assets,
    awarded_templates,
)
from rewards.grants import rules as grants
from rewards.grants.rules import (
    ALL_TIME,
    BrandConfiguration,
    CounterKey,
    Credit,
    GrantWorld,
    LockedState,
    MemberState,
    StockKey,
)
from rewards.grants.world import COUPON
from tiers.privileges.rules import bonus_odds_percent

Holds = Callable[[Condition, Facts], bool]
LEVEL_PERCENT = "level_percent"
"""Of a receipt's inputs, what the member's level added to the stage's odds; none where nothing."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Who draws, for what: ``facts`` puts together what bonuses ask for, if any do. Who draws
    beside the event's own member has none, and no bonuses: its facts are nobody else's."""

    draw_id: UUID
    member: MemberState
    claim: str
    nonce: str | None
    cause: Cause
    facts: Callable[[], Facts] | None
    holds: Holds


@dataclass(slots=True)
class DrawState:
    """A draw that was decided: its receipt, but for the ordinals, and what the award came to. It is
    drawn when its event is told, however late, by the seed of that day: an earlier one may be
    known."""

    drawing: Drawing
    campaign: LiveCampaign
    drawn_at: datetime
    drawn_on: date
    seed_hash: str
    inputs: dict[str, Any]
    odds: Odds
    u: int
    member_draw_no: int | None
    given: Given
    credit: Credit | None = None
    locked: LockedState | None = None
    tax: int = 0
    coupons: list[CouponIssue] = field(default_factory=list)

    @property
    def won(self) -> bool:
        """Whether the prize that u, or the guarantee, points at was given."""
        return self.given.pointed is not None and self.given.code == self.given.pointed


# --- what has to be read -----------------------------------------------------------------------


def prize_keys(world: GrantWorld, campaign: LiveCampaign, brand_id: UUID) -> list[CounterKey]:
    """The counters of a campaign's prizes that have a limit, and of what its stage gives, now."""
    if campaign.draw is None:
        return []
    today = local_date(world.now, world.brands[brand_id].timezone).isoformat()
    stage = stage_at(campaign.draw, world.now)
    assets = {asset for _, asset in awarded_assets(campaign.draw.terms)}
    keys = [stage_key(campaign, brand_id, stage, asset) for asset in sorted(assets)]
    for prize in campaign.draw.terms.prizes:
        if prize.stock is not None:
            keys.append((brand_id, campaign.id, PRIZE_COUNTER, prize.code, ALL_TIME))
        if prize.quota_per_day is not None:
            keys.append((brand_id, campaign.id, PRIZE_COUNTER, prize.code, today))
    return keys


def stage_key(campaign: LiveCampaign, brand_id: UUID, stage: int, asset: str) -> CounterKey:
    """The counter of what a stage has given of an asset."""
    return (brand_id, campaign.id, STAGE_COUNTER, stage_subject(stage, asset), ALL_TIME)


def member_keys(campaign: LiveCampaign, brand_id: UUID, member_id: UUID) -> list[CounterKey]:
    """The counter of a member's draws, where the campaign guarantees a prize."""
    if campaign.draw is None or campaign.draw.terms.guarantee is None:
        return []
    return [(brand_id, campaign.id, MEMBER_COUNTER, member_id.hex, ALL_TIME)]


def stock_keys(campaign: LiveCampaign, brand_id: UUID) -> list[StockKey]:
    """The coupons in stock that a campaign's prizes may need."""
    if campaign.draw is None:
        return []
    return [(brand_id, template_id) for template_id in awarded_templates(campaign.draw.terms)]


def can_draw(world: GrantWorld, campaign: LiveCampaign, brand_id: UUID) -> bool:
    """Whether a campaign has no draw, or has the seed of this day; without one it does not run."""
    return campaign.draw is None or (brand_id, campaign.id) in world.seeds


# --- drawing -----------------------------------------------------------------------------------


def draw_prize(world: GrantWorld, campaign: LiveCampaign, drawing: Drawing) -> DrawState:
    """Draw, give what is won, and count it."""
    draw = campaign.draw
    if draw is None:
        raise ValueError("a campaign without a draw")
    member = drawing.member
    brand = world.brands[member.brand_id]
    seed, seed_hash = world.seeds[(brand.id, campaign.id)]
    held, inputs = _inputs(world, campaign, draw, drawing)
    odds = odds_of(draw, world.now, held, inputs.get(LEVEL_PERCENT, 0))
    u = u_of(seed, message_of(brand.id, drawing.claim, member.id, drawing.nonce))
    member_draw_no = _count_draw(world, campaign, member)
    today = local_date(world.now, brand.timezone)

    def shortage(prize: Prize, award: Award | None) -> Exhausted | None:
        return _shortage(world, campaign, brand, odds.stage, today, prize, award)

    given = settle(draw, odds, u, member_draw_no, shortage)
    state = DrawState(
        drawing, campaign, world.now, today, seed_hash, inputs, odds, u, member_draw_no, given
    )
    if given.code is not None:
        for key, times_max in _prize_limits(campaign, brand, today, draw.prizes[given.code]):
            grants.count_caps(world, [(key, times_max)])
    if given.award is not None:
        _award(world, state, given.award)
    return state


def _award(world: GrantWorld, state: DrawState, award: Award) -> None:
    """Give what was won, at once or locked."""
    campaign, drawing = state.campaign, state.drawing
    member, lock = drawing.member, campaign.draw.terms.lock if campaign.draw else None
    taxed, issued = len(world.withheld), len(world.coupons)
    if isinstance(award, AmountAward):
        state.credit = Credit(member, award.asset, award.amount, lock)
        brand = world.brands[member.brand_id]
        _count_amount(world, campaign, brand, state.odds.stage, award)
    else:
        state.credit = Credit(member, COUPON, 1, lock, award.template_id)
    state.locked = grants.give(world, campaign, state.credit, drawing.cause, drawing.draw_id)
    state.tax = sum(each.tax_fen for each in world.withheld[taxed:])
    state.coupons = world.coupons[issued:]


def _inputs(
    world: GrantWorld, campaign: LiveCampaign, draw: LiveDraw, drawing: Drawing
) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The bonuses that hold; and what they asked for, with the counters that it came from, and what
    the member's level adds."""
    if not draw.terms.stages[stage_at(draw, world.now)].takes_bonuses:
        return (), {}
    at = drawing.cause.occurred_at
    level = grants.level_of(world, drawing.member, at)
    on = local_date(at, world.brands[drawing.member.brand_id].timezone)
    percent = 0 if level is None else bonus_odds_percent(level.privileges, on)
    by_level = {LEVEL_PERCENT: percent} if percent else {}
    if not draw.bonuses or drawing.facts is None:
        return (), by_level
    facts = drawing.facts()
    held = tuple(
        i for i, (condition, _) in enumerate(draw.bonuses) if drawing.holds(condition, facts)
    )
    asked = facts_asked(draw, facts)
    member = drawing.member
    windows = {
        MEMBER_TODAY: on.isoformat(),
        MEMBER_TOTAL: ALL_TIME,
    }
    counters = {
        name: [CapSubject.MEMBER.value, member.id.hex, window]
        for name, window in windows.items()
        if name in asked
    }
    return held, by_level | {"facts": asked, "held": list(held), "counters": counters}


def _count_draw(world: GrantWorld, campaign: LiveCampaign, member: MemberState) -> int | None:
    number = None
    for key in member_keys(campaign, member.brand_id, member.id):
        grants.count_caps(world, [(key, COUNT_MAX)])
        number = world.counters[key]
    return number


def _count_amount(
    world: GrantWorld,
    campaign: LiveCampaign,
    brand: BrandConfiguration,
    stage: int,
    award: AmountAward,
) -> None:
    """Kept whether or not the stage has a budget: it may get one later."""
    key = stage_key(campaign, brand.id, stage, award.asset)
    world.counters[key] = world.counters.get(key, 0) + award.amount
    used, _ = world.counter_moves.get(key, (0, 0))
    world.counter_moves[key] = (used + award.amount, _stage_budget(campaign, stage, award.asset))


def _stage_budget(campaign: LiveCampaign, stage: int, asset: str) -> int:
    budgets = campaign.draw.terms.stages[stage].budgets if campaign.draw else ()
    return dict(budgets).get(asset, COUNT_MAX)


def _prize_limits(
    campaign: LiveCampaign, brand: BrandConfiguration, today: date, prize: Prize
) -> list[tuple[CounterKey, int]]:
    """Both counters of a prize are kept whether or not it has a limit: it may get one later."""
    base = (brand.id, campaign.id, PRIZE_COUNTER, prize.code)
    return [
        ((*base, ALL_TIME), COUNT_MAX if prize.stock is None else prize.stock),
        (
            (*base, today.isoformat()),
            COUNT_MAX if prize.quota_per_day is None else prize.quota_per_day,
        ),
    ]


def _shortage(
    world: GrantWorld,
    campaign: LiveCampaign,
    brand: BrandConfiguration,
    stage: int,
    today: date,
    prize: Prize,
    award: Award | None,
) -> Exhausted | None:
    limits = _prize_limits(campaign, brand, today, prize)
    for limit, (key, allowed) in zip((Limit.STOCK, Limit.QUOTA), limits, strict=True):
        left = allowed - world.counters.get(key, 0)
        if left < 1:
            return Exhausted(prize.code, limit, prize.code, left, allowed)
    if isinstance(award, AmountAward):
        allowed = _stage_budget(campaign, stage, award.asset)
        key = stage_key(campaign, brand.id, stage, award.asset)
        left = allowed - world.counters.get(key, 0)
        if left < award.amount:
            return Exhausted(prize.code, Limit.STAGE_BUDGET, award.asset, left, allowed)
        if campaign.draw is not None and allowed != COUNT_MAX:
            by_now = spendable_by(campaign.draw, stage, allowed, world.now)
            left = by_now - world.counters.get(key, 0)
            if left < award.amount:
                return Exhausted(prize.code, Limit.PACE, award.asset, left, by_now)
        left = world.budgets.get((brand.id, campaign.id, award.asset), award.amount)
        if left < award.amount:
            return Exhausted(prize.code, Limit.BUDGET, award.asset, left, award.amount)
    elif isinstance(award, CouponAward):
        template = brand.coupon_templates[award.template_id]
        stock = world.stock.get((brand.id, template.id), 0)
        if usable_dates(template, today) is None or stock == 0:
            return Exhausted(prize.code, Limit.COUPON, template.code, 0, 1)
    return None


# --- what is written ---------------------------------------------------------------------------


def draw_rows(
    draws: Sequence[DrawState], counted: Mapping[CounterKey, int]
) -> list[tuple[Any, ...]]:
    """The receipts of a batch, as ``rewards.draws.queries.INSERT_DRAWS`` takes them. ``counted`` is
    where the guarded counts of this batch left the prizes' counters: the last of the batch has that
    ordinal, and those before it the ones before."""
    given: dict[CounterKey, int] = {}
    rows = []
    for state in reversed(draws):
        ordinals: list[int | None] = [None, None]
        brand_id, code = state.drawing.member.brand_id, state.given.code
        if code is not None:
            for i, window in enumerate((ALL_TIME, state.drawn_on.isoformat())):
                key = (brand_id, state.campaign.id, PRIZE_COUNTER, code, window)
                ordinals[i] = counted[key] - given.get(key, 0)
                given[key] = given.get(key, 0) + 1
        rows.append(_row(state, *ordinals))
    return rows[::-1]


def _row(state: DrawState, ordinal: int | None, day_ordinal: int | None) -> tuple[Any, ...]:
    drawing, given = state.drawing, state.given
    award = given.award
    return (
        drawing.member.brand_id,
        drawing.draw_id,
        state.campaign.id,
        state.campaign.version_id,
        drawing.cause.kind,
        drawing.cause.id,
        drawing.member.role,
        drawing.member.id,
        drawing.claim,
        drawing.nonce,
        state.drawn_on,
        state.seed_hash,
        state.odds.stage,
        orjson.dumps(state.inputs).decode(),
        state.odds.base_ppm,
        state.odds.odds_ppm,
        f"{state.u:016x}",
        state.member_draw_no,
        given.is_guaranteed,
        given.pointed,
        given.code,
        orjson.dumps([each.as_json() for each in given.exhausted]).decode(),
        ordinal,
        day_ordinal,
        award.asset if isinstance(award, AmountAward) else None,
        award.amount if isinstance(award, AmountAward) else None,
        award.template_id if isinstance(award, CouponAward) else None,
        state.credit is not None and state.credit.lock is not None,
        state.drawn_at,
    )
