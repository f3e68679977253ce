"""Pure: what follows from the ages that a person has stated.

An age is in full years. Who states one was born that many years before the day, or earlier:
``born_by``. Of age 18 and above an age is read as "at least": it may be raised. One below is a
minor's, and binds: whoever has stated it cannot be older than time has made it since. What an
operator has put right counts instead of all that was stated before.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from loyalty.errors import InvalidInput

AGE_MAX = 120
MINORS_BELOW = 18


class Stated(NamedTuple):
    """One statement, as kept."""

    age: int
    born_by: date
    corrects: bool = False


def check_age(age: int, field: str) -> int:
    """1 to 120."""
    if not 1 <= age <= AGE_MAX:
        raise InvalidInput(field=field, problem=f"1 to {AGE_MAX}")
    return age


def years_before(today: date, years: int) -> date:
    """The same day so many years ago; of 29 February the 28th, where that year has none."""
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return today.replace(year=today.year - years, day=28)


def age_on(born_by: date, today: date) -> int:
    """How many full years old one born then is."""
    had_birthday = (today.month, today.day) >= (born_by.month, born_by.day)
    return today.year - born_by.year - (0 if had_birthday else 1)


def is_of_age(born_by: date | None, age_min: int, today: date) -> bool:
    """Whether one is known to be that old; of whom nothing is known is not."""
    return born_by is not None and age_on(born_by, today) >= age_min


def contradicts(before: Iterable[Stated], new: Stated) -> bool:
    """Whether a statement makes a minor older than time has: more than its years since, and the
    birthday that may just have been."""
    return not new.corrects and any(
        stated.age < MINORS_BELOW and new.born_by <= years_before(stated.born_by, 1)
        for stated in _that_count(before)
    )


def _that_count(statements: Iterable[Stated]) -> list[Stated]:
    """What was stated since the last correction, with it."""
    counting: list[Stated] = []
    for each in statements:
        counting = [each] if each.corrects else [*counting, each]
    return counting


def born_by_of(statements: Iterable[Stated]) -> date | None:
    """What is known of a person by its statements in the order of time: the last one of a minor,
    and what was said since; else the oldest that was stated. Of two persons that became one a
    statement may contradict one before it: it counts for nothing."""
    known: Stated | None = None
    heard: list[Stated] = []
    for new in _that_count(statements):
        if not contradicts(heard, new):
            raises = known is not None and min(known.age, new.age) >= MINORS_BELOW
            known = min(known, new, key=lambda each: each.born_by) if known and raises else new
        heard.append(new)
    return known.born_by if known else None
