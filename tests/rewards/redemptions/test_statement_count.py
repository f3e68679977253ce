"""What a step at the till costs in SQL statements, which is what it costs in time."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from loyalty.db import Tx
from rewards.redemptions import service
from tests.rewards.redemptions.floor import Floor
from tests.statement_log import statements_told

HOLD_MAX = 5
CAPTURE_MAX = 10
VOID_MAX = 4
REVERSE_MAX = 13
LAPSE_MAX = 3
T = TypeVar("T")


async def counted(
    floor: Floor, verb: Callable[..., Awaitable[T]], *args: Any, **named: Any
) -> tuple[T, int]:
    async def run(tx: Tx) -> tuple[T, int]:
        async with statements_told(tx) as told:
            done = await verb(tx, *args, **named)
        return done, len(told)

    return await floor.db.in_transaction(run)


async def test_each_step_is_a_few_statements(floor: Floor) -> None:
    clerk = floor.shops.east.actor
    for _ in range(3):  # a new connection asks what it may be told
        first, second = [await floor.coupon() for _ in range(2)]
        held, hold = await counted(floor, service.hold_coupon, clerk, code=first.code)
        _, capture = await counted(floor, service.capture, clerk, held.id)
        _, reverse = await counted(floor, service.reverse, clerk, held.id, "wrong")
        again = await floor.hold(second)
        _, void = await counted(floor, service.void, clerk, again.id)
    assert 1 < hold <= HOLD_MAX
    assert 1 < capture <= CAPTURE_MAX
    assert 1 < reverse <= REVERSE_MAX
    assert 1 < void <= VOID_MAX


async def test_holds_are_tidied_by_the_set(floor: Floor) -> None:
    counts = {}
    for size in (2, 1, 2, 40):
        for _ in range(size):
            await floor.hold(await floor.coupon())
        floor.clock.advance(minutes=10)
        done, counts[size] = await counted(floor, service.lapse_holds, 1000)
        assert done == size
    assert counts[1] == counts[2] == counts[40] <= LAPSE_MAX
