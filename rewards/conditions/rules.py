"""Pure: conditions, compiled and asked. The one place that knows the library that evaluates CEL."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import cel

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from rewards.campaigns.models import EventKind
from rewards.conditions.facts import (
    EARLIEST,
    FACTS,
    LATEST,
    Facts,
    FactSpec,
    Value,
    custom_specs,
)
from rewards.conditions.reading import (
    ConditionUnreadable,
    Operand,
    Reading,
    flat_name,
    position,
    read_condition,
)
from rewards.conditions.samples import combinations, outcomes_over, samples_of

LENGTH_MAX = 500
_TICK = timedelta(microseconds=1)
_ZONES_APART = timedelta(hours=14)
_CALENDAR = ("calendar.year", "calendar.month", "calendar.day")
_PROBLEM_LENGTH_MAX = 200


class ConditionFailed(Exception):
    """These facts make a condition impossible to answer, such as by a division by zero."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A text over an event's facts, that holds or not. ``facts``: what it reads."""

    text: str
    facts: frozenset[str]
    _program: cel.Program = field(repr=False, compare=False)
    _reads: tuple[tuple[str, str, str], ...] = field(repr=False, compare=False)

    def holds(self, facts: Facts) -> bool:
        """Whether it does, of an event with these facts. Raises ConditionFailed."""
        given = {flat: facts[root][name] for flat, root, name in self._reads}
        try:
            return self._program.execute(given) is True
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ConditionFailed(str(error)[:_PROBLEM_LENGTH_MAX]) from error


@dataclass(slots=True)
class Questions:
    """The conditions that a batch asks: how many it asked, and which failed on whose facts, by
    their text. One that fails does not hold."""

    asked: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def holds(self, condition: Condition, facts: Facts) -> bool:
        self.asked += 1
        try:
            return condition.holds(facts)
        except ConditionFailed as failed:
            self.failed.setdefault(condition.text, str(failed))
            return False


_ROLES: Mapping[EventKind, tuple[Value, ...]] = {
    EventKind.SCAN: (MemberRole.CONSUMER.value, MemberRole.GUIDE.value),
    EventKind.PURCHASE: (MemberRole.CONSUMER.value,),
}
"""Whose events of this kind may earn."""
Fields = tuple[tuple[str, str], ...]
"""The fields of a type of custom events, by name: each with its kind."""


def facts_of(event: EventKind, fields: Fields = ()) -> dict[str, FactSpec]:
    """What is declared of an event of this kind, by dotted name; and of the fields of its type."""
    declared = {name: spec for name, spec in FACTS.items() if event in spec.events}
    declared["event.kind"] = replace(declared["event.kind"], values=(event.value,))
    if event in _ROLES:
        declared["member.role"] = replace(declared["member.role"], values=_ROLES[event])
    return declared | custom_specs(fields)


@dataclass(frozen=True, slots=True)
class Audience:
    """Which events a condition will ever be asked of: those of a window (None is without end) and
    of members in some roles (none named: in any)."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    roles: frozenset[MemberRole] = frozenset()

    def narrowed(self, declared: Mapping[str, FactSpec]) -> dict[str, FactSpec]:
        """The facts, less what they cannot be of these events."""
        found = dict(declared)
        at, year, month, day = (found[name] for name in ("event.at", *_CALENDAR))
        first = max(EARLIEST, self.starts_at or EARLIEST)
        last = min(LATEST, LATEST if self.ends_at is None else self.ends_at - _TICK)
        found["event.at"] = replace(at, low=first, high=last)
        # Where the brand is, it may be the day before or after.
        first, last = first - _ZONES_APART, last + _ZONES_APART
        found["calendar.year"] = replace(year, low=first.year, high=last.year)
        if first.year == last.year:
            found["calendar.month"] = replace(month, low=first.month, high=last.month)
            if first.month == last.month:
                found["calendar.day"] = replace(day, low=first.day, high=last.day)
        if self.roles:
            role = found["member.role"]
            values = tuple(value for value in role.values if value in self.roles)
            found["member.role"] = replace(role, values=values)
        return found


ANYBODY = Audience()


def compile_condition(
    text: str,
    field: str,
    event: EventKind = EventKind.SCAN,
    fields: Fields = (),
    audience: Audience = ANYBODY,
) -> Condition:
    """A condition that somebody wrote, over the facts of this kind of event, and of its type's
    fields; asked of this ``audience`` alone.

    Refuses InvalidInput with the line and column of whatever is not declared, of the wrong kind,
    or fails whatever the facts are, and when there is no event for which it holds.
    """
    declared = facts_of(event, fields)
    return compile_over(text, field, declared, audience.narrowed(declared))


def compile_over(
    text: str,
    field: str,
    declared: Mapping[str, FactSpec],
    narrowed: Mapping[str, FactSpec] | None = None,
) -> Condition:
    """``compile_condition`` over just these facts; ``narrowed`` is what they can be where the
    condition will be asked, if that is less."""
    if not text.strip() or len(text) > LENGTH_MAX:
        raise InvalidInput(field=field, problem=f"1 to {LENGTH_MAX} characters")
    for at, character in enumerate(text):
        if not character.isprintable() and character not in "\n\t":
            problem = f"{position(text, at)}: a character that is not printable"
            raise InvalidInput(field=field, problem=problem)
    try:
        reading = read_condition(text, declared)
        _check_over_samples(reading, declared, narrowed or declared)
    except ConditionUnreadable as wrong:
        problem = f"{position(text, wrong.at)}: {wrong.problem}"
        raise InvalidInput(field=field, problem=problem) from wrong
    return _compiled(reading)


@lru_cache(maxsize=1024)
def load_condition(text: str, event: EventKind, fields: Fields = ()) -> Condition:
    """A condition as it is stored: it was checked when it was written."""
    return _compiled(read_condition(text, facts_of(event, fields)))


def _compiled(reading: Reading) -> Condition:
    names = sorted({name for _, _, name in reading.facts})
    reads = tuple((flat_name(name), *name.split(".", 1)) for name in names)
    return Condition(
        reading.text,
        frozenset(names),
        cel.compile(reading.rewritten()),
        tuple((flat, root, name) for flat, root, name in reads),
    )


def _check_over_samples(
    reading: Reading, declared: Mapping[str, FactSpec], narrowed: Mapping[str, FactSpec]
) -> None:
    """Evaluates every operand by itself, so that no other one hides what is wrong with it. That a
    fact is never what it is compared with is asked of all that is ``declared``."""
    constants = {
        name: [(operand, _value(reading, operand)) for operand in operands]
        for name, operands in reading.compared.items()
    }
    for name, found in constants.items():
        for operand, value in found:
            if declared[name].values and value not in declared[name].values:
                raise ConditionUnreadable(operand.at, f"{name} is never {value!r}")
    samples = {
        flat_name(name): samples_of(narrowed[name], [value for _, value in constants.get(name, ())])
        for _, _, name in reading.facts
    }
    facts, is_all = combinations(samples)
    holds = 0
    for operand in reading.operands:
        program = _program(reading, operand)
        holds, answers, error = outcomes_over(program.execute, facts)
        if error is not None and (answers == 0 or isinstance(error, TypeError | KeyError)):
            raise ConditionUnreadable(operand.at, _first_line(error))
    if holds == 0 and is_all and reading.is_plain:  # the last operand is the whole
        raise ConditionUnreadable(0, "nobody can ever meet this: it never holds")


def _program(reading: Reading, operand: Operand) -> cel.Program:
    try:
        return cel.compile(reading.rewritten(operand.at, operand.end))
    except ValueError as error:  # such as a number that is too large
        raise ConditionUnreadable(operand.at, _first_line(error)) from error


def _value(reading: Reading, operand: Operand) -> Any:
    try:
        return _program(reading, operand).execute({})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ConditionUnreadable(operand.at, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_PROBLEM_LENGTH_MAX]


__all__ = [
    "Audience",
    "Condition",
    "ConditionFailed",
    "Facts",
    "Fields",
    "Questions",
    "Value",
    "compile_condition",
    "compile_over",
    "facts_of",
    "load_condition",
]
