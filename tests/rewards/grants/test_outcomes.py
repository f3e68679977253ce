"""The whole table: every asset, at once and under every lock, for everybody whom a scan pays."""

from dataclasses import replace
from typing import Any

import pytest

from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.campaigns.models import Gate, UnlockKind
from rewards.grants.models import LockedReward
from rewards.grants.unlocking import report_action
from tests.clocks import SettableClock
from tests.rewards.grants.played import CONSUMER, GUIDE, Played, plan_of, play
from tests.rewards.scans.boxed import pack
from tests.rewards.scans.worlds import DEALER, SALESPERSON, STORE

WHO = {CONSUMER: "ann", GUIDE: "gus", STORE: "sid", DEALER: "cat", SALESPERSON: "sam"}
ASSETS = {Asset.POINTS: 3, Asset.GROWTH: 4, Asset.CASH: 5, Asset.CHANCES: 6}
LOCKS: dict[UnlockKind, dict[str, Any]] = {
    UnlockKind.NEXT_SCAN: {"count": 1, "lapses_after": "P30D"},
    UnlockKind.ACTION: {"action": "follow", "lapses_after": "P30D"},
    UnlockKind.AFTER: {"after": "P7D"},
    UnlockKind.ON: {"on": "2026-11-12"},
    UnlockKind.BOX_BOTTLES: {"count": 2, "lapses_after": "P30D"},
}
NOT_THEIRS = {(UnlockKind.NEXT_SCAN, role) for role in WHO if role is not CONSUMER}
"""Whose scans do not count; the draft is refused for it (rewards/campaigns/test_outcomes.py)."""
CELLS = [
    (lock, role)
    for lock in (None, *LOCKS)
    for role in WHO
    if lock is None or (lock, role) not in NOT_THEIRS
]


async def has(played: Played, role: Any) -> dict[Asset, tuple[int, int]]:
    """(balance, locked) of each asset."""
    return {asset: await played.has(WHO[role], asset, role) for asset in ASSETS}


async def bring_about(played: Played, clock: SettableClock, kind: UnlockKind) -> None:
    """What rewards under a lock of this kind wait for."""
    match kind:
        case UnlockKind.NEXT_SCAN | UnlockKind.BOX_BOTTLES:
            await played.scan("ann" if kind is UnlockKind.NEXT_SCAN else "bob", 1)
        case UnlockKind.ACTION:
            for role, name in WHO.items():
                member = await played.member(name, role)
                await played.db.in_transaction(report_action, played.operator, member.id, "follow")
        case _:
            clock.advance(days=8)
            await played.sweep()


@pytest.mark.parametrize("kind", [None, *LOCKS], ids=str)
async def test_everybody_gets_every_asset_at_once_or_when_its_lock_says(
    clocked_db: Database, clock: SettableClock, kind: UnlockKind | None
) -> None:
    roles = [role for lock, role in CELLS if lock is kind]
    given = [(role, asset, amount) for role in roles for asset, amount in ASSETS.items()]
    if kind is None:
        outcomes = {role: dict(ASSETS) for role in roles}
        plan = plan_of(outcomes=outcomes, budgets={Asset.CASH: 100})
    else:
        lock = {"kind": kind.value, **LOCKS[kind]}
        locked = [(*each, lock) for each in given]
        plan = plan_of(*locked, outcomes={CONSUMER: {}}, budgets={Asset.CASH: 100})
    played = await play(clocked_db, replace(plan, quantity=12))
    await clocked_db.in_transaction(pack, played.world, 0, 4, 4)
    # Ann was invited by the guide gus, behind whom the others stand.
    first = await played.scan("ann", 0)
    assert first["unpaid_reason"] is None
    at_once = {asset: (amount, 0) for asset, amount in ASSETS.items()}
    waits = {asset: (0, amount) for asset, amount in ASSETS.items()}
    cash = ASSETS[Asset.CASH] * len(roles)
    assert {role: await has(played, role) for role in roles} == dict.fromkeys(
        roles, at_once if kind is None else waits
    )
    assert await played.budget() == ((cash, 0) if kind is None else (0, cash))
    if kind is not None:
        first_ids = {row.id for row in await played.rows(LockedReward)}
        await bring_about(played, clock, kind)
        ended = {row.status for row in await played.rows(LockedReward) if row.id in first_ids}
        assert ended == {"UNLOCKED"}
        spendable = {role: await has(played, role) for role in roles}
        for role in roles:
            assert [spendable[role][asset][0] for asset in ASSETS] == list(ASSETS.values()), role
    assert await played.broken() == {}


async def test_the_gate_locks_all_that_the_guide_gets_and_nothing_of_the_others(
    clocked_db: Database,
) -> None:
    plan = plan_of(outcomes={role: dict(ASSETS) for role in WHO}, gate=Gate.CONSUMER_SCAN)
    played = await play(clocked_db, plan)
    await played.scan("gus", 0, GUIDE)
    assert await has(played, GUIDE) == {asset: (0, amount) for asset, amount in ASSETS.items()}
    await played.scan("bob", 0)
    at_once = {asset: (amount, 0) for asset, amount in ASSETS.items()}
    for role in WHO:
        if role is not CONSUMER:
            assert await has(played, role) == at_once, role
    assert await played.broken() == {}
