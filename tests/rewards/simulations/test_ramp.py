"""The four-stage ramp of docs/simulations.md: what it gives follows what its curve plans."""

from datetime import datetime
from random import Random

from rewards.campaigns.catalogue import TemplateCode
from rewards.campaigns.templates import definition_from
from rewards.draws.models import Limit
from rewards.draws.rules import Exhausted, award_of, compile_draw, odds_of, settle
from rewards.draws.terms import PPM, AmountAward, Award, Prize

STARTS, ENDS = (datetime.fromisoformat(f"2027-03-{day}T00:00:00+08:00") for day in ("01", "31"))
BUDGET_FEN, SCANS, SEED = 7_000_000, 102_000, 1


def test_spending_follows_the_curve_over_a_hundred_thousand_scans() -> None:
    terms = definition_from(
        TemplateCode.RAMP, "ramp", starts_at=STARTS, ends_at=ENDS, budget_fen=BUDGET_FEN
    ).draw
    assert terms is not None
    draw, random = compile_draw(terms, STARTS, ENDS), Random(SEED)
    left = [dict(stage.budgets)["CASH"] for stage in terms.stages]
    assert sum(left) == BUDGET_FEN
    planned_ppm, given, furthest = [0] * len(left), 0, 0

    def shortage(prize: Prize, award: Award | None) -> Exhausted | None:
        if isinstance(award, AmountAward) and left[odds.stage] < award.amount:
            return Exhausted(prize.code, Limit.STAGE_BUDGET, award.asset, left[odds.stage])
        return None

    for number in range(SCANS):
        odds = odds_of(draw, STARTS + (ENDS - STARTS) * number / SCANS)
        packet = award_of(draw, odds, "PACKET")
        assert isinstance(packet, AmountAward)
        planned_ppm[odds.stage] += odds.odds_ppm * packet.amount
        award = settle(draw, odds, random.getrandbits(64), None, shortage).award
        if isinstance(award, AmountAward):
            left[odds.stage] -= award.amount
            given += award.amount
        furthest = max(furthest, abs(given - sum(planned_ppm) // PPM))

    assert (sum(planned_ppm) // PPM, given) == (6_669_451, 6_669_010)
    assert furthest == 9_465, "at no moment further from what was planned: 0.14 % of it all"
    planned = [stage // PPM for stage in planned_ppm]
    budgets = [dict(stage.budgets)["CASH"] for stage in terms.stages]
    for plan, most in zip(planned, budgets, strict=True):
        assert 85 * most < 100 * plan < 98 * most, "none runs out, and little is left over"
    assert min(left) > 0
