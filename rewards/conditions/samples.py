"""Pure: values that stand for all a fact may be, and what a condition comes to over them."""

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from rewards.conditions.facts import FactSpec, Kind, Value

COMBINATIONS_MAX = 2_000
_TICK = timedelta(microseconds=1)
_SEED = 0
_SOME_NUMBERS = (0, 1, 7, 100, 12_345)
_SOME_TEXTS = ("", "a", "7", "ABC-123")
_TEXTS_MAX = 8


def samples_of(spec: FactSpec, compared: Iterable[Value]) -> list[Value]:
    """A fact's edges, the constants that it is compared with, and what lies beside and between
    them: for comparisons with these, as good as everything it can be."""
    if spec.values:
        return list(spec.values)
    if spec.kind is Kind.STRING:
        return sorted({*_SOME_TEXTS, *(value for value in compared if isinstance(value, str))})
    if spec.kind is Kind.LIST:
        return _lists(value for value in compared if isinstance(value, str))
    low, high = cast("tuple[Any, Any]", (spec.low, spec.high))
    if spec.kind is Kind.INT:
        around = {number + by for number in _whole(compared) for by in (-1, 0, 1)}
        found = {low, high, *around, *_SOME_NUMBERS}
        return sorted(value for value in found if low <= value <= high)
    edges = sorted({low, high, *(v for v in _like(low, compared) if low <= v <= high)})
    middles = [a + (b - a) / 2 for a, b in itertools.pairwise(edges)]
    return sorted({*edges, *middles})


def _lists(compared: Iterable[str]) -> list[Value]:
    """Every choice among the texts that a list is asked for: with another one in it, which it is
    not asked for. Of too many texts more lists than are looked at, drawn alike each time."""
    texts = sorted(set(compared))
    other = "x".join(["", *texts, ""])  # longer than any of them
    choices: Iterable[tuple[bool, ...]]
    if len(texts) <= _TEXTS_MAX:
        choices = itertools.product((False, True), repeat=len(texts))
    else:
        draw = random.Random(_SEED)
        choices = (tuple(draw.random() < 0.5 for _ in texts) for _ in range(COMBINATIONS_MAX + 1))
    lists: list[Value] = [[]]
    for choice in choices:
        lists.append([*itertools.compress(texts, choice), other])
    return lists


def _whole(values: Iterable[Value]) -> Iterator[int]:
    for value in values:
        if isinstance(value, int | float) and math.isfinite(value):
            yield from (math.floor(value), math.ceil(value))


def _like(low: Any, values: Iterable[Value]) -> Iterator[Any]:
    for value in values:
        if isinstance(low, datetime):
            if isinstance(value, datetime):
                yield from (value - _TICK, value, value + _TICK)
        elif isinstance(value, int | float):
            yield float(value)


def combinations(samples: Mapping[str, Sequence[Value]]) -> tuple[list[dict[str, Value]], bool]:
    """Facts by their names, every combination of their samples; of too many a part of them, drawn
    alike each time, and False."""
    names = sorted(samples)
    if math.prod(len(samples[name]) for name in names) <= COMBINATIONS_MAX:
        product = itertools.product(*(samples[name] for name in names))
        return [dict(zip(names, values, strict=True)) for values in product], True
    draw = random.Random(_SEED)
    return [
        {name: draw.choice(samples[name]) for name in names} for _ in range(COMBINATIONS_MAX)
    ], False


def outcomes_over(
    evaluate: Callable[[dict[str, Value]], Any], facts: Iterable[dict[str, Value]]
) -> tuple[int, int, Exception | None]:
    """How often it came to true, how often to anything, and the first error there was."""
    holds = answers = 0
    first: Exception | None = None
    for each in facts:
        try:
            holds += evaluate(each) is True
            answers += 1
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            first = first or error
    return holds, answers, first
