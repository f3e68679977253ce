"""Statements of two brands: what a period came to, put right by both, and then frozen."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, system_actor
from loyalty.errors import (
    AdjustmentStateWrong,
    InvalidInput,
    NotFound,
    Refusal,
    TooManyOpen,
)
from loyalty.ids import new_id
from rewards.alliances.terms import StatementPeriod
from rewards.clearing import queries, statements
from rewards.clearing.models import ClearingStatement, EntryKind
from rewards.clearing.periods import period_end
from rewards.clearing.rules import Due
from rewards.clearing.statements import PROPOSED_MAX
from tests.rewards.clearing.pairs import Alliance
from tests.rewards.redemptions.floor import refusal


def test_periods_end_with_the_calendar() -> None:
    at = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)  # a minute to midnight in Shanghai
    assert period_end(at, StatementPeriod.MONTH, "Asia/Shanghai") == at.replace(hour=16, minute=0)
    assert period_end(at, StatementPeriod.WEEK, "Asia/Shanghai").date().isoformat() == "2027-01-03"


async def settled(proposed: Awaitable[UUID]) -> UUID | Refusal:
    try:
        return await proposed
    except Refusal as refused:
        return refused


class Clerks:
    """The finance people of two of an alliance's brands."""

    def __init__(self, alliance: Alliance) -> None:
        self.alliance, self.db = alliance, alliance.db
        self.a, self.b = system_actor(alliance.a), system_actor(alliance.b)

    async def owe(self, fen: int, kind: EntryKind = EntryKind.FEE) -> UUID:
        """a owes b."""
        due = Due(debtor_id=self.a.brand_id, creditor_id=self.b.brand_id, kind=kind, amount_fen=fen)
        [id] = await self.alliance.post(due)
        return id

    async def draw(self) -> None:
        """A month goes by."""
        await self.db.in_transaction(statements.draw_statements, 1000)
        self.alliance.clock.advance(days=32)
        while await self.db.in_transaction(statements.draw_statements, 1000):
            pass

    async def last(self, actor: Actor | None = None) -> ClearingStatement:
        own, other = (self.a, self.b) if actor in (None, self.a) else (self.b, self.a)
        async with self.db.snapshot() as snapshot:
            found = await queries.find_last_statement(snapshot, own.brand_id, other.brand_id)
        assert found is not None
        return found

    async def confirm(self, actor: Actor, id: UUID, fen: int) -> ClearingStatement:
        return await self.db.in_transaction(statements.confirm_statement, actor, id, fen)

    async def propose(self, actor: Actor, fen: int) -> UUID:
        other = self.b if actor is self.a else self.a
        verb: Any = statements.propose_adjustment
        row = await self.db.in_transaction(verb, actor, other.brand_id, fen, "a slip")
        return UUID(bytes=row.id.bytes)

    async def decide(self, actor: Actor, id: UUID, accept: bool = True) -> Any:
        return await self.db.in_transaction(statements.decide_adjustment, actor, id, accept=accept)


async def test_a_statement_goes_on_where_the_last_one_closed(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    await clerks.owe(500)
    await clerks.owe(200, EntryKind.REDEMPTION)
    await clerks.draw()
    first = await clerks.last()
    assert (first.number, first.opening_fen, first.closing_fen, first.entry_count) == (1, 0, 700, 2)
    theirs = await clerks.last(clerks.b)
    assert (theirs.id, theirs.closing_fen) == (first.id, -700)
    await clerks.draw()  # nothing was posted
    assert (await clerks.last()).id == first.id
    await clerks.db.in_transaction(
        statements.record_payment, clerks.b, clerks.a.brand_id, 700, "bank 17"
    )
    await clerks.draw()
    second = await clerks.last()
    assert (second.number, second.opening_fen, second.closing_fen) == (2, 700, 0)
    assert await alliance.broken() == {}


async def test_it_is_frozen_once_both_confirm_what_they_saw(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    await clerks.owe(500)
    await clerks.draw()
    id = (await clerks.last()).id
    assert isinstance(await refusal(clerks.confirm(clerks.a, id, 499)), InvalidInput)
    await clerks.confirm(clerks.a, id, 500)
    again = await clerks.confirm(clerks.a, id, 500)
    assert again.partner_confirmed_at is None
    stranger = system_actor(alliance.c)
    assert isinstance(await refusal(clerks.confirm(stranger, id, 500)), NotFound)
    # What both want put right belongs into it, and nobody has confirmed that yet.
    await clerks.decide(clerks.a, await clerks.propose(clerks.b, 30))
    changed = await clerks.last()
    assert (changed.closing_fen, changed.entry_count, changed.confirmed_at) == (470, 2, None)
    await clerks.confirm(clerks.a, id, 470)
    assert (await clerks.confirm(clerks.b, id, -470)).partner_confirmed_at is not None
    # Frozen: what comes later is an entry of the open period.
    await clerks.decide(clerks.b, await clerks.propose(clerks.a, 5))
    assert (await clerks.last()).closing_fen == 470
    assert await alliance.owed(alliance.a, alliance.b) == (475, 0)
    assert await alliance.broken() == {}


async def test_an_adjustment_needs_the_other_side(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    mine, other = await clerks.propose(clerks.a, 30), await clerks.propose(clerks.b, 9)
    assert isinstance(await refusal(clerks.decide(clerks.a, mine)), AdjustmentStateWrong)
    assert (await clerks.decide(clerks.a, mine, accept=False)).status == "WITHDRAWN"
    assert (await clerks.decide(clerks.a, other, accept=False)).status == "DECLINED"
    assert isinstance(await refusal(clerks.decide(clerks.b, mine)), AdjustmentStateWrong)
    assert await alliance.owed(alliance.a, alliance.b) == (0, 0)
    unknown = clerks.db.in_transaction(
        statements.propose_adjustment, clerks.a, new_id(), 5, "who is that"
    )
    assert isinstance(await refusal(unknown), NotFound)


async def test_a_side_fills_the_others_books_with_no_more_than_so_many(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    first = await clerks.propose(clerks.a, 1)
    for _ in range(PROPOSED_MAX - 2):
        await clerks.propose(clerks.a, 1)
    at_once = [settled(clerks.propose(clerks.a, 1)) for _ in range(3)]
    ends = await asyncio.gather(*at_once)
    assert sum(isinstance(each, TooManyOpen) for each in ends) == 2, "one was left"
    await clerks.propose(clerks.b, 1)  # the other side has its own
    await clerks.decide(clerks.b, first, accept=False)
    await clerks.propose(clerks.a, 1)


async def test_one_adjustment_accepted_twice_at_once_is_posted_once(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    id = await clerks.propose(clerks.a, 30)
    done = await asyncio.gather(
        *(clerks.decide(clerks.b, id) for _ in range(4)), return_exceptions=True
    )
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert await alliance.owed(alliance.a, alliance.b) == (30, 0)
    assert await alliance.broken() == {}
