"""How often one caller may come, in memory, per process.

The generic cell rate algorithm: one float a caller. (The in-memory moving window of ``limits``
keeps a timestamp per request and sweeps every caller from a thread each 10 ms: at 50,000 callers
that was 12 us a request and stalls of 8 ms, against 1 us here.)
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests per minute; a caller that was quiet may spend one minute's worth at once."""

    member_per_minute: int = 600
    operator_per_minute: int = 1_200
    anonymous_per_minute: int = 300


class Throttle:
    """At most ``callers_max`` callers are remembered; the longest quiet is forgotten first."""

    def __init__(
        self,
        rates: Rates | None = None,
        callers_max: int = 200_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rates = rates or Rates()
        self._callers_max = callers_max
        self._monotonic = monotonic
        self._busy_until: OrderedDict[Hashable, float] = OrderedDict()

    def wait_seconds(self, caller: Hashable, per_minute: int) -> int:
        """0 if the request may pass, which counts it; else whole seconds until one may."""
        now = self._monotonic()
        interval = 60.0 / per_minute
        busy_until = max(self._busy_until.get(caller, now), now) + interval
        excess = busy_until - now - 60.0
        if excess > 1e-6:
            return max(1, math.ceil(excess))
        self._busy_until[caller] = busy_until
        self._busy_until.move_to_end(caller)
        if len(self._busy_until) > self._callers_max:
            self._busy_until.popitem(last=False)
        return 0


class Guesses:
    """Who tries codes that are not ours: so many at once are forgiven, and so many a minute."""

    def __init__(
        self,
        at_once: int = 20,
        per_minute: int = 2,
        callers_max: int = 200_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 60.0 / per_minute
        self._patience = at_once * self._interval
        self._callers_max = callers_max
        self._monotonic = monotonic
        self._busy_until: OrderedDict[Hashable, float] = OrderedDict()

    def wait_seconds(self, caller: Hashable) -> int:
        """0 if the caller may try another code, else whole seconds until it may."""
        excess = self._busy_until.get(caller, 0.0) - self._monotonic() - self._patience
        return math.ceil(excess) if excess > 1e-6 else 0

    def count(self, caller: Hashable) -> None:
        """Remember one more code that was not ours."""
        now = self._monotonic()
        self._busy_until[caller] = max(self._busy_until.get(caller, now), now) + self._interval
        self._busy_until.move_to_end(caller)
        if len(self._busy_until) > self._callers_max:
            self._busy_until.popitem(last=False)
