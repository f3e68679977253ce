"""Linked moves: all of the legs or none, in their order."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.db import Database
from loyalty.errors import (
    InsufficientBalance,
    InvalidInput,
    MemberClosed,
    MemberFrozen,
    NotFound,
    Refusal,
    SameAccount,
)
from loyalty.ids import new_id
from loyalty.ledger.service import AMOUNT_MAX
from loyalty.moves.rules import LEGS_MAX, Leg
from loyalty.moves.service import move_balances
from tests.loyalty.bank import POINTS, Bank, open_bank

GONE, SOON, LATER = date(2026, 11, 8), date(2026, 12, 31), date(2027, 12, 31)


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def moved(bank: Bank, legs: Sequence[Leg], reason: str = "a mistake") -> list[int]:
    """How many transfers each leg took."""
    done = await bank.run(
        move_balances,
        bank.actor,
        legs,
        reason=reason,
        timezone=bank.brand.timezone,
        command_id=new_id(),
    )
    return [len(transfers) for transfers in done]


async def test_a_leg_may_pass_on_what_an_earlier_one_brought(bank: Bank) -> None:
    first, second, third = [
        await bank.member(lots) for lots in ({SOON: 60, LATER: 60}, {LATER: 5}, {})
    ]
    legs = [
        Leg(first, second, POINTS, 100),
        Leg(second, third, POINTS, 105),
        Leg(third, first, POINTS, 1),
        Leg(third, second, POINTS, 70),
    ]
    assert await moved(bank, legs) == [2, 2, 1, 2]
    assert await bank.lots(first) == {SOON: 1, LATER: 20}
    assert await bank.lots(second) == {SOON: 59, LATER: 11}
    assert await bank.lots(third) == {LATER: 34}
    assert await bank.is_clean()


async def test_of_a_hundred_legs_the_last_one_fails_all(bank: Bank) -> None:
    giver, taker = await bank.member({GONE: 1_000, SOON: 2 * LEGS_MAX - 1}), await bank.member()
    legs = [Leg(giver, taker, POINTS, 2)] * LEGS_MAX
    with pytest.raises(InsufficientBalance) as refused:
        await moved(bank, legs)
    assert refused.value.details == {"available": 1, "wanted": 2, "leg": LEGS_MAX - 1}
    assert await bank.lots(giver) == {GONE: 1_000, SOON: 2 * LEGS_MAX - 1}
    assert await bank.lots(taker) == {}
    await moved(bank, legs[1:])
    assert await bank.lots(taker) == {SOON: 2 * LEGS_MAX - 2}
    assert await bank.is_clean()


async def test_several_assets_move_together(bank: Bank) -> None:
    giver, taker = await bank.member({SOON: 10}), await bank.member()
    await bank.credit(giver, 500, asset="CASH")
    await moved(bank, [Leg(giver, taker, POINTS, 4), Leg(giver, taker, "CASH", 200)])
    assert (await bank.sums(taker), await bank.sums(taker, "CASH")) == (
        {"MAIN": 4, "HELD": 0},
        {"MAIN": 200, "HELD": 0},
    )


async def test_the_failing_leg_is_named_and_nothing_is_written(bank: Bank) -> None:
    giver, taker = await bank.member({SOON: 10}), await bank.member()
    frozen = await bank.member({SOON: 10}, status="FROZEN")
    closed = await bank.member(status="MERGED", merged_into=taker)
    before = await bank.written()
    good = Leg(giver, taker, POINTS, 5)
    bad: list[tuple[Leg, type[Refusal], dict[str, Any]]] = [
        (Leg(giver, taker, POINTS, 6), InsufficientBalance, {"available": 5, "wanted": 6}),
        (Leg(giver, taker, POINTS, 0), InvalidInput, {"field": "legs[1].amount"}),
        (Leg(giver, taker, POINTS, -5), InvalidInput, {"field": "legs[1].amount"}),
        (Leg(giver, taker, POINTS, AMOUNT_MAX + 1), InvalidInput, {"field": "legs[1].amount"}),
        (Leg(giver, taker, "STARS", 5), NotFound, {"noun": "asset"}),
        (Leg(giver, taker, "CASH", 5), InsufficientBalance, {"available": 0, "wanted": 5}),
        (Leg(giver, new_id(), POINTS, 5), NotFound, {"noun": "member"}),
        (Leg(giver, giver, POINTS, 5), SameAccount, {}),
        (Leg(giver, frozen, POINTS, 5), MemberFrozen, {}),
        (Leg(frozen, giver, POINTS, 5), MemberFrozen, {}),
        (Leg(giver, closed, POINTS, 5), MemberClosed, {}),
        (Leg(closed, giver, POINTS, 5), MemberClosed, {}),
    ]
    for leg, refusal, details in bad:
        with pytest.raises(refusal) as refused:
            await moved(bank, [good, leg])
        assert refused.value.details.items() >= (details | {"leg": 1}).items()
        assert await bank.written() == before
    for legs in ([], [good] * (LEGS_MAX + 1)):
        with pytest.raises(InvalidInput) as refused:
            await moved(bank, legs)
        assert refused.value.details["field"] == "legs"
    with pytest.raises(InvalidInput):
        await moved(bank, [good], reason="")
    assert await bank.written() == before
    assert (await bank.lots(giver), await bank.lots(taker)) == ({SOON: 10}, {})


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_rings_in_both_directions_at_once_keep_the_total(bank: Bank) -> None:
    members = [await bank.member({SOON: 100}) for _ in range(4)]
    ring = [(members[n], members[(n + 1) % 4]) for n in range(4)]

    async def once(pairs: Sequence[tuple[UUID, UUID]]) -> str:
        try:
            await moved(bank, [Leg(*pair, POINTS, 60) for pair in pairs])
        except InsufficientBalance:
            return "refused"
        return "moved"

    back = [(taker, giver) for giver, taker in reversed(ring)]
    assert set(await asyncio.gather(*(once(ring if n % 2 else back) for n in range(8)))) == {
        "moved"
    }
    assert [await bank.lots(member) for member in members] == [{SOON: 100}] * 4
    assert await bank.is_clean()
