"""What a ladder must look like, which level an amount earns, and how versions follow."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.assets.rules import Unit
from loyalty.errors import InvalidInput
from tiers.ladders.models import PeriodKind, TierEnd, TierMetric, TierStart
from tiers.ladders.periods import Grace, PeriodRule
from tiers.ladders.rules import (
    LadderPolicy,
    LadderView,
    Level,
    carried_ranks,
    check_levels,
    check_policy,
)
from tiers.ladders.service import starter_levels

YEAR = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)


def level(rank: int, threshold: int, code: str = "", invitation_only: bool = False) -> Level:
    return Level(rank, code or f"L{rank}", "级", "Level", threshold, 100, invitation_only)


WITH_INVITATION = (level(0, 0), level(1, 10), level(2, 0, "CLUB", True), level(3, 30))
VIEW = LadderView(UUID(int=1), "CONSUMER", 1, WITH_INVITATION)


@pytest.mark.parametrize(
    ("amount", "rank"), [(-5, 0), (0, 0), (9, 0), (10, 1), (29, 1), (30, 3), (10**15, 3)]
)
def test_an_amount_earns_the_highest_level_it_reaches_and_none_by_invitation(
    amount: int, rank: int
) -> None:
    assert VIEW.rank_for(amount) == rank


def test_steps_up_and_down_pass_levels_by_invitation() -> None:
    above, top = VIEW.next_level(1), VIEW.next_level(3)
    assert above is not None and above.rank == 3 and top is None
    assert [VIEW.step_down(rank) for rank in (3, 2, 1)] == [1, 1, 0]


@given(amounts=st.lists(st.integers(0, 100), min_size=2))
def test_more_never_earns_less(amounts: list[int]) -> None:
    ranks = [VIEW.rank_for(amount) for amount in sorted(amounts)]
    assert ranks == sorted(ranks)


GOOD = starter_levels()


@pytest.mark.parametrize(
    ("levels", "field"),
    [
        ([], "levels"),
        ([level(n, n) for n in range(21)], "levels"),
        ([replace(GOOD[0], growth_threshold=1)], "levels[0].threshold"),
        ([replace(GOOD[0], growth_threshold=-1)], "levels[0].threshold"),
        ([GOOD[0], replace(GOOD[1], growth_threshold=0)], "levels[1].threshold"),
        ([*GOOD[:2], replace(GOOD[2], growth_threshold=100)], "levels[2].threshold"),
        ([GOOD[0], replace(GOOD[1], growth_threshold=10**15 + 1)], "levels[1].threshold"),
        ([GOOD[0], replace(GOOD[1], code="BASIC")], "levels[1].code"),
        ([replace(GOOD[0], code="")], "levels[0].code"),
        ([replace(GOOD[0], code="A\n")], "levels[0].code"),
        ([replace(GOOD[0], name_zh=" ")], "levels[0].name"),
        ([replace(GOOD[0], name_en="x" * 41)], "levels[0].name"),
        ([replace(GOOD[0], points_multiplier_percent=99)], "levels[0].pointsMultiplierPercent"),
        ([replace(GOOD[0], points_multiplier_percent=1001)], "levels[0].pointsMultiplierPercent"),
        ([level(0, 0, "A", True)], "levels[0].invitationOnly"),
        ([level(0, 0), level(1, 5, "A", True)], "levels[1].threshold"),
        # Thresholds rise across a level by invitation.
        ([level(0, 0), level(1, 5), level(2, 0, "A", True), level(3, 5)], "levels[3].threshold"),
    ],
)
def test_a_ladder_that_is_none_is_refused(levels: list[Level], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_levels(levels)
    assert refused.value.details["field"] == field


def test_good_ladders_are_taken() -> None:
    check_levels(GOOD)
    check_levels(WITH_INVITATION)
    check_levels([level(0, 0)])


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (LadderPolicy(metric=TierMetric.SPEND), "period"),
        (LadderPolicy(metric=TierMetric.EARNED, period=YEAR), "metricAsset"),
        (LadderPolicy(metric_asset="POINTS"), "metricAsset"),
        (LadderPolicy(metric=TierMetric.SCANS, metric_asset="POINTS", period=YEAR), "metricAsset"),
        (LadderPolicy(starts=TierStart.NEXT_PERIOD), "starts"),
        (
            LadderPolicy(
                metric=TierMetric.SCANS,
                period=PeriodRule(PeriodKind.ROLLING, Unit.DAY, 30),
                starts=TierStart.NEXT_PERIOD,
            ),
            "starts",
        ),
        (LadderPolicy(ends=TierEnd.PERIOD_END), "ends"),
        (LadderPolicy(ends=TierEnd.NEXT_PERIOD_END), "ends"),
        (LadderPolicy(grace=Grace(1)), "grace"),
        (
            LadderPolicy(metric=TierMetric.VISITS, period=replace(YEAR, count=2)),
            "period.count",
        ),
    ],
)
def test_terms_that_do_not_go_together_are_refused(policy: LadderPolicy, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_policy(policy)
    assert refused.value.details["field"] == field


def test_terms_that_go_together_are_taken() -> None:
    check_policy(LadderPolicy())
    check_policy(LadderPolicy(ends=TierEnd.BALANCE_DROP, grace=Grace(1)))
    check_policy(LadderPolicy(period=YEAR, ends=TierEnd.PERIOD_END, starts=TierStart.NEXT_PERIOD))
    for metric in (TierMetric.SPEND, TierMetric.SCANS, TierMetric.VISITS):
        check_policy(LadderPolicy(metric=metric, period=YEAR, ends=TierEnd.NEXT_PERIOD_END))
    check_policy(LadderPolicy(TierMetric.EARNED, "STARS", YEAR, TierStart.NEXT_PERIOD))


def codes(text: str) -> list[Level]:
    return [level(rank, rank, code) for rank, code in enumerate(text)]


@pytest.mark.parametrize(
    ("old", "new", "carried", "lowered"),
    [
        ("ABC", "ABC", {0: 0, 1: 1, 2: 2}, set()),
        ("ABC", "AXBC", {0: 0, 1: 2, 2: 3}, set()),  # one more in between: nobody is lowered
        ("ABC", "AXC", {0: 0, 1: 1, 2: 2}, set()),  # another name for the same
        ("ABC", "AB", {0: 0, 1: 1, 2: 1}, {2}),
        ("ABC", "A", {0: 0, 1: 0, 2: 0}, {1, 2}),
        ("ABCD", "ABD", {0: 0, 1: 1, 2: 1, 3: 2}, {2}),  # what is gone falls, what is above stays
        ("AB", "BA", {0: 1, 1: 0}, set()),
        ("", "AB", {}, set()),
    ],
)
def test_levels_are_known_by_their_codes_from_version_to_version(
    old: str, new: str, carried: dict[int, int], lowered: set[int]
) -> None:
    assert carried_ranks(codes(old), codes(new)) == (carried, frozenset(lowered))
