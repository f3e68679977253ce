"""Transfers of every other kind reversed: moves, what was taken by hand, what expired, what the
mall or a raffle was paid; the books, the lots and where it all came from agree."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import update
from sqlmodel import col

from loyalty.adjustments.service import adjust_balance
from loyalty.assets.rules import Expiry, ExpiryKind, Unit
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import ReversalTooLarge, TransferNotReversible
from loyalty.ids import new_id
from loyalty.ledger.expiry import sweep_chunk
from loyalty.ledger.history import EVER, books_between, explain
from loyalty.ledger.rules import ReturnPolicy
from loyalty.moves.rules import Leg
from loyalty.moves.service import move_balances
from rewards.merges.service import merge_members
from rewards.orders.ending import cancel_order, fulfil_order
from rewards.orders.models import OfferOrder
from rewards.raffles.models import Raffle
from rewards.raffles.service import enter_raffle
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank
from tests.rewards.corrections.test_service import entry, figures, reversed_, spent
from tests.rewards.offers.malls import FAR, add_offer, add_shopper
from tests.rewards.orders.taking import rows_of, take
from tests.rewards.raffles.test_service import announce

TODAY, SOON, LATER = date(2026, 11, 9), date(2026, 12, 31), date(2027, 12, 31)
WITHIN, UNLIMITED = ReturnPolicy.WITHIN_BALANCE, ReturnPolicy.UNLIMITED


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def moved(bank: Bank, giver: UUID, getter: UUID, amount: int) -> UUID:
    """The transfer of a move out of one lot."""
    leg = Leg(giver, getter, POINTS, amount)
    zone = bank.brand.timezone
    await bank.run(move_balances, bank.actor, [leg], reason="x", timezone=zone, command_id=new_id())
    return await entry(bank, getter, kind="MOVE")


async def stood(bank: Bank) -> tuple[int, ...]:
    """(issued, spent, expired, reversed, outstanding) of points, by the brand's books."""
    async with bank.db.snapshot() as snapshot:
        found = await books_between(snapshot, bank.brand.id, *EVER)
    [book] = [after for _, _, after in found if after.asset == POINTS]
    return book.issued, book.spent, book.expired, book.reversed, book.outstanding


async def came_from(bank: Bank, member: UUID) -> dict[UUID, int]:
    """What is left of which credit."""
    async with bank.db.snapshot() as snapshot:
        found = await explain(snapshot, bank.brand.id, member, POINTS)
    assert found is not None
    sums: dict[UUID, int] = {}
    for part in found.credits:
        sums[part.credit.id] = sums.get(part.credit.id, 0) + part.amount
    return sums


async def test_a_move_goes_back_into_the_lot_it_came_from(bank: Bank) -> None:
    ann, bob = await bank.member(), await bank.member({LATER: 40})
    given = await bank.credit(ann, 100, SOON)
    move = await moved(bank, ann, bob, 60)
    assert figures(await reversed_(bank, move, 25)) == (25, 0, 0)
    assert (await bank.lots(ann), await bank.lots(bob)) == ({SOON: 65}, {SOON: 35, LATER: 40})
    await spent(bank, bob, 30)
    assert figures(await reversed_(bank, move)) == (35, 0, 0), "of what else there is"
    assert (await bank.lots(ann), await bank.lots(bob)) == ({SOON: 100}, {LATER: 10})
    with pytest.raises(ReversalTooLarge):
        await reversed_(bank, move, 1)
    assert sum((await came_from(bank, ann)).values()) == 100
    assert given in await came_from(bank, ann)
    assert await stood(bank) == (140, 30, 0, 0, 110)
    assert await bank.is_clean()


@pytest.mark.parametrize(
    ("policy", "taken", "left_of_ann"),
    [
        (ReturnPolicy.ONLY_PENDING, (0, 0, 60), {SOON: 40}),
        (WITHIN, (10, 0, 50), {SOON: 50}),
        (UNLIMITED, (10, 50, 0), {SOON: 100}),
    ],
)
async def test_of_a_move_that_is_spent_the_policy_says_what_comes_back(
    bank: Bank, policy: ReturnPolicy, taken: tuple[int, int, int], left_of_ann: dict[date, int]
) -> None:
    ann, bob = await bank.member({SOON: 100}), await bank.member()
    move = await moved(bank, ann, bob, 60)
    await spent(bank, bob, 50)
    assert figures(await reversed_(bank, move, policy=policy)) == taken
    assert await bank.lots(ann) == left_of_ann
    assert (await bank.sums(bob)).get("RECEIVABLE", 0) == -taken[1]
    assert await stood(bank) == (100, 50, 0, 0, 50), "the brand pays what it is owed"
    assert await bank.is_clean()


async def test_a_move_between_members_that_were_merged_goes_to_who_they_are_now(
    bank: Bank,
) -> None:
    ann, bob, cat, dan = [await bank.member({SOON: 50}) for _ in range(4)]
    move = await moved(bank, ann, bob, 30)
    for old, new in ((ann, cat), (bob, dan)):
        await bank.run(
            merge_members, bank.actor, from_member_id=old, into_member_id=new, reason="one"
        )
    assert figures(await reversed_(bank, move, policy=UNLIMITED)) == (30, 0, 0)
    assert (await bank.lots(cat), await bank.lots(dan)) == ({SOON: 100}, {SOON: 100})
    merged = await entry(bank, cat, kind="MOVE", cause_kind="MERGE")
    with pytest.raises(TransferNotReversible) as refused:
        await reversed_(bank, merged)
    assert refused.value.details == {"reason": "KIND"}
    assert await bank.is_clean()


async def test_what_was_taken_by_hand_is_given_back(bank: Bank) -> None:
    member = await bank.member({SOON: 20, LATER: 30})
    await bank.run(
        adjust_balance, bank.actor, member_id=member, asset=POINTS, amount=-15, reason="x"
    )
    taken = await entry(bank, member, kind="ADJUST")
    assert (await reversed_(bank, taken, 5)).given_back == 5
    assert (await reversed_(bank, taken)).given_back == 10
    assert await bank.lots(member) == {SOON: 20, LATER: 30}
    assert await stood(bank) == (50, 0, 0, 0, 50)
    assert await bank.is_clean()


async def test_what_expired_lives_again_as_if_it_were_earned_today(
    bank: Bank, clock: SettableClock
) -> None:
    await bank.configure(expiry=Expiry(ExpiryKind.AFTER, Unit.DAY, 30))
    member = await bank.member()
    earned = await bank.credit(member, 80, TODAY)
    clock.advance(days=1)
    await bank.run(sweep_chunk, bank.brand.id, 100)
    expired = await entry(bank, member, kind="EXPIRE")
    assert await stood(bank) == (80, 0, 80, 0, 0)
    assert (await reversed_(bank, expired, 50)).given_back == 50
    until = TODAY + timedelta(days=31)
    assert await bank.lots(member) == {until: 50}
    assert await came_from(bank, member) == {earned: 50}
    assert await stood(bank) == (80, 0, 30, 0, 50)
    assert await bank.is_clean()
    clock.advance(days=31)
    await bank.run(sweep_chunk, bank.brand.id, 100)
    assert await stood(bank) == (80, 0, 80, 0, 0)
    assert await bank.is_clean()


async def test_of_an_order_that_is_fulfilled_the_price_may_be_given_back_in_part(
    clocked_db: Database, keyring: Keyring
) -> None:
    bank = await open_bank(clocked_db)
    offer = await bank.run(add_offer, bank.brand)
    shopper = await bank.run(add_shopper, bank.brand, {POINTS: {FAR: 250}})
    for _ in range(2):
        assert await take(bank.db, keyring, shopper, offer) == "PLACED"
    paid = await entry(bank, shopper.member_id, kind="SPEND")
    with pytest.raises(TransferNotReversible) as refused:
        await reversed_(bank, paid)
    assert refused.value.details == {"reason": "ORDER"}
    first, second = sorted(row.id for row in await rows_of(bank.db, OfferOrder, bank.brand))
    await bank.run(fulfil_order, bank.actor, second)
    assert (await reversed_(bank, paid, 40, reason="a chipped cup")).given_back == 40
    await bank.run(cancel_order, bank.actor, first, "售罄")
    assert await bank.lots(shopper.member_id) == {FAR: 190}
    assert await bank.is_clean()


async def settle(tx: Tx, raffle: Raffle) -> None:
    at = datetime(2026, 11, 9, 4, tzinfo=UTC)
    await tx.session.exec(
        update(Raffle)
        .where(col(Raffle.id) == raffle.id)
        .values(settled_at=at)
        .execution_options(synchronize_session=False)
    )


async def test_an_entry_is_given_back_by_itself_once_its_raffle_is_settled(
    clocked_db: Database, keyring: Keyring
) -> None:
    bank = await open_bank(clocked_db)
    raffle = await bank.run(announce, bank.brand, keyring, cost=(POINTS, 10))
    shopper = await bank.run(add_shopper, bank.brand, {POINTS: {FAR: 10}})
    await bank.run(enter_raffle, shopper.actor, raffle.id)
    paid = await entry(bank, shopper.member_id, kind="SPEND")
    with pytest.raises(TransferNotReversible) as refused:
        await reversed_(bank, paid)
    assert refused.value.details == {"reason": "RAFFLE"}
    await bank.run(settle, raffle)
    assert (await reversed_(bank, paid)).given_back == 10
