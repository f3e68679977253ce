"""Odds, weights, curves and what is given: integers, exactly."""

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.draws.models import Curve, Limit
from rewards.draws.rules import (
    Exhausted,
    Odds,
    award_of,
    between,
    claim_of_scan,
    compile_draw,
    hash_of,
    message_of,
    odds_of,
    pointed_at,
    progress_ppm,
    settle,
    stage_at,
    u_of,
    wins,
)
from rewards.draws.terms import (
    PPM,
    AmountAward,
    Award,
    Bonus,
    DrawTerms,
    Entry,
    Guarantee,
    Prize,
    Stage,
)

ALL_U = 2**64
BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BIG = Prize("BIG", "大奖", "Big", AmountAward("POINTS", 1000), stock=1)
SMALL = Prize("SMALL", "小奖", "Small", AmountAward("POINTS", 10))
THANKS = Prize("THANKS", "谢谢", "Thanks")


def terms(
    *stages: Stage, bonuses: tuple[Bonus, ...] = (), guarantee: Guarantee | None = None
) -> DrawTerms:
    return DrawTerms((BIG, SMALL, THANKS), stages, "THANKS", bonuses, guarantee)


ALWAYS = Stage(PPM, PPM, (Entry("BIG", 1), Entry("SMALL", 3)))
NEVER = Stage(0, 0, (Entry("BIG", 1),))


def plenty(_prize: Prize, _award: Award | None) -> Exhausted | None:
    return None


# --- odds --------------------------------------------------------------------------------------


def test_of_all_u_exactly_the_share_that_the_odds_say_wins_for_every_ppm_there_is() -> None:
    for ppm in range(PPM + 1):
        winners = -(-ppm * ALL_U // PPM)  # so many of the u from 0 on: within one u of the share
        assert winners == 0 or wins(winners - 1, ppm)
        assert winners == ALL_U or not wins(winners, ppm)


@given(ppm=st.integers(0, PPM), u=st.integers(0, ALL_U - 1))
def test_whoever_wins_at_some_odds_wins_at_all_higher_ones(ppm: int, u: int) -> None:
    assert not wins(u, ppm) or all(wins(u, more) for more in (ppm, (ppm + PPM + 1) // 2, PPM))


@given(
    ppm=st.integers(1, PPM),
    weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=12),
    index=st.integers(0, 11),
)
def test_every_prize_is_pointed_at_by_its_share_of_the_winning_u(
    ppm: int, weights: list[int], index: int
) -> None:
    index %= len(weights)
    total, before = sum(weights), sum(weights[:index])

    def first_of(position: int) -> int:
        return -(-position * ppm * ALL_U // (PPM * total))

    begin, end = first_of(before), first_of(before + weights[index])
    assert abs((end - begin) - weights[index] * ppm * ALL_U / (PPM * total)) <= 1 + ALL_U / 2**50
    assert pointed_at(begin, ppm, weights) == index
    assert pointed_at(end - 1, ppm, weights) == index
    assert begin == 0 or pointed_at(begin - 1, ppm, weights) == index - 1


def test_u_is_spread_evenly_by_a_fixed_seed() -> None:
    """100,000 claims in 64 boxes: chi-square of 63 degrees of freedom has a mean of 63 and a
    standard deviation of 11.2; 6 of them are allowed. Each odds' share is within 5 deviations."""
    brand, member = UUID(int=1), UUID(int=2)
    boxes = [0] * 64
    seen = []
    count = 100_000
    for item in range(count):
        u = u_of(b"s" * 32, message_of(brand, claim_of_scan(item), member, None))
        boxes[u >> 58] += 1
        seen.append(u)
    chi_square = sum((n - count / 64) ** 2 / (count / 64) for n in boxes)
    assert abs(chi_square - 63) < 6 * math.sqrt(2 * 63)
    for ppm in (1_000, 50_000, 333_333, 900_000):
        share = ppm / PPM
        error = 5 * math.sqrt(count * share * (1 - share))
        assert abs(sum(wins(u, ppm) for u in seen) - count * share) < error
    assert len(set(seen)) == count


def test_u_depends_on_the_seed_and_on_each_part_of_the_message() -> None:
    brand, member = UUID(int=1), UUID(int=2)
    messages = {
        message_of(brand, claim_of_scan(1), member, None),
        message_of(brand, claim_of_scan(1), member, "|"),
        message_of(brand, claim_of_scan(2), member, None),
        message_of(member, claim_of_scan(1), member, None),
        message_of(brand, claim_of_scan(1), brand, None),
    }
    assert len({u_of(seed, each) for each in messages for seed in (b"a" * 32, b"b" * 32)}) == 10
    assert hash_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# --- stages ------------------------------------------------------------------------------------


def test_odds_and_amounts_go_along_the_curve_of_their_stage() -> None:
    stages = (
        Stage(900_000, 500_000, (Entry("SMALL", 1, 1000, 200),), Curve.LINEAR),
        Stage(500_000, 100_000, (Entry("SMALL", 1, 200, 40),), Curve.EASE_IN, BEGIN + 10 * DAY),
        Stage(100_000, 100_000, (Entry("SMALL", 1),), Curve.LINEAR, BEGIN + 20 * DAY),
    )
    draw = compile_draw(terms(*stages), BEGIN, BEGIN + 30 * DAY)

    def at(days: float) -> tuple[int, int, Award | None]:
        odds = odds_of(draw, BEGIN + days * DAY)
        return odds.stage, odds.odds_ppm, award_of(draw, odds, "SMALL")

    assert at(0) == (0, 900_000, AmountAward("POINTS", 1000))
    assert at(5) == (0, 700_000, AmountAward("POINTS", 600))
    assert at(10) == (1, 500_000, AmountAward("POINTS", 200))
    assert at(15) == (1, 400_000, AmountAward("POINTS", 160))  # a quarter of the way
    assert at(25) == (2, 100_000, AmountAward("POINTS", 10))


def test_a_stage_begins_at_its_instant_and_the_one_before_it_has_ended_by_then() -> None:
    second = Stage(1, 1, (Entry("SMALL", 1),), starts_at=BEGIN + DAY)
    draw = compile_draw(terms(ALWAYS, second), None, None)
    instant = timedelta(microseconds=1)
    assert [stage_at(draw, BEGIN + DAY + late) for late in (-instant, 0 * instant)] == [0, 1]


@pytest.mark.parametrize("curve", Curve)
@given(seconds=st.integers(0, 86_400))
def test_every_curve_goes_up_from_nothing_to_all(curve: Curve, seconds: int) -> None:
    window = (BEGIN, BEGIN + DAY)
    now = progress_ppm(window, curve, BEGIN + timedelta(seconds=seconds))
    assert 0 <= now <= progress_ppm(window, curve, BEGIN + timedelta(seconds=seconds + 1)) <= PPM
    assert progress_ppm(window, curve, BEGIN) == 0
    assert progress_ppm(window, curve, BEGIN + DAY) == PPM


@given(begin=st.integers(0, PPM), end=st.integers(0, PPM), progress=st.integers(0, PPM))
def test_what_lies_between_is_never_outside(begin: int, end: int, progress: int) -> None:
    assert min(begin, end) <= between(begin, end, progress) <= max(begin, end)
    assert (between(begin, end, 0), between(begin, end, PPM)) == (begin, end)


def test_bonuses_that_hold_are_added_to_the_odds() -> None:
    bonuses = (Bonus("tier.rank >= 2", 50_000), Bonus("calendar.day == 9", 7))
    draw = compile_draw(terms(Stage(100, 100, (Entry("BIG", 1),)), bonuses=bonuses), None, None)
    assert odds_of(draw, BEGIN, (0, 1)) == Odds(0, 0, 100, (0, 1), 50_107)
    assert odds_of(draw, BEGIN, (1,)).odds_ppm == 107
    assert draw.fact_names == ("calendar.day", "tier.rank")


# --- what is given -----------------------------------------------------------------------------


def test_the_prize_pointed_at_is_given() -> None:
    draw = compile_draw(terms(ALWAYS), None, None)
    odds = odds_of(draw, BEGIN)
    first, last = (settle(draw, odds, u, None, plenty) for u in (0, ALL_U - 1))
    assert (first.pointed, first.code, first.award) == ("BIG", "BIG", BIG.award)
    assert (last.pointed, last.code, last.award) == ("SMALL", "SMALL", SMALL.award)


def test_a_prize_that_has_run_out_gives_the_consolation_and_names_what_ran_out() -> None:
    draw = compile_draw(terms(ALWAYS), None, None)
    out = Exhausted("BIG", Limit.STOCK, "BIG", 0, 1)
    come_to = settle(
        draw, odds_of(draw, BEGIN), 0, None, lambda prize, _: out if prize == BIG else None
    )
    assert (come_to.pointed, come_to.code, come_to.award) == ("BIG", "THANKS", None)
    assert come_to.exhausted == (out,)


def test_the_other_prizes_odds_are_the_same_when_one_has_run_out() -> None:
    draw = compile_draw(terms(ALWAYS), None, None)
    odds = odds_of(draw, BEGIN)
    out = Exhausted("BIG", Limit.STOCK, "BIG", 0, 1)

    def short(prize: Prize, _award: Award | None) -> Exhausted | None:
        return out if prize == BIG else None

    for u in range(0, ALL_U, ALL_U // 97):
        rich, poor = settle(draw, odds, u, None, plenty), settle(draw, odds, u, None, short)
        assert rich.pointed == poor.pointed
        assert rich.code == poor.code or (rich.code, poor.code) == ("BIG", "THANKS")


def test_nothing_is_given_where_even_the_consolation_has_run_out() -> None:
    draw = compile_draw(terms(ALWAYS), None, None)
    come_to = settle(
        draw,
        odds_of(draw, BEGIN),
        0,
        None,
        lambda prize, _: Exhausted(prize.code, Limit.BUDGET, "POINTS", 0),
    )
    assert (come_to.pointed, come_to.code) == ("BIG", None)
    assert [each.prize for each in come_to.exhausted] == ["BIG", "THANKS"]


def test_the_guarantee_comes_at_its_draw_unless_u_wins_anyway() -> None:
    guarantee = Guarantee("SMALL", 3)
    losing = compile_draw(terms(NEVER, guarantee=guarantee), None, None)
    odds = odds_of(losing, BEGIN)
    assert [settle(losing, odds, 0, n, plenty).code for n in (1, 2, 3, 4)] == [
        None,
        None,
        "SMALL",
        None,
    ]
    assert settle(losing, odds, 0, 3, plenty).is_guaranteed
    winning = compile_draw(terms(ALWAYS, guarantee=guarantee), None, None)
    won = settle(winning, odds_of(winning, BEGIN), 0, 3, plenty)
    assert (won.code, won.is_guaranteed) == ("BIG", False)
