"""The whole table: every basis, at once and under every lock, for whomever a purchase pays."""

from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.actor import MemberRole
from loyalty.db import Database
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import CapSubject, CapWindow, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import Cap, Outcome, Step
from rewards.grants.unlocking import report_action, settle_due
from tests.clocks import SettableClock
from tests.rewards.purchases.backed import DEALER, SALESPERSON, STORE, open_backed
from tests.rewards.returns.shopping import CHANCES, GROWTH, POINTS, fixed, open_shop

CONSUMER = MemberRole.CONSUMER
ROLES = (CONSUMER, STORE, DEALER, SALESPERSON)
CASH = "CASH"
LOCKS = {
    "at once": None,
    "ACTION": Lock(UnlockKind.ACTION, action="follow"),
    "AFTER": Lock(UnlockKind.AFTER, after=timedelta(days=7)),
    "ON": Lock(UnlockKind.ON, on=date(2026, 11, 20)),
}
LATER = datetime(2026, 11, 30, tzinfo=UTC)
BOUGHT_FEN, PIECES = 1_050, 3
GIVEN = {POINTS: 3, GROWTH: 2 * 10, CASH: 5, CHANCES: 6 * PIECES}
"""Of each asset by another basis, of 10.50 for three pieces."""


def outcomes(role: MemberRole, lock: Lock | None) -> list[Outcome]:
    steps = (Step(500, 4), Step(1_000, 5), Step(2_000, 9))
    return [
        Outcome(role, POINTS, OutcomeBasis.FIXED, 3, lock),
        Outcome(role, GROWTH, OutcomeBasis.PER_CURRENCY_UNIT, 2, lock),
        Outcome(role, CASH, OutcomeBasis.TABLE, 0, lock, steps),
        Outcome(role, CHANCES, OutcomeBasis.PER_UNIT, 6, lock),
    ]


@pytest.mark.parametrize("name", LOCKS)
async def test_everybody_gets_every_basis_at_once_or_when_its_lock_says(
    clocked_db: Database, clock: SettableClock, name: str
) -> None:
    backed = await open_backed(clocked_db)
    shop, lock = backed.shop, LOCKS[name]
    parts = [part for role in ROLES for part in outcomes(role, lock)]
    await shop.publish(parts, budgets={CASH: 5 * len(ROLES)})
    bought = await backed.buy("1", BOUGHT_FEN, quantity=PIECES)
    assert set((await backed.shares(bought)).values()) == {None}
    who = {role: "ann" if role is CONSUMER else role.value for role in ROLES}
    spendable = {asset: (amount, 0) for asset, amount in GIVEN.items()}
    waits = {asset: (0, amount) for asset, amount in GIVEN.items()}
    cash = GIVEN[CASH] * len(ROLES)
    if lock is not None:
        assert [await shop.balances(who[role]) for role in ROLES] == [waits] * len(ROLES)
        assert await shop.budgets() == {CASH: (0, cash)}
        for role in ROLES:
            if lock.action is not None:
                await shop.run(report_action, shop.actor, shop.members[who[role]], lock.action)
        clock.set(LATER)
        await shop.run(settle_due, 100)
    assert [await shop.balances(who[role]) for role in ROLES] == [spendable] * len(ROLES)
    assert await shop.budgets() == {CASH: (cash, 0)}
    await shop.give_back("1", "R1")
    assert [await shop.balances(who[role]) for role in ROLES] == [{}] * len(ROLES)
    await shop.check_books()


async def test_a_cap_of_everybody_together_counts_whoever_buys_until_it_is_brought_back(
    clocked_db: Database,
) -> None:
    shop = await open_shop(clocked_db)
    together = Cap(CapSubject.ALL, CapWindow.DAY, 2)
    await shop.publish([fixed(POINTS, 5)], caps=[together])
    for number, who in enumerate(("ann", "ben", "cat")):
        await shop.buy(f"{number}", 100, who)
    assert [await shop.balances(who) for who in ("ann", "ben", "cat")] == [
        {POINTS: (5, 0)},
        {POINTS: (5, 0)},
        {},
    ]
    assert list((await shop.counters()).values()) == [2]
    await shop.give_back("0", "R0")
    await shop.buy("3", 100, "cat")
    assert await shop.balances("cat") == {POINTS: (5, 0)}
    await shop.check_books()
