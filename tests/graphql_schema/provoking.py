"""What provokes a refusal or a reason not to pay: the calls, and the lists that they are noted in.

Each provocation prepares what it needs and gives back the one call that is to be answered with
its code. A code without one makes ``test_refusals.py`` fail.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from loyalty.errors import Refusal
from rewards.scans.models import GuideUnpaidReason, UnpaidReason
from tests.api import Caller
from tests.graphql_schema.stage import Stage


@dataclass(frozen=True)
class Call:
    """One mutation, ready to be sent. ``keeps`` are the tables of what counts attempts: that has
    to outlive the refusal."""

    caller: Caller
    mutation: str
    input: dict[str, Any]
    keeps: frozenset[str] = frozenset()

    async def send(self) -> Any:
        return await self.caller.do(self.mutation, **self.input)


Provocation = Callable[[Stage], Awaitable[Call]]
REFUSALS: defaultdict[str, list[Provocation]] = defaultdict(list)
UNPAID: dict[str, Provocation] = {}
GUIDE_UNPAID: dict[str, Provocation] = {}


def refused(refusal: type[Refusal]) -> Callable[[Provocation], Provocation]:
    """Notes one more way to provoke a refusal."""

    def note(provocation: Provocation) -> Provocation:
        REFUSALS[refusal.code].append(provocation)
        return provocation

    return note


def unpaid(reason: UnpaidReason) -> Callable[[Provocation], Provocation]:
    return _noted(UNPAID, reason.value)


def guide_unpaid(reason: GuideUnpaidReason) -> Callable[[Provocation], Provocation]:
    return _noted(GUIDE_UNPAID, reason.value)


def _noted(registry: dict[str, Provocation], code: str) -> Callable[[Provocation], Provocation]:
    def note(provocation: Provocation) -> Provocation:
        assert code not in registry, f"{code} is provoked twice"
        registry[code] = provocation
        return provocation

    return note
