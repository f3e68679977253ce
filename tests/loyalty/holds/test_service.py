"""Holds: what they keep out of reach, what each step does, and who wins."""

import asyncio
import itertools
from collections.abc import Awaitable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from loyalty.assets.models import AssetStatus
from loyalty.assets.rules import Expiry, ExpiryKind
from loyalty.db import Database, Snapshot, Tx
from loyalty.errors import (
    HoldStateWrong,
    InsufficientBalance,
    InvalidInput,
    MemberFrozen,
    NotFound,
    Refusal,
)
from loyalty.holds.models import Hold
from loyalty.holds.queries import list_holds
from loyalty.holds.service import (
    TTL_SECONDS_MAX,
    capture_hold,
    hold_balance,
    lapse_balance_holds,
    release_hold,
)
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import AMOUNT_MAX
from loyalty.members.service import freeze_member
from tests.clocks import SettableClock
from tests.loyalty.bank import POINTS, Bank, open_bank

GONE, TODAY, SOON, LATER = (
    date(2026, 11, 8),
    date(2026, 11, 9),
    date(2026, 12, 31),
    date(2027, 12, 31),
)
TTL_SECONDS = 600


@pytest_asyncio.fixture
async def bank(clocked_db: Database) -> Bank:
    return await open_bank(clocked_db)


async def held(bank: Bank, member: UUID, amount: int, **more: Any) -> Hold:
    """So many points for ten minutes, unless told otherwise."""
    usual: dict[str, Any] = {"asset": POINTS, "ttl_seconds": TTL_SECONDS, "reason": "a cart"}
    return await bank.run(
        hold_balance, bank.actor, member_id=member, amount=amount, **(usual | more)
    )


async def seen(bank: Bank, member: UUID) -> list[tuple[str, int]]:
    async with bank.db.snapshot() as snapshot:
        rows = await list_holds(snapshot, bank.brand.id, member, before=None, limit=10)
    return [(row.status, row.captured) for row in rows]


async def test_what_is_held_is_had_and_cannot_be_spent(bank: Bank) -> None:
    member = await bank.member({GONE: 1_000, SOON: 100, LATER: 100})
    hold = await held(bank, member, 150)
    assert await bank.lots(member) == {GONE: 1_000, LATER: 50}
    assert await bank.sums(member) == {"MAIN": 1_200, "HELD": 150}
    with pytest.raises(InsufficientBalance) as refused:
        await held(bank, member, 51)
    assert refused.value.details == {"available": 50, "wanted": 51}
    assert await bank.transfers(hold.id) == [
        ("SPEND", "PENDING", 100, SOON, None),
        ("SPEND", "PENDING", 50, LATER, None),
    ]
    assert await bank.is_clean()


async def test_a_capture_of_all_spends_the_lots_that_were_held(bank: Bank) -> None:
    member = await bank.member({SOON: 100, LATER: 100})
    hold = await held(bank, member, 150)
    captured = await bank.run(capture_hold, bank.actor, hold.id)
    assert (captured.status, captured.captured) == ("CAPTURED", 150)
    assert await bank.lots(member) == {LATER: 50}
    assert await bank.sums(member) == {"MAIN": 50, "HELD": 0}
    assert (await bank.sums(bank.brand.id))["SPENT"] == 150
    assert await seen(bank, member) == [("CAPTURED", 150)]
    assert await bank.is_clean()


async def test_a_capture_of_a_part_spends_what_expires_soonest_and_gives_back_the_rest(
    bank: Bank,
) -> None:
    member = await bank.member({SOON: 100, LATER: 100})
    hold = await held(bank, member, 180)
    await bank.run(capture_hold, bank.actor, hold.id, 130)
    assert await bank.lots(member) == {LATER: 70}
    assert await bank.transfers(hold.id) == [
        ("SPEND", "PENDING", 100, SOON, None),
        ("SPEND", "PENDING", 80, LATER, None),
        ("SPEND", "POST", 100, SOON, None),
        ("SPEND", "VOID", 80, LATER, None),
        ("SPEND", "POSTED", 30, LATER, None),
    ]
    other = await held(bank, member, 70)
    await bank.run(capture_hold, bank.actor, other.id, 1)
    assert await bank.lots(member) == {LATER: 69}
    assert await bank.is_clean()


async def test_a_part_is_captured_of_a_lot_that_went_past_its_date_meanwhile(
    bank: Bank, clock: SettableClock
) -> None:
    member = await bank.member({TODAY: 100, LATER: 10})
    hold = await held(bank, member, 105, ttl_seconds=86_400)
    clock.advance(hours=14)  # two in the morning of the next day
    await bank.run(capture_hold, bank.actor, hold.id, 60)
    assert await bank.lots(member) == {TODAY: 40, LATER: 10}
    with pytest.raises(InsufficientBalance):
        await held(bank, member, 11)
    assert await bank.is_clean()


async def test_what_is_released_goes_back_to_its_lots(bank: Bank) -> None:
    member = await bank.member({SOON: 100, LATER: 100})
    hold = await held(bank, member, 150)
    released = await bank.run(release_hold, bank.actor, hold.id)
    assert (released.status, released.captured) == ("RELEASED", 0)
    assert await bank.lots(member) == {SOON: 100, LATER: 100}
    assert await bank.sums(member) == {"MAIN": 200, "HELD": 0}
    assert await bank.is_clean()


async def test_a_hold_lapses_by_time_and_its_value_comes_back_when_it_is_tidied(
    bank: Bank, clock: SettableClock
) -> None:
    member, other = await bank.member({SOON: 100}), await bank.member({LATER: 5})
    first, second = await held(bank, member, 60), await held(bank, other, 5)
    running = await held(bank, member, 40, ttl_seconds=TTL_SECONDS + 1)
    clock.advance(seconds=TTL_SECONDS)
    assert await seen(bank, member) == [("HELD", 0), ("LAPSED", 0)]
    for step in (capture_hold, release_hold):
        with pytest.raises(HoldStateWrong) as refused:
            await bank.run(step, bank.actor, first.id)
        assert refused.value.details["status"] == "LAPSED"
    assert await bank.lots(member) == {}
    assert await bank.run(lapse_balance_holds, 1) == 1
    assert await bank.run(lapse_balance_holds, 100) == 1
    assert await bank.run(lapse_balance_holds, 100) == 0
    assert (await bank.lots(member), await bank.lots(other)) == ({SOON: 60}, {LATER: 5})
    assert await seen(bank, other) == [("LAPSED", 0)]
    assert (await bank.run(capture_hold, bank.actor, running.id)).status == "CAPTURED"
    with pytest.raises(HoldStateWrong):
        await bank.run(release_hold, bank.actor, second.id)
    assert await bank.is_clean()


async def captured(bank: Bank, hold: Hold) -> None:
    await bank.run(capture_hold, bank.actor, hold.id, 10)


async def released(bank: Bank, hold: Hold) -> None:
    await bank.run(release_hold, bank.actor, hold.id)


async def test_a_hold_ends_once(bank: Bank) -> None:
    for first, second in itertools.product((captured, released), repeat=2):
        member = await bank.member({SOON: 100})
        hold = await held(bank, member, 50)
        await first(bank, hold)
        lots = await bank.lots(member)
        with pytest.raises(HoldStateWrong) as refused:
            await second(bank, hold)
        assert refused.value.details == {
            "status": first.__name__.upper(),
            "wanted": second.__name__.upper(),
        }
        assert await bank.lots(member) == lots
    assert await bank.is_clean()


BAD: list[tuple[dict[str, Any], type[Refusal], str]] = [
    ({"amount": 0}, InvalidInput, "amount"),
    ({"amount": -1}, InvalidInput, "amount"),
    ({"amount": AMOUNT_MAX + 1}, InvalidInput, "amount"),
    ({"amount": 101}, InsufficientBalance, ""),
    ({"asset": "CASH"}, InsufficientBalance, ""),
    ({"asset": "STARS"}, NotFound, "asset"),
    ({"member": new_id()}, NotFound, "member"),
    ({"ttl_seconds": 0}, InvalidInput, "ttlSeconds"),
    ({"ttl_seconds": TTL_SECONDS_MAX + 1}, InvalidInput, "ttlSeconds"),
    ({"reason": " "}, InvalidInput, "reason"),
]


async def test_what_cannot_be_held_is_refused_and_nothing_is_written(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    for bad, refusal, what in BAD:
        asked: dict[str, Any] = {"member": member, "amount": 100} | bad
        with pytest.raises(refusal) as refused:
            await held(bank, **asked)
        assert what in refused.value.details.values() or not what
    assert (await bank.lots(member), await seen(bank, member)) == ({SOON: 100}, [])


async def test_nothing_is_held_of_who_is_frozen_and_what_was_held_is_captured(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    hold = await held(bank, member, 50)
    await bank.run(freeze_member, bank.actor, member, "a thief")
    with pytest.raises(MemberFrozen):
        await held(bank, member, 1)
    await bank.run(capture_hold, bank.actor, hold.id)
    assert await bank.lots(member) == {SOON: 50}


async def test_what_an_asset_members_have_is_held_after_it_was_retired(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    await bank.configure(status=AssetStatus.RETIRED)
    assert (await held(bank, member, 100)).status == "HELD"


async def test_no_more_is_captured_than_is_held(bank: Bank) -> None:
    hold = await held(bank, await bank.member({SOON: 100}), 50)
    for amount in (0, -1, 51):
        with pytest.raises(InvalidInput):
            await bank.run(capture_hold, bank.actor, hold.id, amount)


async def test_another_brands_hold_is_not_there(bank: Bank) -> None:
    other = await open_bank(bank.db, "other")
    hold = await held(bank, await bank.member({SOON: 100}), 50)
    for step in (capture_hold, release_hold):
        with pytest.raises(NotFound):
            await other.run(step, other.actor, hold.id)


async def test_capturing_is_activity_and_holding_is_not(bank: Bank, clock: SettableClock) -> None:
    await bank.configure(expiry=Expiry(ExpiryKind.ACTIVITY, count=30))
    member = await bank.member({date(2026, 12, 9): 100})
    clock.set(datetime(2026, 11, 20, 4, tzinfo=UTC))
    hold = await held(bank, member, 60)
    await bank.run(release_hold, bank.actor, hold.id)
    assert await bank.lots(member) == {date(2026, 12, 9): 100}
    hold = await held(bank, member, 60)
    await bank.run(capture_hold, bank.actor, hold.id, 50)
    assert await bank.lots(member) == {date(2026, 12, 20): 50}
    assert await bank.is_clean()


# --- at once -----------------------------------------------------------------------------------

only_postgresql = pytest.mark.only_database("postgresql", reason="SQLite's one writer cannot race")


async def outcome(step: Awaitable[Any]) -> str:
    try:
        return getattr(await step, "status", "done")
    except Refusal as refusal:
        return refusal.code


@only_postgresql
async def test_of_a_capture_and_a_release_at_once_one_wins(bank: Bank) -> None:
    for _ in range(5):
        member = await bank.member({SOON: 100})
        hold = await held(bank, member, 80)
        ends = await asyncio.gather(
            *(outcome(bank.run(capture_hold, bank.actor, hold.id)) for _ in range(3)),
            *(outcome(bank.run(release_hold, bank.actor, hold.id)) for _ in range(3)),
        )
        won = [end for end in ends if end != "HOLD_STATE_WRONG"]
        left = {"CAPTURED": 20, "RELEASED": 100}
        assert len(won) == 1
        assert await bank.lots(member) == {SOON: left[won[0]]}
    assert await bank.is_clean()


@only_postgresql
async def test_of_a_capture_and_the_lapse_at_once_one_wins(
    bank: Bank, clock: SettableClock
) -> None:
    members = [await bank.member({SOON: 100}) for _ in range(12)]
    holds = [await held(bank, member, 80) for member in members]
    captures = [
        asyncio.ensure_future(outcome(bank.run(capture_hold, bank.actor, hold.id)))
        for hold in holds
    ]
    await asyncio.sleep(0.02)
    clock.advance(seconds=TTL_SECONDS)
    sweeps = [outcome(bank.run(lapse_balance_holds, 100)) for _ in range(3)]
    await asyncio.gather(*sweeps)
    ends = await asyncio.gather(*captures)
    await bank.run(lapse_balance_holds, 100)
    for member, end in zip(members, ends, strict=True):
        is_captured = end == "CAPTURED"
        assert end in ("CAPTURED", "HOLD_STATE_WRONG")
        assert await bank.lots(member) == {SOON: 20 if is_captured else 100}
    assert await bank.is_clean()


@only_postgresql
async def test_of_holds_and_spends_at_once_no_more_goes_than_there_is(bank: Bank) -> None:
    member = await bank.member({SOON: 60, LATER: 60})
    takers: list[Awaitable[Any]] = []
    for _ in range(2):
        takers += [held(bank, member, 50), bank.run(spent, bank, member, 50)]
    ends = await asyncio.gather(*(outcome(taker) for taker in takers))
    assert ends.count("INSUFFICIENT_BALANCE") == 2
    assert await bank.lots(member) == {LATER: 20}
    assert (await bank.sums(member))["MAIN"] - (await bank.sums(member))["HELD"] == 20
    assert await bank.is_clean()


async def spent(tx: Tx, bank: Bank, member: UUID, amount: int) -> None:
    """At once, as whoever sells something takes it."""
    book = Book(new_id)
    cause = Cause("OPERATOR", new_id(), "OPERATOR", new_id(), "spent", tx.now)
    owner = (bank.brand.id, member)
    await ledger.spend_balance(tx, book, owner, POINTS, amount, cause, TODAY)
    await ledger.write_members_side(tx, book)
    await ledger.write_brands_side(tx, book)


async def test_a_page_of_holds_is_newest_first(bank: Bank) -> None:
    member = await bank.member({SOON: 100})
    made = [(await held(bank, member, 1)).id for _ in range(3)]

    async def page(snapshot: Snapshot, before: UUID | None) -> list[UUID]:
        rows = await list_holds(snapshot, bank.brand.id, member, before=before, limit=2)
        return [row.id for row in rows]

    async with bank.db.snapshot() as snapshot:
        newest = await page(snapshot, None)
        assert newest == made[:0:-1]
        assert await page(snapshot, newest[-1]) == made[:1]
