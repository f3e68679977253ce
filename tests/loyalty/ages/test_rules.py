"""What follows from the ages that people state, on the days where it matters."""

from datetime import date

import pytest

from loyalty.ages.rules import Stated, age_on, born_by_of, contradicts, is_of_age, years_before


def stated(age: int, on: date) -> Stated:
    return Stated(age, years_before(on, age))


LEAP, TODAY = date(2028, 2, 29), date(2026, 11, 22)


@pytest.mark.parametrize("today", [LEAP, TODAY, date(2027, 1, 1), date(2027, 12, 31)])
def test_who_states_an_age_has_it_from_that_day_on(today: date) -> None:
    for age in (1, 17, 18, 120):
        born_by = years_before(today, age)
        assert age_on(born_by, today) == age
        assert is_of_age(born_by, age, today) and not is_of_age(born_by, age + 1, today)
    assert not is_of_age(None, 1, today)


def test_a_minor_grows_by_the_years_alone() -> None:
    sixteen = stated(16, TODAY)
    assert contradicts([sixteen], stated(17, TODAY)), "no birthday has passed"
    tomorrow, in_a_year = date(2026, 11, 23), date(2027, 11, 23)
    assert not contradicts([sixteen], stated(17, tomorrow))
    assert contradicts([sixteen, stated(17, tomorrow)], stated(18, tomorrow))
    assert not contradicts([sixteen], stated(18, in_a_year))
    assert not contradicts([sixteen], stated(3, TODAY)), "nobody lies about that"
    assert not contradicts([stated(18, TODAY)], stated(40, TODAY)), "at least 18"


def test_a_correction_counts_instead_of_all_before_and_binds_from_then_on() -> None:
    slip, right = stated(8, TODAY), stated(28, TODAY)._replace(corrects=True)
    assert not contradicts([slip], right)
    assert born_by_of([slip, right]) == right.born_by
    assert not contradicts([slip, right], stated(40, TODAY)), "of age, and so it may be raised"
    young = stated(16, TODAY)._replace(corrects=True)
    assert born_by_of([stated(30, TODAY), young]) == young.born_by
    assert contradicts([stated(30, TODAY), young], stated(18, TODAY))


def test_what_is_known_is_the_most_an_adult_stated_and_the_last_of_a_minor() -> None:
    ages = {
        (): None,
        (18, 40): 40,
        (40, 18): 40,
        (30, 16): 16,
        (16, 30): 16,
        (12, 17, 9): 9,
    }
    for said, known in ages.items():
        born_by = born_by_of(stated(age, TODAY) for age in said)
        assert born_by == (known and years_before(TODAY, known)), said
