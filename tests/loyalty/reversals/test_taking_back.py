"""Credits are taken back by set: each lot once, each credit never more than whole."""

import asyncio
from collections.abc import Sequence
from datetime import date
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.db import Database, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause, ReturnPolicy
from loyalty.reversals.rules import Credited, TakenBack, Wanted
from loyalty.reversals.service import find_credits, take_back
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank

ONLY_PENDING, WITHIN_BALANCE, UNLIMITED = (
    ReturnPolicy.ONLY_PENDING,
    ReturnPolicy.WITHIN_BALANCE,
    ReturnPolicy.UNLIMITED,
)
TODAY, SOON, LATER = date(2026, 11, 9), date(2026, 12, 31), date(2027, 12, 31)
GONE = date(2026, 11, 8)
Asked = tuple[UUID, UUID, int, ReturnPolicy]
"""(member_id, cause_id, amount, policy)"""


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def taken(tx: Tx, bank: Bank, asked: Sequence[Asked]) -> list[TakenBack]:
    """Take so much of what each cause gave its member, all of it in one book."""
    has, owes = await ledger.lock_accounts_and_debts(tx, [(bank.brand.id, a[0]) for a in asked])
    found = {
        (credit.member_id, credit.granted_by_id): credit
        for credit in await find_credits(tx, bank.brand.id, [one[:2] for one in asked])
    }
    wanted = [Wanted(found[one[:2]], one[2], one[3]) for one in asked]
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "brought back", tx.now)
    book = Book(new_id)
    results = await take_back(tx, book, wanted, cause, TODAY, has=has, owes=owes)
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
    return results


def figures(results: Sequence[TakenBack]) -> list[tuple[int, int, int]]:
    return [(one.taken, one.owed, one.left) for one in results]


async def test_its_own_lot_pays_first_and_then_the_soonest_that_is_still_good(bank: Bank) -> None:
    member = await bank.member({GONE: 50, SOON: 30, LATER: 100})
    cause = new_id()
    await bank.credit(member, 40, LATER, cause_id=cause)
    await bank.run(taken, bank, [(member, cause, 40, WITHIN_BALANCE)])
    assert await bank.lots(member) == {GONE: 50, SOON: 30, LATER: 100}

    own = new_id()
    await bank.credit(member, 150, SOON, cause_id=own)
    assert figures(await bank.run(taken, bank, [(member, own, 150, WITHIN_BALANCE)])) == [
        (150, 0, 0)
    ]
    assert await bank.lots(member) == {GONE: 50, SOON: 30, LATER: 100}
    assert await bank.is_clean()


async def test_two_credits_of_one_member_do_not_take_one_lot_twice(bank: Bank) -> None:
    other = await bank.member({SOON: 7})
    member = await bank.member({LATER: 10})
    first, second, others = new_id(), new_id(), new_id()
    await bank.credit(member, 60, SOON, cause_id=first)
    await bank.credit(member, 50, SOON, cause_id=second)
    await bank.credit(other, 5, SOON, cause_id=others)
    await bank.run(_spend, bank, member, 80)  # of 120: 30 of SOON and 10 of LATER are left
    asked = [
        (member, first, 60, WITHIN_BALANCE),
        (member, second, 50, UNLIMITED),
        (other, others, 5, ONLY_PENDING),
    ]
    assert figures(await bank.run(taken, bank, asked)) == [(40, 0, 20), (0, 50, 0), (0, 0, 5)]
    assert await bank.lots(member) == {}
    assert (await bank.sums(member))["RECEIVABLE"] == -50
    assert await bank.lots(other) == {SOON: 12}
    assert await bank.is_clean()


async def _spend(tx: Tx, bank: Bank, member: UUID, amount: int) -> None:
    book = Book(new_id)
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "spent", tx.now)
    owner = (bank.brand.id, member)
    await ledger.spend_balance(tx, book, owner, POINTS, amount, cause, TODAY)
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)


async def test_what_is_owed_is_repaid_by_the_next_credit(bank: Bank) -> None:
    member, cause = await bank.member(), new_id()
    await bank.credit(member, 100, SOON, cause_id=cause)
    await bank.run(_spend, bank, member, 90)
    assert figures(await bank.run(taken, bank, [(member, cause, 100, UNLIMITED)])) == [(10, 90, 0)]
    await bank.credit(member, 70, LATER)
    assert (await bank.lots(member), (await bank.sums(member))["RECEIVABLE"]) == ({}, -20)
    await bank.credit(member, 70, LATER)
    assert (await bank.lots(member), (await bank.sums(member))["RECEIVABLE"]) == ({LATER: 50}, 0)
    assert await bank.is_clean()


async def test_in_steps_no_more_is_taken_than_there_was(bank: Bank) -> None:
    member, cause = await bank.member({LATER: 1_000}), new_id()
    await bank.credit(member, 100, SOON, cause_id=cause)
    assert figures(await bank.run(taken, bank, [(member, cause, 70, UNLIMITED)])) == [(70, 0, 0)]
    asked = [(member, cause, 20, UNLIMITED), (member, cause, 70, UNLIMITED)]
    assert figures(await bank.run(taken, bank, asked)) == [(20, 0, 0), (10, 0, 0)]
    assert figures(await bank.run(taken, bank, asked)) == [(0, 0, 0), (0, 0, 0)]
    assert await bank.lots(member) == {LATER: 1_000}
    assert await bank.is_clean()


async def test_one_cause_is_asked_for_by_what_it_gave_locked_or_not(bank: Bank) -> None:
    member, cause = await bank.member(), new_id()
    free = await bank.credit(member, 10, SOON, cause_id=cause)
    locked = await bank.credit(member, 20, cause_id=cause, locked=True)

    async def credits() -> list[Credited]:
        async with bank.db.snapshot() as snapshot:
            return await find_credits(snapshot, bank.brand.id, [(member, cause)])

    assert [(c.id, c.is_pending) for c in await credits()] == [(free, False), (locked, True)]
    unlocked_by = new_id()
    posted = await bank.run(_unlock, bank, member, locked, 20, unlocked_by)
    found = await credits()
    assert [(c.id, c.is_pending, c.cause_id, c.granted_by_id) for c in found] == [
        (free, False, cause, cause),
        (posted, False, unlocked_by, cause),
    ]
    assert found[1].expires_on == LATER
    async with bank.db.snapshot() as snapshot:
        by_unlock = await find_credits(snapshot, bank.brand.id, [(member, unlocked_by)])
    assert by_unlock == found[1:]


async def _unlock(
    tx: Tx, bank: Bank, member: UUID, pending_id: UUID, amount: int, cause_id: UUID
) -> UUID:
    brand_id = bank.brand.id
    has = await ledger.lock_member_accounts(tx, [(brand_id, member)])
    issuance = (await ledger.issuance_accounts(tx, [brand_id]))[brand_id, brand_id, POINTS]
    book = Book(new_id)
    movement = book.resolve(
        issuance,
        has[brand_id, member, POINTS],
        amount,
        Cause("OPERATOR", cause_id, "OPERATOR", new_id(), "", tx.now),
        pending_id=pending_id,
        campaign_id=None,
        expires_on=LATER,
    )
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)
    return movement.id


async def test_what_is_locked_is_no_posted_credit(bank: Bank, clock: SettableClock) -> None:
    member, cause = await bank.member(), new_id()
    await bank.credit(member, 20, cause_id=cause, locked=True)
    with pytest.raises(ValueError, match="pending"):
        await bank.run(taken, bank, [(member, cause, 20, UNLIMITED)])


@pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")
async def test_of_reversals_at_once_the_first_ones_take_all_there_was(bank: Bank) -> None:
    member, cause = await bank.member({LATER: 1_000}), new_id()
    await bank.credit(member, 100, SOON, cause_id=cause)
    asked = [(member, cause, 30, UNLIMITED)]
    results = await asyncio.gather(*(bank.run(taken, bank, asked) for _ in range(6)))
    assert sorted(one.taken for (one,) in results) == [0, 0, 10, 30, 30, 30]
    assert await bank.lots(member) == {LATER: 1_000}
    assert await bank.is_clean()
