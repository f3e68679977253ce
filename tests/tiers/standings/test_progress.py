"""What a member is told: what keeps its level, and what leads to the next one."""

from datetime import date

import pytest

from tests.tiers.standings.timelines import (
    BALANCE_DROP,
    MONTH,
    NEVER,
    NEXT_PERIOD,
    NEXT_PERIOD_END,
    PERIOD_END,
    THIRTY_DAYS,
    YEAR,
    Timeline,
    ladder,
)
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderView
from tiers.standings.models import Basis
from tiers.standings.progress import Keep, Rise, period_shown, to_keep, to_rise

JOINED_ON = date(2026, 1, 15)


def d(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def shown(life: Timeline, on: LadderView, day: date) -> tuple[Keep | None, Rise | None]:
    """As ``me.tier`` computes both from one amount."""
    life.on(day)
    tier = life.tier
    period = period_shown(on, JOINED_ON, day)
    amount = tier.balance
    if period is not None:
        amount = sum(a for on_, a in tier.days.items() if period.first <= on_ <= period.last)
    terms = (on, tier.held, amount, JOINED_ON, day)
    return to_keep(*terms), to_rise(*terms)


def test_at_the_bottom_nothing_is_to_be_kept_and_at_the_top_nothing_is_above() -> None:
    on = ladder()
    life = Timeline(on, JOINED_ON)
    life.spends(d("02-01"), 40)
    keep, rise = shown(life, on, d("02-01"))
    assert keep is None
    assert rise is not None
    assert (rise.level.rank, rise.amount, rise.missing) == (1, 40, 60)
    assert (rise.by, rise.starts_on) == (d("02-28"), None)
    life.spends(d("02-02"), 2_000)
    assert shown(life, on, d("02-02"))[1] is None


def test_a_level_without_end_needs_nothing() -> None:
    on = ladder(TierMetric.GROWTH, None, NEVER)
    life = Timeline(on, JOINED_ON)
    life.has(d("02-01"), 120)
    keep, rise = shown(life, on, d("02-01"))
    assert keep is None
    assert rise is not None and (rise.missing, rise.by) == (180, None)


def test_a_balance_keeps_its_level_as_long_as_it_is_there_and_grace_says_until_when() -> None:
    on = ladder(TierMetric.GROWTH, None, BALANCE_DROP, grace="P10D")
    life = Timeline(on, JOINED_ON)
    life.has(d("02-01"), 120)
    assert shown(life, on, d("02-01"))[0] == Keep(100, 120, None, None)
    life.has(d("02-02"), 70)
    keep, _ = shown(life, on, d("02-02"))
    assert keep == Keep(100, 70, None, d("02-11")) and keep.missing == 30


def test_a_balance_that_is_reviewed_is_needed_by_the_review() -> None:
    on = ladder(TierMetric.GROWTH, YEAR, PERIOD_END)
    life = Timeline(on, JOINED_ON)
    life.has(d("02-01"), 120)
    assert shown(life, on, d("03-01"))[0] == Keep(100, 120, None, d("12-31"))


def test_what_the_period_after_must_bring_is_told_before_it_begins() -> None:
    on = ladder(ends=NEXT_PERIOD_END)
    life = Timeline(on, JOINED_ON)
    life.spends(d("02-01"), 120)
    # February is good to the end of March; from March on something has to come.
    assert shown(life, on, d("02-20"))[0] == Keep(100, 0, d("03-01"), d("03-31"))
    life.spends(d("03-02"), 30)
    assert shown(life, on, d("03-02"))[0] == Keep(100, 30, d("03-01"), d("03-31"))
    life.spends(d("03-03"), 70)  # kept to the end of April: what April brings is next
    assert shown(life, on, d("03-03"))[0] == Keep(100, 0, d("04-01"), d("04-30"))


def test_nothing_keeps_a_level_that_ends_before_anything_counts_again() -> None:
    on = ladder()
    life = Timeline(on, JOINED_ON)
    life.spends(d("02-01"), 120)
    assert shown(life, on, d("02-20"))[0] is None
    patient = ladder(grace="P5D")
    life = Timeline(patient, JOINED_ON)
    life.spends(d("02-01"), 120)
    assert shown(life, patient, d("02-20"))[0] == Keep(100, 0, d("03-01"), d("03-05"))
    life.spends(d("03-02"), 10)
    assert shown(life, patient, d("03-02"))[0] == Keep(100, 10, d("03-01"), d("03-05"))


def test_a_level_that_waits_says_when_it_begins() -> None:
    on = ladder(starts=NEXT_PERIOD, ends=PERIOD_END)
    life = Timeline(on, JOINED_ON)
    life.spends(d("02-01"), 120)
    _, rise = shown(life, on, d("02-01"))
    assert rise is not None
    assert (rise.level.rank, rise.missing, rise.starts_on) == (1, 0, d("03-01"))
    # In March it is held for what February brought; March brings what April is.
    assert shown(life, on, d("03-10"))[0] == Keep(100, 0, d("03-01"), d("03-31"))


def test_a_window_is_shown_as_it_is_today() -> None:
    on = ladder(period=THIRTY_DAYS)
    life = Timeline(on, JOINED_ON)
    life.spends(d("02-01"), 120)
    keep, rise = shown(life, on, d("02-20"))
    assert keep == Keep(100, 120, d("01-22"), d("03-02"))
    assert rise is not None and (rise.missing, rise.by) == (180, None)


@pytest.mark.parametrize("until", [None, d("05-01")])
def test_nothing_needs_to_keep_a_level_by_invitation(until: date | None) -> None:
    on = ladder(thresholds=(0, 100, -1, 300))
    life = Timeline(on, JOINED_ON)
    life.grant(d("02-01"), 2, until, Basis.INVITED)
    keep, rise = shown(life, on, d("02-01"))
    assert keep is None
    assert rise is not None and rise.level.rank == 3


def test_a_granted_level_may_be_earned_before_the_grant_ends() -> None:
    on = ladder(period=MONTH, ends=NEXT_PERIOD_END)
    life = Timeline(on, JOINED_ON)
    life.grant(d("02-01"), 1, d("02-20"))
    life.spends(d("02-02"), 30)
    assert shown(life, on, d("02-02"))[0] == Keep(100, 30, d("02-01"), d("02-20"))
