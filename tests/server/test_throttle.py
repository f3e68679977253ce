"""How often a caller may come."""

from hypothesis import given
from hypothesis import strategies as st

from server.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_passes_at_once_then_one_at_a_time() -> None:
    clock = Clock()
    throttle = Throttle(monotonic=clock)
    assert [throttle.wait_seconds("a", 60) for _ in range(60)] == [0] * 60
    assert throttle.wait_seconds("a", 60) == 1
    assert throttle.wait_seconds("b", 60) == 0
    clock.now += 1.0
    assert throttle.wait_seconds("a", 60) == 0
    assert throttle.wait_seconds("a", 60) == 1
    clock.now += 3_600
    assert [throttle.wait_seconds("a", 60) for _ in range(61)] == [0] * 60 + [1]


def test_waiting_as_told_is_enough() -> None:
    clock = Clock()
    throttle = Throttle(monotonic=clock)
    for _ in range(3):
        while (wait := throttle.wait_seconds("a", 7)) == 0:
            pass
        clock.now += wait
        assert throttle.wait_seconds("a", 7) == 0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300), st.integers(1, 100))
def test_no_minute_after_the_first_exceeds_the_rate(gaps: list[float], rate: int) -> None:
    clock = Clock()
    throttle = Throttle(monotonic=clock)
    passed = []
    for gap in gaps:
        clock.now += gap
        if throttle.wait_seconds("a", rate) == 0:
            passed.append(clock.now)
    # In any window of w seconds at most the burst and what w seconds earn.
    for i, start in enumerate(passed):
        for j in range(i, len(passed)):
            assert j - i + 1 <= rate + (passed[j] - start) * rate / 60 + 1e-3


def test_the_longest_quiet_caller_is_forgotten_first() -> None:
    throttle = Throttle(callers_max=2, monotonic=Clock())
    for caller in ("a", "b", "a", "c"):
        throttle.wait_seconds(caller, 2)
    assert throttle.wait_seconds("a", 2) == 30
    assert throttle.wait_seconds("b", 2) == 0
