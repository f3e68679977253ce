"""The verbs of a book, written: rows, guards and counters, and the audit clean after each."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import pytest
import pytest_asyncio
from sqlmodel import col, select

from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import Expiry, ExpiryKind
from loyalty.assets.service import configure_asset
from loyalty.db import Database, RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.audit import audit
from loyalty.ledger.models import (
    NEVER_EXPIRES,
    AccountKind,
    LotExtension,
    TransferKind,
    TransferPhase,
    TransferReversal,
)
from loyalty.ledger.rules import (
    AccountState,
    Book,
    Cause,
    Movement,
    ReversalDelta,
    ReversibleTransfer,
    plan_return,
)
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank
from tests.loyalty.ledger.corruptions import broken

P = ParamSpec("P")
T = TypeVar("T")

TODAY = date(2026, 11, 9)
SOON, LATER = date(2026, 11, 12), date(2027, 12, 31)
ACTIVE_DAYS = Expiry(ExpiryKind.ACTIVITY, count=30)
BY_ACTIVITY = TODAY + timedelta(days=30)


class Desk:
    """A bank whose books are audited after whatever is done to one member's points."""

    def __init__(self, bank: Bank, member: UUID) -> None:
        self.bank = bank
        self.member = member

    @property
    def key(self) -> tuple[UUID, UUID, str]:
        return (self.bank.brand.id, self.member, POINTS)

    async def do(
        self, verb: Callable[Concatenate[Tx, "Desk", P], Awaitable[T]], *a: P.args, **k: P.kwargs
    ) -> T:
        done = await self.bank.run(verb, self, *a, **k)
        assert broken(await audit(self.bank.db)) == {}
        return done

    async def lots(self) -> dict[date, int]:
        return await self.bank.lots(self.member)

    async def sums(self) -> dict[str, int]:
        return await self.bank.sums(self.member)


@pytest_asyncio.fixture
async def desk(clocked_db: Database) -> Desk:
    bank = await open_bank(clocked_db)
    return Desk(bank, await bank.member())


class Opened:
    """A desk's accounts, locked, and a book."""

    def __init__(self, tx: Tx, desk: Desk) -> None:
        self.tx, self.key, self.book = tx, desk.key, Book(new_id)
        self.cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "a reason", tx.now)

    async def lock(self) -> "Opened":
        has, owes = await ledger.lock_accounts_and_debts(self.tx, [self.key[:2]])
        self.has = has.get(self.key) or self._new(AccountKind.MAIN)
        self.owes = owes.get(self.key) or self._new(AccountKind.RECEIVABLE)
        return self

    def _new(self, kind: AccountKind) -> AccountState:
        brand_id, member_id, asset = self.key
        return AccountState(brand_id, new_id(), member_id, asset, kind=kind.value, is_new=True)

    async def of_brand(self, kind: AccountKind) -> AccountState:
        brand_id, _, asset = self.key
        return (await ledger.brand_books(self.tx, [brand_id], kind))[brand_id, brand_id, asset]

    async def write(self) -> None:
        await ledger.write_members_side(self.tx, self.book)
        await ledger.write_brands_side(self.tx, self.book)


async def earn(tx: Tx, desk: Desk, *credits: tuple[int, date]) -> list[Movement]:
    opened = await Opened(tx, desk).lock()
    issuance = await opened.of_brand(AccountKind.ISSUANCE)
    made = [
        opened.book.credit(
            issuance,
            opened.has,
            amount,
            opened.cause,
            campaign_id=None,
            expires_on=on,
            owed=opened.owes,
        )
        for amount, on in credits
    ]
    await opened.write()
    return made


async def spend(tx: Tx, desk: Desk, amount: int, *, hold: bool = False) -> list[Movement]:
    opened = Opened(tx, desk)
    taken = await ledger.spend_balance(
        tx,
        opened.book,
        desk.key[:2],
        POINTS,
        amount,
        opened.cause,
        TODAY,
        phase=TransferPhase.PENDING if hold else TransferPhase.POSTED,
    )
    await opened.write()
    return taken


async def end_hold(tx: Tx, desk: Desk, held: Movement, *, post: bool) -> None:
    opened = await Opened(tx, desk).lock()
    opened.book.settle_taken(
        opened.has,
        await opened.of_brand(AccountKind.SPENT),
        (lot_of(held), held.amount),
        TransferKind.SPEND,
        opened.cause,
        pending_id=held.id,
        post=post,
    )
    await opened.write()


async def take_back(tx: Tx, desk: Desk, earned: Movement, amount: int, *, may_owe: bool) -> None:
    opened = await Opened(tx, desk).lock()
    lots = await ledger.find_free_lots(tx, opened.book, [opened.has], TODAY)
    own = earned.credit_expires_on
    parts = plan_return(lots[opened.has.id].items(), amount, TODAY, own)
    opened.book.take_back(
        opened.has,
        await opened.of_brand(AccountKind.REVERSED),
        parts,
        opened.cause,
        reverses=reversible(earned),
        owed=opened.owes,
        shortfall=amount - sum(part for _, part in parts) if may_owe else 0,
    )
    await opened.write()


async def give_back(tx: Tx, desk: Desk, spent: Movement, amount: int) -> None:
    opened = await Opened(tx, desk).lock()
    opened.book.give_back(
        await opened.of_brand(AccountKind.SPENT),
        opened.has,
        (lot_of(spent), amount),
        opened.cause,
        reverses=reversible(spent),
        owed=opened.owes,
    )
    await opened.write()


def lot_of(taken: Movement) -> date:
    assert taken.debit_expires_on is not None
    return taken.debit_expires_on


def reversible(movement: Movement) -> ReversibleTransfer:
    return ReversibleTransfer(movement.id, movement.amount, movement.campaign_id)


async def test_what_is_taken_back_beyond_the_balance_is_owed_and_repaid_by_later_credits(
    desk: Desk,
) -> None:
    [earned] = await desk.do(earn, (10, LATER))
    await desk.do(spend, 7)
    await desk.do(take_back, earned, 10, may_owe=True)
    assert await desk.sums() == {"MAIN": 0, "RECEIVABLE": -7, "HELD": 0}
    await desk.do(earn, (4, SOON), (1, LATER))
    assert await desk.sums() == {"MAIN": 0, "RECEIVABLE": -2, "HELD": 0}
    await desk.do(earn, (5, SOON))
    assert await desk.sums() == {"MAIN": 3, "RECEIVABLE": 0, "HELD": 0}
    assert await desk.lots() == {SOON: 3}


async def test_what_is_taken_back_within_the_balance_is_never_owed(desk: Desk) -> None:
    [earned] = await desk.do(earn, (10, LATER))
    await desk.do(spend, 7)
    await desk.do(take_back, earned, 6, may_owe=False)
    assert await desk.sums() == {"MAIN": 0, "HELD": 0}
    await desk.do(earn, (5, SOON))
    await desk.do(take_back, earned, 4, may_owe=False)
    assert await desk.lots() == {SOON: 1}
    [counted] = await rows(desk, TransferReversal)
    assert (counted.transfer_id, counted.amount, counted.reversed) == (earned.id, 10, 7)


async def test_a_hold_is_captured_in_part_and_let_go_in_part(desk: Desk) -> None:
    await desk.do(earn, (5, SOON), (5, LATER))
    one, other = await desk.do(spend, 8, hold=True)
    assert (await desk.lots(), (await desk.sums())["HELD"]) == ({LATER: 2}, 8)
    await desk.do(end_hold, one, post=True)
    assert await desk.sums() == {"MAIN": 5, "HELD": 3}
    await desk.do(end_hold, other, post=False)
    assert (await desk.lots(), await desk.sums()) == ({LATER: 5}, {"MAIN": 5, "HELD": 0})


async def test_a_spend_that_is_reversed_returns_to_its_lots_and_repays_what_is_owed(
    desk: Desk,
) -> None:
    [earned] = await desk.do(earn, (9, SOON))
    [spent] = await desk.do(spend, 9)
    await desk.do(take_back, earned, 2, may_owe=True)
    await desk.do(give_back, spent, 5)
    assert await desk.sums() == {"MAIN": 3, "RECEIVABLE": 0, "HELD": 0}
    await desk.do(give_back, spent, 4)
    assert await desk.lots() == {SOON: 7}


async def test_a_spend_reversed_after_its_lots_last_day_repays_before_it_expires(
    desk: Desk, clock: SettableClock
) -> None:
    [earned] = await desk.do(earn, (9, SOON))
    [spent] = await desk.do(spend, 9)
    await desk.do(take_back, earned, 2, may_owe=True)
    clock.advance(days=10)
    await desk.do(give_back, spent, 5)
    assert await desk.sums() == {"MAIN": 3, "RECEIVABLE": 0, "HELD": 0}
    assert await desk.lots() == {SOON: 3}


# --- expiry by activity -----------------------------------------------------------------------


async def by_activity(tx: Tx, desk: Desk) -> None:
    await configure_asset(
        tx,
        desk.bank.actor,
        POINTS,
        expiry=ACTIVE_DAYS,
        adjustment_limit=None,
        status=AssetStatus.ACTIVE,
    )


async def earn_by_activity(tx: Tx, desk: Desk, amount: int, until: date) -> None:
    opened = await Opened(tx, desk).lock()
    opened.book.extend(opened.has, TODAY, until)
    opened.book.credit(
        await opened.of_brand(AccountKind.ISSUANCE),
        opened.has,
        amount,
        opened.cause,
        campaign_id=None,
        expires_on=until,
        owed=opened.owes,
    )
    await opened.write()


async def extensions(desk: Desk) -> list[tuple[date, date, int]]:
    found = await rows(desk, LotExtension)
    return sorted((row.from_expires_on, row.to_expires_on, row.amount) for row in found)


async def test_every_movement_lets_all_lots_that_are_good_live_on(desk: Desk) -> None:
    gone = TODAY - timedelta(days=1)
    await desk.do(earn, (1, gone), (2, TODAY), (3, SOON), (4, LATER), (5, NEVER_EXPIRES))
    await desk.do(by_activity)
    await desk.do(earn_by_activity, 6, BY_ACTIVITY)
    kept = {gone: 1, LATER: 4, NEVER_EXPIRES: 5}
    assert await desk.lots() == {**kept, BY_ACTIVITY: 11}
    moved = [(TODAY, BY_ACTIVITY, 2), (SOON, BY_ACTIVITY, 3)]
    assert await extensions(desk) == moved
    await desk.do(earn_by_activity, 1, BY_ACTIVITY)
    assert (await desk.lots(), await extensions(desk)) == ({**kept, BY_ACTIVITY: 12}, moved)


async def test_what_is_left_after_spending_lives_on(desk: Desk) -> None:
    await desk.do(earn, (2, TODAY), (3, SOON))
    await desk.do(by_activity)
    await desk.do(spend, 4)
    assert await desk.lots() == {BY_ACTIVITY: 1}
    assert await extensions(desk) == [(SOON, BY_ACTIVITY, 1)]
    await desk.do(spend, 1)
    assert (await desk.lots(), len(await extensions(desk))) == ({}, 1)


async def test_nothing_lives_on_where_there_was_nothing(desk: Desk) -> None:
    await desk.do(earn_by_activity, 3, BY_ACTIVITY)
    assert (await desk.lots(), await extensions(desk)) == ({BY_ACTIVITY: 3}, [])


# --- guards -----------------------------------------------------------------------------------


async def count_reversal(tx: Tx, desk: Desk, of: ReversibleTransfer, amount: int) -> None:
    """Only counted: members' locks would let no two of them come together."""
    book = Book(new_id)
    book.reversed[desk.bank.brand.id, of.id] = ReversalDelta(of.amount, amount)
    await ledger.write_members_side(tx, book)


async def reversed_of(tx: Tx, transfer_id: UUID) -> int:
    found = await tx.session.exec(
        select(TransferReversal.reversed).where(col(TransferReversal.transfer_id) == transfer_id)
    )
    return found.first() or 0


async def test_no_more_is_taken_back_than_there_was(desk: Desk) -> None:
    of = ReversibleTransfer(new_id(), 10, None)

    async def too_much(tx: Tx) -> None:
        with pytest.raises(RetryTransaction):
            await count_reversal(tx, desk, of, 4)

    await desk.bank.run(count_reversal, desk, of, 7)
    await desk.bank.run(too_much)
    await desk.bank.run(count_reversal, desk, of, 3)
    assert await desk.bank.run(reversed_of, of.id) == 10


@pytest.mark.only_database("postgresql", reason="SQLite has one writer at a time")
async def test_reversals_that_race_for_one_transfer_never_exceed_it(desk: Desk) -> None:
    of = ReversibleTransfer(new_id(), 100, None)
    together = asyncio.Barrier(6)
    tries = 0

    async def reverse(tx: Tx, wanted: int) -> int:
        nonlocal tries
        tries += 1
        amount = min(wanted, of.amount - await reversed_of(tx, of.id))
        if tries <= 6:
            await together.wait()  # all have read, and nobody has written
        if amount:
            await count_reversal(tx, desk, of, amount)
        return amount

    taken = await asyncio.gather(*(desk.bank.run(reverse, 30) for _ in range(6)))
    assert sorted(taken) == [0, 0, 10, 30, 30, 30]
    assert await desk.bank.run(reversed_of, of.id) == 100
    assert tries > 6


async def rows(desk: Desk, model: type[T]) -> list[T]:
    async with desk.bank.db.snapshot() as snapshot:
        return list(await snapshot.session.exec(select(model)))
