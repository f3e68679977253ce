"""Which lots pay, and which give back."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.ledger.lots import plan_return, plan_spend, spendable
from loyalty.ledger.models import NEVER_EXPIRES

TODAY = date(2026, 11, 9)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)

days = st.sampled_from([YESTERDAY, TODAY, TOMORROW, date(2027, 1, 31), NEVER_EXPIRES])
lots = st.dictionaries(days, st.integers(0, 9))
amounts = st.integers(1, 40)


def test_the_soonest_to_expire_pays_first_and_what_never_expires_last() -> None:
    there = [(NEVER_EXPIRES, 5), (TOMORROW, 5), (TODAY, 5)]
    assert plan_spend(there, 12, TODAY) == [(TODAY, 5), (TOMORROW, 5), (NEVER_EXPIRES, 2)]


def test_a_lot_is_good_on_its_last_day_and_pays_nothing_the_day_after() -> None:
    assert plan_spend([(TODAY, 5)], 5, TODAY) == [(TODAY, 5)]
    assert plan_spend([(TODAY, 5)], 1, TOMORROW) is None


def test_what_does_not_suffice_pays_nothing() -> None:
    assert plan_spend([(TODAY, 5), (TOMORROW, 5)], 11, TODAY) is None
    assert plan_spend([], 1, TODAY) is None


def test_a_return_takes_from_its_own_lot_first_then_the_soonest() -> None:
    there = [(TODAY, 5), (TOMORROW, 5), (NEVER_EXPIRES, 5)]
    assert plan_return(there, 8, TODAY, NEVER_EXPIRES) == [(NEVER_EXPIRES, 5), (TODAY, 3)]
    assert plan_return(there, 3, TODAY, TOMORROW) == [(TOMORROW, 3)]


def test_a_return_takes_what_there_is_and_nothing_of_lots_past_their_date() -> None:
    there = [(YESTERDAY, 5), (TOMORROW, 2)]
    assert plan_return(there, 8, TODAY, YESTERDAY) == [(TOMORROW, 2)]
    assert plan_return(there, 8, TODAY, TODAY) == [(TOMORROW, 2)]


@given(lots, amounts)
def test_a_plan_is_whole_or_none(there: dict[date, int], amount: int) -> None:
    plan = plan_spend(there.items(), amount, TODAY)
    good = {day: left for day, left in there.items() if day >= TODAY}
    assert (plan is None) == (sum(good.values()) < amount)
    assert spendable(there.items(), TODAY) == sum(good.values())
    if plan is not None:
        assert sum(part for _, part in plan) == amount
        used = [day for day, _ in plan]
        assert used == sorted(set(used))
        assert all(0 < part <= good[day] for day, part in plan)
        # Whatever is sooner than the last lot used is used up.
        assert all(
            dict(plan).get(day) == left for day, left in good.items() if left > 0 and day < used[-1]
        )


@given(lots, amounts, days)
def test_a_return_takes_as_much_as_it_can(there: dict[date, int], amount: int, own: date) -> None:
    plan = plan_return(there.items(), amount, TODAY, own)
    assert sum(part for _, part in plan) == min(amount, spendable(there.items(), TODAY))
    if own >= TODAY and there.get(own):
        assert plan[0] == (own, min(amount, there[own]))
    others = {day: left for day, left in there.items() if day != own}
    rest = amount - dict(plan).get(own, 0)
    assert [part for part in plan if part[0] != own] == plan_return(
        others.items(), rest, TODAY, None
    )
