"""What one brand owes another is written on both sides, and funds are reserved up to a limit."""

import asyncio

import pytest

from loyalty.actor import system_actor
from loyalty.db import StatementMismatch
from loyalty.ids import new_id
from rewards.clearing import service
from rewards.clearing.models import ClearingEntry, EntryKind
from rewards.clearing.rules import Due
from tests.rewards.clearing.pairs import Alliance


def due(debtor: object, creditor: object, fen: int, kind: EntryKind = EntryKind.FEE) -> Due:
    return Due(debtor_id=debtor, creditor_id=creditor, kind=kind, amount_fen=fen)  # type: ignore[arg-type]


async def test_what_one_owes_is_minus_what_the_other_owes(alliance: Alliance) -> None:
    a, b, c = alliance.a, alliance.b, alliance.c
    await alliance.post(due(a, b, 500), due(b, a, 120), due(c, b, 7))
    assert (await alliance.owed(a, b))[0] == 380
    assert (await alliance.owed(b, a))[0] == -380
    assert (await alliance.owed(c, b), await alliance.owed(a, c)) == ((7, 0), (0, 0))
    assert await alliance.broken() == {}


async def test_both_copies_name_the_same(alliance: Alliance) -> None:
    [id] = await alliance.post(due(alliance.b, alliance.a, 30, EntryKind.PAYMENT))
    async with alliance.db.snapshot() as snapshot:
        rows = [(await service.get_entry(snapshot, one, id)) for one in (alliance.a, alliance.b)]
    assert [(row.owed_fen, row.kind) for row in rows] == [(-30, "PAYMENT"), (30, "PAYMENT")]
    assert isinstance(rows[0], ClearingEntry)


async def test_a_position_is_opened_once(alliance: Alliance) -> None:
    await alliance.post(due(alliance.a, alliance.b, 5))
    await alliance.db.in_transaction(service.open_position, alliance.b, alliance.a)
    assert await alliance.owed(alliance.a, alliance.b) == (5, 0)


async def test_strangers_owe_each_other_nothing(alliance: Alliance) -> None:
    with pytest.raises(StatementMismatch):
        await alliance.post(due(alliance.a, new_id(), 5))
    assert await alliance.broken() == {}


async def test_funds_stop_at_exactly_the_limit(alliance: Alliance) -> None:
    a, b = alliance.a, alliance.b
    await alliance.post(due(b, a, 100, EntryKind.PAYMENT))  # a has paid in

    async def reserve(fen: int) -> bool:
        return await alliance.db.in_transaction(service.reserve, a, b, fen, 0)

    assert await reserve(60)
    assert not await reserve(41)
    assert await reserve(40)
    assert not await reserve(1)
    await alliance.post(due(a, b, 30, EntryKind.REDEMPTION), reserved={(a, b): -40})
    assert await alliance.owed(a, b) == (-70, 60)
    assert await reserve(10)
    await alliance.db.in_transaction(service.release, {(a, b): 70})
    with pytest.raises(StatementMismatch):
        await alliance.db.in_transaction(service.release, {(a, b): 1})


async def test_low_funds_are_told_once_to_both(alliance: Alliance) -> None:
    a, b = alliance.a, alliance.b
    told = []
    for fen in (50, 60, 10):
        await alliance.db.in_transaction(service.reserve, a, b, fen, 200, warning_fen=100)
        told.append(len(await alliance.facts(service.FUNDS_LOW_TOPIC)))
    assert told == [0, 2, 2]
    assert {fact.brand_id for fact in await alliance.facts(service.FUNDS_LOW_TOPIC)} == {a, b}
    await alliance.db.in_transaction(service.release, {(a, b): 120})  # for no coupon at all


async def test_the_other_brand_is_not_told_who_did_it(alliance: Alliance) -> None:
    await alliance.db.in_transaction(
        service.post, system_actor(alliance.c), [due(alliance.a, alliance.b, 5)]
    )
    assert await alliance.broken() == {}


async def test_of_many_at_once_no_more_reserve_than_there_is(alliance: Alliance) -> None:
    reserved = await asyncio.gather(
        *(
            alliance.db.in_transaction(service.reserve, alliance.a, alliance.b, 30, 100)
            for _ in range(8)
        )
    )
    assert sum(reserved) == 3
    assert await alliance.owed(alliance.a, alliance.b) == (0, 90)
