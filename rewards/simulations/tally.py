"""Pure: what a dry run came to, added up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.ledger.models import TransferPhase
from loyalty.ledger.rules import Movement
from rewards.campaigns.rules import LiveCampaign
from rewards.draws.folding import DrawState
from rewards.draws.rules import award_of
from rewards.draws.terms import AmountAward
from rewards.simulations.rules import PPM

_GIVEN = {TransferPhase.POSTED: 1, TransferPhase.POST: 1}
_LOCKED = {TransferPhase.PENDING: 1, TransferPhase.POST: -1, TransferPhase.VOID: -1}
CostKey = tuple[date, str, str]
"""(local day, campaign code, asset)"""


@dataclass(slots=True)
class Cost:
    """What one campaign gave of one asset on one day: ``given`` for good, ``locked`` still waiting
    (below zero where what earlier days locked was unlocked or lapsed). ``drawn`` is what of it was
    won; ``expected_ppm``, in millionths, what odds and prizes make of the draws on the average,
    bonuses, stock, quotas and budgets left aside."""

    given: int = 0
    locked: int = 0
    drawn: int = 0
    expected_ppm: int = 0


@dataclass(slots=True)
class Tally:
    """``prizes``: (campaign code, prize code) of what was given; ``exhausted``: (campaign code,
    prize code, limit) of what was not. Reasons are of who scanned or bought, of guides, and
    (role and reason) of who stands behind them; ``bonus_unpaid``: (campaign code, reason) of
    bonuses that a paid event did not get; ``coupons``: (local day, template's code) of what was
    issued."""

    codes: Mapping[UUID, str]
    events: int = 0
    paid: int = 0
    costs: dict[CostKey, Cost] = field(default_factory=dict)
    unpaid: Counter[str] = field(default_factory=Counter)
    guide_unpaid: Counter[str] = field(default_factory=Counter)
    channel_unpaid: Counter[str] = field(default_factory=Counter)
    bonus_unpaid: Counter[tuple[str, str]] = field(default_factory=Counter)
    prizes: Counter[tuple[str, str]] = field(default_factory=Counter)
    exhausted: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    coupons: Counter[tuple[date, str]] = field(default_factory=Counter)
    rewarded: set[UUID] = field(default_factory=set)
    winners: set[UUID] = field(default_factory=set)

    def add_movements(self, on: date, movements: Iterable[Movement]) -> None:
        """What the book of one event moved."""
        for movement in movements:
            if movement.campaign_id is None:
                continue
            cost = self._cost(on, movement.campaign_id, movement.credit.asset)
            phase = TransferPhase(movement.phase)
            cost.given += _GIVEN.get(phase, 0) * movement.amount
            cost.locked += _LOCKED.get(phase, 0) * movement.amount
            self.rewarded.add(movement.credit.owner_id)

    def add_draw(self, on: date, state: DrawState) -> None:
        """What one draw came to."""
        code = self.codes[state.campaign.id]
        if state.given.code is not None:
            self.prizes[code, state.given.code] += 1
        if state.won:
            self.winners.add(state.drawing.member.id)
        for exhausted in state.given.exhausted:
            self.exhausted[code, exhausted.prize, exhausted.limit.value] += 1
        if state.credit is not None:
            self._cost(on, state.campaign.id, state.credit.asset).drawn += state.credit.amount
        for asset, expected_ppm in expected_of(state).items():
            self._cost(on, state.campaign.id, asset).expected_ppm += expected_ppm

    def _cost(self, on: date, campaign_id: UUID, asset: str) -> Cost:
        return self.costs.setdefault((on, self.codes[campaign_id], asset), Cost())


def expected_of(state: DrawState) -> dict[str, int]:
    """The mean of one draw by asset, in millionths, by its stage's odds without bonuses."""
    draw = state.campaign.draw
    if draw is None:
        return {}
    entries = draw.terms.stages[state.odds.stage].entries
    weights = sum(entry.weight for entry in entries)
    found: dict[str, int] = {}
    for entry in entries:
        award = award_of(draw, state.odds, entry.prize)
        if isinstance(award, AmountAward):
            mean = state.odds.base_ppm * entry.weight * award.amount // weights
            found[award.asset] = found.get(award.asset, 0) + mean
    return found


def codes_of(campaigns: Iterable[LiveCampaign]) -> dict[UUID, str]:
    """What a tally calls campaigns."""
    return {campaign.id: campaign.code for campaign in campaigns}


def report_to_json(
    tally: Tally, budgets: Mapping[tuple[str, str], tuple[int, int]]
) -> dict[str, Any]:
    """As a simulation stores it. ``budgets``: (campaign code, asset) to (allowed, left)."""
    return {
        "events": tally.events,
        "paid": tally.paid,
        "rewarded_members": len(tally.rewarded),
        "winners": len(tally.winners),
        "costs": [
            {
                "on": on.isoformat(),
                "campaign": code,
                "asset": asset,
                "given": cost.given,
                "locked": cost.locked,
                "drawn": cost.drawn,
                "expected": cost.expected_ppm // PPM,
            }
            for (on, code, asset), cost in sorted(tally.costs.items())
        ],
        "unpaid": dict(sorted(tally.unpaid.items())),
        "guide_unpaid": dict(sorted(tally.guide_unpaid.items())),
        "channel_unpaid": dict(sorted(tally.channel_unpaid.items())),
        "bonus_unpaid": [
            {"campaign": code, "reason": reason, "times": count}
            for (code, reason), count in sorted(tally.bonus_unpaid.items())
        ],
        "prizes": [
            {"campaign": code, "prize": prize, "given": count}
            for (code, prize), count in sorted(tally.prizes.items())
        ],
        "exhausted": [
            {"campaign": code, "prize": prize, "limit": limit, "times": count}
            for (code, prize, limit), count in sorted(tally.exhausted.items())
        ],
        "coupons": dict(sorted(_by_template(tally.coupons).items())),
        "coupon_days": [
            {"on": on.isoformat(), "template": code, "given": count}
            for (on, code), count in sorted(tally.coupons.items())
        ],
        "budgets": [
            {"campaign": code, "asset": asset, "allowed": allowed, "spent": allowed - left}
            for (code, asset), (allowed, left) in sorted(budgets.items())
        ],
    }


def _by_template(coupons: Mapping[tuple[date, str], int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, code), count in coupons.items():
        found[code] += count
    return found
