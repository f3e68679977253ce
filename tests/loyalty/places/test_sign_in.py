"""Clerks sign in at a till; whoever guesses is stopped, and learns nothing."""

import asyncio

from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.places import queries
from loyalty.places import service as places
from loyalty.places.models import Clerk
from tests.clocks import SettableClock
from tests.loyalty.places.shops import PIN, REASON, WRONG_PIN, Shop, open_shop


async def clerk_now(shop: Shop, clerk: Clerk | None = None) -> Clerk:
    async with shop.db.snapshot() as snapshot:
        return await queries.get_clerk(snapshot, shop.actor.brand_id, (clerk or shop.clerk).id)


async def test_a_clerk_signs_in_with_key_number_and_pin_together(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand, signs_in=True)
    letters = await shop.add_clerk("a1", signs_in=True)
    desk = await shop.sign_in(number="A1")
    assert desk is not None
    assert (desk.place.id, desk.till.id, desk.clerk.id) == (
        shop.place.id,
        shop.till.id,
        letters.id,
    )
    attempt = await shop.attempt(number="a1")
    for wrong in ("", WRONG_PIN, "２４６８", PIN + "\0", "\ud800" * 4, "9" * 100_000):
        assert not await places.match_pin(keyring, attempt, wrong)
    assert await shop.settle(attempt, False) is None


async def test_nobody_learns_what_was_wrong_and_each_answer_costs_one_hash(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    revoked, left = await shop.add_till("Till 2"), await shop.add_clerk("8")
    closed = await open_shop(db, keyring, brand, code="SH-002")
    actor = shop.actor
    await db.in_transaction(places.revoke_till, actor, revoked.till.id, REASON)
    await db.in_transaction(places.set_clerk_status, actor, left.id, active=False, reason=REASON)
    await db.in_transaction(places.close_place, actor, closed.place.id, REASON)
    for key, number in (
        ("till_unknown", "7"),
        ("", ""),
        ("\ud800", "\ud800"),
        ("x" * 10**6, "7"),
        (revoked.key, "7"),
        (closed.key, "7"),
        (shop.key, "9"),
        (shop.key, "８"),
        (shop.key, left.number),
    ):
        attempt = await shop.attempt(key=key, number=number)
        assert (attempt.clerk_id, attempt.pin_hash) == (None, None)
        assert await shop.settle(attempt, True) is None
    # Without a hash to try, argon2 runs over a made-up one.
    assert not await places.match_pin(keyring, attempt, PIN)


async def test_five_failures_lock_a_clerk_for_a_quarter_of_an_hour(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(clocked_db, keyring, brand)
    other = await shop.add_clerk("8")
    for _ in range(5):
        assert await shop.settle(await shop.attempt(), False) is None
    assert await shop.guess_right() is None
    assert await shop.guess_right(number=other.number) is not None
    clock.advance(minutes=14, seconds=59)
    assert await shop.guess_right() is None
    clock.advance(seconds=1)
    assert await shop.guess_right() is not None
    assert (await clerk_now(shop)).failed_attempts == 0


async def test_another_pin_unlocks_and_the_old_one_is_over(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand, signs_in=True)
    late = await shop.attempt()
    for _ in range(5):
        await shop.settle(late, False)
    pin = await places.prepare_pin(keyring, brand.id, "135790")
    await db.in_transaction(places.set_clerk_pin, shop.actor, shop.clerk.id, pin)
    assert await shop.settle(late, True) is None  # matched against the PIN of before
    assert await shop.sign_in("135790") is not None
    assert await shop.sign_in(PIN) is None


async def test_failures_at_once_at_two_tills_are_all_counted_before_a_right_pin(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    second = await shop.add_till("Till 2")
    attempts = [await shop.attempt(), await shop.attempt(key=second.key)]
    for counted in (2, 4):
        await asyncio.gather(*(shop.settle(attempt, False) for attempt in attempts))
        assert (await clerk_now(shop)).failed_attempts == counted
    # All were matched before any was counted: what comes after the fifth failure is refused.
    await asyncio.gather(*(shop.settle(attempt, False) for attempt in attempts * 10))
    for attempt in attempts:
        assert await shop.settle(attempt, True) is None
    now = await clerk_now(shop)
    assert now.failed_attempts == 5
    assert now.locked_until is not None


async def test_failures_of_many_clerks_at_once_are_counted_at_the_till_one_by_one(
    clocked_db: Database, clock: SettableClock, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(clocked_db, keyring, brand)
    second = await shop.add_till("Till 2")
    nobody = await shop.attempt(number="nobody")
    mine = await shop.attempt()
    await asyncio.gather(
        *(shop.settle(mine, False) for _ in range(4)),
        *(shop.settle(nobody, False) for _ in range(15)),
    )
    assert await shop.guess_right() is not None  # nineteen so far
    assert await shop.settle(nobody, False) is None
    assert await shop.guess_right() is None
    assert await shop.guess_right(key=second.key) is not None  # the other till goes on
    # While the till is stopped nothing counts, so nobody is locked from afar.
    await asyncio.gather(*(shop.settle(mine, False) for _ in range(10)))
    assert (await clerk_now(shop)).failed_attempts == 0
    clock.advance(minutes=3)
    assert await shop.guess_right() is not None


async def test_a_wrong_or_revoked_key_locks_nobody(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    revoked = await shop.add_till("Till 2")
    before = await shop.attempt(key=revoked.key)
    await db.in_transaction(places.revoke_till, shop.actor, revoked.till.id, REASON)
    wrong = await shop.attempt(key="till_wrong")
    for attempt in (wrong, await shop.attempt(key=revoked.key), before):
        for _ in range(30):
            assert await shop.settle(attempt, False) is None
    assert (await clerk_now(shop)).failed_attempts == 0
    assert await shop.settle(before, True) is None  # revoked after the PIN was matched
    assert await shop.guess_right() is not None
