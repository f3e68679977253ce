"""What members hold: each metric, period, beginning and end, told as lives of one member."""

from datetime import date

import pytest

from loyalty.assets.rules import Unit
from tests.tiers.standings.timelines import (
    BALANCE_DROP,
    DROPPED,
    EARNED,
    JOIN_MONTH,
    LAPSED,
    MONTH,
    NEVER,
    NEXT_PERIOD,
    NEXT_PERIOD_END,
    ONE_STEP,
    PERIOD_END,
    THIRTY_DAYS,
    YEAR,
    Timeline,
    ladder,
)
from tiers.ladders.models import PeriodKind, TierMetric
from tiers.ladders.periods import PeriodRule
from tiers.standings.models import Basis, ChangeReason
from tiers.standings.rules import Held, TierGrant, better_of


def d(text: str) -> date:
    """``11-09`` of 2026, or a whole date."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


# --- the balance, as ladders always were -------------------------------------------------------


def test_a_balance_lifts_at_once_and_never_lowers() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, None, NEVER))
    life.has(d("02-01"), 99)
    assert life.on(d("02-01")) == (0, None)
    life.has(d("02-02"), 300)
    life.has(d("02-03"), 5)
    assert life.on(d("2036-01-01")) == (2, None)
    assert life.moves == [(d("02-02"), 0, 2, EARNED)]
    assert life.tier.held.due_on is None


def test_a_balance_that_drops_lowers_at_once_or_after_grace() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, None, BALANCE_DROP))
    life.has(d("02-01"), 300)
    life.has(d("02-02"), 150)
    assert life.on(d("02-02")) == (1, None)
    patient = Timeline(ladder(TierMetric.GROWTH, None, BALANCE_DROP, grace="P10D"))
    patient.has(d("02-01"), 300)
    patient.has(d("02-02"), 150)
    assert patient.on(d("02-11")) == (2, d("02-11"))
    assert patient.on(d("02-12")) == (1, None)
    assert patient.moves[-1] == (d("02-12"), 2, 1, DROPPED)


def test_a_balance_that_recovers_in_its_grace_is_no_drop() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, None, BALANCE_DROP, grace="P10D"))
    life.has(d("02-01"), 300)
    life.has(d("02-02"), 150)
    life.has(d("02-11"), 301)
    assert life.on(d("03-01")) == (2, None)
    life.has(d("03-01"), 0)  # and grace begins anew
    assert life.on(d("03-10")) == (2, d("03-10"))


def test_a_balance_falls_step_by_step_a_day_or_a_grace_each() -> None:
    at_once = Timeline(ladder(TierMetric.GROWTH, None, BALANCE_DROP, downgrade=ONE_STEP))
    at_once.has(d("02-01"), 1000)
    at_once.has(d("02-02"), 100)
    assert [at_once.on(d(day))[0] for day in ("02-02", "02-03", "02-04")] == [2, 1, 1]
    slowly = Timeline(
        ladder(TierMetric.GROWTH, None, BALANCE_DROP, grace="P1M", downgrade=ONE_STEP)
    )
    slowly.has(d("02-01"), 1000)
    slowly.has(d("02-02"), 0)
    ranks = [slowly.on(d(day))[0] for day in ("03-01", "03-02", "04-01", "04-02", "05-02")]
    assert ranks == [3, 2, 2, 1, 0]


def test_a_balance_may_be_reviewed_by_the_year() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, YEAR, PERIOD_END))
    life.has(d("02-01"), 300)
    assert life.on(d("12-31")) == (2, d("12-31"))
    life.has(d("12-31"), 120)
    assert life.on(d("2027-01-01")) == (1, d("2027-12-31"))
    assert life.on(d("2029-06-01")) == (1, d("2029-12-31"))  # as long as it is enough
    assert life.moves == [(d("02-01"), 0, 2, EARNED), (d("2027-01-01"), 2, 1, LAPSED)]


def test_a_balance_may_wait_for_the_next_period() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, MONTH, NEXT_PERIOD_END, starts=NEXT_PERIOD))
    life.has(d("02-10"), 300)
    assert life.on(d("02-28")) == (0, None)
    assert (life.tier.held.pending_rank, life.tier.held.pending_on) == (2, d("03-01"))
    assert life.on(d("03-01")) == (2, d("04-30"))
    life.has(d("03-05"), 1000)
    life.has(d("03-06"), 310)  # what was pending is gone again
    assert life.on(d("04-01")) == (2, d("04-30"))
    assert life.on(d("05-01")) == (2, d("06-30"))


# --- calendar periods --------------------------------------------------------------------------


def test_a_level_is_kept_to_the_end_of_its_period_and_grace() -> None:
    life = Timeline(ladder(grace="P10D"))
    life.spends(d("02-03"), 60)
    life.spends(d("02-20"), 50)
    assert life.on(d("02-28")) == (1, d("03-10"))
    assert life.on(d("03-10")) == (1, d("03-10"))
    assert life.on(d("03-11")) == (0, None)
    assert life.moves == [(d("02-20"), 0, 1, EARNED), (d("03-11"), 1, 0, LAPSED)]


def test_who_earns_it_again_in_grace_keeps_it_without_a_break() -> None:
    life = Timeline(ladder(grace="P10D"))
    life.spends(d("02-03"), 100)
    life.spends(d("03-10"), 100)
    assert life.on(d("03-11")) == (1, d("04-10"))
    assert life.moves == [(d("02-03"), 0, 1, EARNED)]


def test_a_new_period_begins_with_nothing() -> None:
    life = Timeline(ladder())
    life.spends(d("02-28"), 99)
    life.spends(d("03-01"), 99)
    assert life.on(d("03-31")) == (0, None)
    life.spends(d("03-31"), 1)
    assert life.on(d("03-31")) == (1, d("03-31"))


def test_each_period_may_earn_for_the_next_one() -> None:
    life = Timeline(ladder(ends=NEXT_PERIOD_END))
    life.spends(d("02-03"), 300)
    assert life.on(d("03-31")) == (2, d("03-31"))
    life.spends(d("03-31"), 100)
    # What March earned is good to the end of April, though February earned more.
    assert life.on(d("04-01")) == (1, d("04-30"))
    assert life.on(d("05-01")) == (0, None)
    assert [move[1:3] for move in life.moves] == [(0, 2), (2, 1), (1, 0)]


def test_a_long_grace_hides_no_lower_level_that_was_earned_meanwhile() -> None:
    life = Timeline(ladder(grace="P2M"))
    life.spends(d("01-20"), 300)  # to the end of March
    life.spends(d("02-10"), 100)  # to the end of April
    assert life.on(d("03-31")) == (2, d("03-31"))
    assert life.on(d("04-30")) == (1, d("04-30"))
    assert life.on(d("05-01")) == (0, None)


def test_one_step_costs_a_period_each() -> None:
    life = Timeline(ladder(downgrade=ONE_STEP))
    life.spends(d("02-03"), 1000)
    ranks = [life.on(d(f"{month:02}-01"))[0] for month in range(3, 8)]
    assert ranks == [2, 1, 0, 0, 0]
    earning = Timeline(ladder(downgrade=ONE_STEP))
    earning.spends(d("02-03"), 1000)
    earning.spends(d("03-15"), 300)  # holds 2, and has earned it for March
    assert earning.on(d("04-01")) == (1, d("04-30"))


def test_a_late_look_decides_as_looks_on_each_day_would_have() -> None:
    late, punctual = (
        Timeline(ladder(ends=NEXT_PERIOD_END, downgrade=ONE_STEP, grace="P5D")) for _ in range(2)
    )
    for life in (late, punctual):
        life.spends(d("02-03"), 1000)
    for month in range(3, 13):
        for day in (1, 6, 15, 28):
            punctual.on(date(2026, month, day))
    assert late.on(d("12-28")) == punctual.on(d("12-28"))
    assert late.moves == punctual.moves and len(late.moves) == 4


def test_a_level_may_wait_for_the_next_period() -> None:
    life = Timeline(ladder(starts=NEXT_PERIOD))
    life.spends(d("02-03"), 100)
    held = life.tier.held
    assert (life.on(d("02-28"))[0], held.pending_rank, held.pending_on) == (0, 1, d("03-01"))
    assert life.on(d("03-01")) == (1, d("03-31"))
    life.spends(d("03-10"), 300)
    assert life.on(d("03-31")) == (1, d("03-31"))
    assert life.on(d("04-01")) == (2, d("04-30"))
    assert life.on(d("05-01")) == (0, None)


def test_a_pending_level_is_lost_with_what_is_returned_before_it_begins() -> None:
    life = Timeline(ladder(starts=NEXT_PERIOD))
    life.spends(d("02-03"), 100)
    life.returns(d("02-03"), d("02-20"), 1)
    assert life.tier.held.pending_rank is None
    assert life.on(d("03-01")) == (0, None)


def test_a_period_that_drops_lowers_at_its_end_and_by_a_return() -> None:
    life = Timeline(ladder(ends=BALANCE_DROP))
    life.spends(d("02-03"), 300)
    life.returns(d("02-03"), d("02-10"), 150)
    assert life.on(d("02-10")) == (1, None)
    assert life.on(d("02-28")) == (1, None)
    assert life.on(d("03-01")) == (0, None)
    assert [move[3] for move in life.moves] == [EARNED, DROPPED, DROPPED]


def test_a_return_takes_no_level_that_was_promised_to_a_date() -> None:
    life = Timeline(ladder(ends=NEXT_PERIOD_END))
    life.spends(d("02-03"), 300)
    life.returns(d("02-03"), d("02-10"), 300)
    assert life.on(d("03-31")) == (2, d("03-31"))
    assert life.on(d("04-01")) == (0, None)


def test_without_an_end_a_period_only_lifts() -> None:
    life = Timeline(ladder(ends=NEVER))
    life.spends(d("02-03"), 100)
    assert life.on(d("2030-01-01")) == (1, None)


# --- rolling windows and anniversaries ---------------------------------------------------------


def test_a_rolling_level_is_held_for_a_window_and_then_looked_at_again() -> None:
    life = Timeline(ladder(period=THIRTY_DAYS))
    life.spends(d("02-01"), 60)
    life.spends(d("03-01"), 50)  # within 30 days: 2 February is 28 days before
    assert life.on(d("03-01")) == (1, d("03-30"))
    life.spends(d("03-20"), 60)
    # 1 to 31 March hold 110: good for another 30 days. Then nothing is left in the window.
    assert life.on(d("03-30")) == (1, d("03-30"))
    life.spends(d("03-30"), 40)
    assert life.on(d("03-31")) == (1, d("04-29"))
    assert life.on(d("04-30")) == (0, None)


def test_a_rolling_level_may_drop_on_the_day_that_its_days_leave_the_window() -> None:
    life = Timeline(ladder(period=THIRTY_DAYS, ends=BALANCE_DROP))
    life.spends(d("02-01"), 60)
    life.spends(d("02-11"), 50)
    assert life.tier.held.due_on == d("03-03")
    assert life.on(d("03-02")) == (1, None)
    assert life.on(d("03-03")) == (0, None)
    assert life.moves[-1] == (d("03-03"), 1, 0, DROPPED)


def test_periods_by_joining_end_on_the_eve_of_anniversaries() -> None:
    life = Timeline(ladder(period=JOIN_MONTH), joined_on=d("01-31"))
    life.spends(d("02-27"), 100)
    assert life.on(d("02-27")) == (1, d("02-27"))
    assert life.on(d("02-28")) == (0, None)
    life.spends(d("03-30"), 100)
    assert life.on(d("03-30")) == (1, d("03-30"))


def test_a_year_from_a_leap_day_ends_before_its_anniversary() -> None:
    year = PeriodRule(PeriodKind.JOIN, Unit.MONTH, 12)
    life = Timeline(ladder(period=year), joined_on=d("2024-02-29"))
    life.spends(d("2027-03-01"), 100)
    assert life.on(d("2028-02-28")) == (1, d("2028-02-28"))
    assert life.on(d("2028-02-29")) == (0, None)


# --- what operators give -----------------------------------------------------------------------


def test_a_grant_lies_over_what_is_earned_and_ends_by_itself() -> None:
    life = Timeline(ladder(ends=NEXT_PERIOD_END))
    life.spends(d("02-01"), 100)
    life.grant(d("02-02"), 3, d("02-20"))
    assert (life.on(d("02-20")), life.tier.held.basis) == ((3, d("02-20")), Basis.GRANTED)
    life.spends(d("02-15"), 200)  # earned beneath
    assert life.on(d("02-20")) == (3, d("02-20"))
    assert (life.on(d("02-21")), life.tier.held.basis) == ((2, d("03-31")), Basis.EARNED)
    reasons = [move[3] for move in life.moves]
    assert reasons == [EARNED, ChangeReason.GRANTED, ChangeReason.GRANT_ENDED]


def test_a_grant_of_the_same_level_outlasts_what_was_earned() -> None:
    life = Timeline(ladder())
    life.spends(d("02-01"), 100)
    life.grant(d("02-02"), 1, d("03-15"))
    assert (life.on(d("02-02")), life.tier.held.basis) == ((1, d("03-15")), Basis.GRANTED)
    assert life.on(d("03-15")) == (1, d("03-15"))
    assert life.on(d("03-16")) == (0, None)
    assert life.moves[-1][3] is ChangeReason.GRANT_ENDED


def test_a_level_by_invitation_is_never_earned_and_kept_until_it_is_taken_back() -> None:
    by_invitation = ladder(thresholds=(0, 100, -1, 300))
    life = Timeline(by_invitation)
    life.spends(d("02-01"), 200)
    assert life.on(d("02-01"))[0] == 1
    life.grant(d("02-02"), 2, None, Basis.INVITED)
    assert (life.on(d("2030-01-01")), life.tier.held.basis) == ((2, None), Basis.INVITED)
    life.end_grant(d("2030-01-02"))
    assert life.on(d("2030-01-02")) == (0, None)
    assert life.moves[-1] == (d("2030-01-02"), 2, 0, ChangeReason.GRANT_ENDED)


def test_a_step_down_passes_a_level_by_invitation() -> None:
    life = Timeline(ladder(thresholds=(0, 100, -1, 300), downgrade=ONE_STEP))
    life.spends(d("02-01"), 300)
    assert life.on(d("03-01")) == (1, d("03-31"))


def test_the_better_of_two_standings_is_the_higher_and_then_the_longer() -> None:
    grant = TierGrant(2, Basis.GRANTED, d("05-01"), "x")
    longer = TierGrant(2, Basis.GRANTED, None, "y")
    assert better_of(Held(1, d("02-01")), Held(2, d("01-01"), grant)).earned_rank == 2
    assert better_of(Held(1, d("02-01")), Held(1, None)).earned_until is None
    assert better_of(Held(3, grant=grant), Held(1, grant=longer)).grant == longer


# --- another ladder ----------------------------------------------------------------------------


def test_who_held_without_end_is_held_to_the_end_that_the_new_ladder_gives() -> None:
    life = Timeline(ladder(TierMetric.GROWTH, None, NEVER))
    life.has(d("02-01"), 300)
    life.publish(d("05-10"), ladder(ends=PERIOD_END, grace="P1W"))
    assert life.on(d("05-10")) == (2, d("06-07"))
    assert life.on(d("06-08")) == (0, None)
    assert [move[3] for move in life.moves] == [EARNED, LAPSED]


def test_a_promise_to_a_date_is_kept_under_another_ladder() -> None:
    life = Timeline(ladder(ends=NEXT_PERIOD_END))
    life.spends(d("02-01"), 300)
    life.publish(d("02-10"), ladder(ends=PERIOD_END, thresholds=(0, 400, 900, 1000)))
    assert life.on(d("03-31")) == (2, d("03-31"))
    assert life.on(d("04-01")) == (0, None)


def test_lower_thresholds_lift_by_the_look_of_the_new_ladder() -> None:
    life = Timeline(ladder())
    life.spends(d("02-01"), 99)
    life.publish(d("02-10"), ladder(thresholds=(0, 50)))
    assert life.on(d("02-10")) == (1, d("02-28"))
    assert life.moves == [(d("02-10"), 0, 1, ChangeReason.LADDER)]


@pytest.mark.parametrize("metric", list(TierMetric))
def test_each_metric_counts_its_own_and_nothing_else(metric: TierMetric) -> None:
    life = Timeline(ladder(metric, YEAR, thresholds=(0, 2, 4)))
    added: dict[TierMetric, dict[str, object]] = {
        TierMetric.GROWTH: {"balance": 2},
        TierMetric.EARNED: {"earned": {"POINTS": 2, "CASH": 9}},
        TierMetric.SPEND: {"spend_fen": 2},
        TierMetric.SCANS: {"scans": 2},
        TierMetric.VISITS: {"visit": True},
    }
    for other, values in added.items():
        if other is not metric:
            life.event(d("02-01"), **values)
    assert life.on(d("02-01"))[0] == 0
    life.event(d("02-02"), **added[metric])
    if metric is TierMetric.VISITS:
        life.event(d("02-02"), **added[metric])  # the same day again
        assert life.on(d("02-02"))[0] == 0
        life.event(d("02-03"), **added[metric])
    assert life.on(d("02-03"))[0] == 1


def test_a_decision_without_the_days_that_it_needs_is_no_decision() -> None:
    life = Timeline(ladder())
    life.tier.loaded_for = d("03-01")
    with pytest.raises(ValueError, match="not loaded"):
        life.spends(d("02-28"), 1)
    life.spends(d("03-01"), 1)
