"""Stores, dealers and salespeople earn by scans of consumers whose guides they stand behind."""

from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.campaigns.models import Gate
from rewards.grants.unlocking import report_action
from rewards.scans.models import Claim
from rewards.scans.reversing import reverse_scan
from tests.clocks import SettableClock
from tests.rewards.grants.played import Played, plan_of, play
from tests.rewards.scans.worlds import CONSUMER, DEALER, GUIDE, SALESPERSON, STORE

BEHIND = {STORE: "sid", DEALER: "cat", SALESPERSON: "sam"}
AT_ONCE = {Asset.POINTS: 3, Asset.CHANCES: 1}
LOCKS: dict[Asset, tuple[int, dict[str, Any]]] = {
    Asset.CASH: (5, {"kind": "AFTER", "after": "P7D"}),
    Asset.GROWTH: (7, {"kind": "ACTION", "action": "follow"}),
    Asset.POINTS: (2, {"kind": "ON", "on": "2026-11-12"}),
}
PLAN = plan_of(
    *((role, asset, amount, lock) for role in BEHIND for asset, (amount, lock) in LOCKS.items()),
    gate=Gate.CONSUMER_SCAN,
    outcomes={CONSUMER: {Asset.POINTS: 3}, GUIDE: {Asset.POINTS: 1}}
    | dict.fromkeys(BEHIND, AT_ONCE),
    budgets={Asset.CASH: 15 + 14},
)


async def what_each_has(played: Played, *assets: Asset) -> set[tuple[tuple[int, int], ...]]:
    """(balance, locked) of each asset; one alone, if all three have the same."""
    return {
        tuple([await played.has(name, asset, role) for asset in assets])
        for role, name in BEHIND.items()
    }


async def outcomes(played: Played) -> dict[str, str]:
    claims = await played.rows(Claim)
    return {row.beneficiary_role: row.outcome for row in claims if row.beneficiary_role in BEHIND}


async def test_every_outcome_is_at_once_or_locked_for_each_role_and_is_taken_back(
    clocked_db: Database, clock: SettableClock
) -> None:
    played = await play(clocked_db, PLAN)
    await played.scan("gus", 0, GUIDE)
    assert await outcomes(played) == {}, "the gate is the guide's: the channel waits for the scan"
    first = await played.scan("ann", 0)
    assert {reward["asset"]: reward["amount"] for reward in first["rewards"]} == {"POINTS": 3}
    assert await outcomes(played) == dict.fromkeys(BEHIND, "PAID")
    kinds = (Asset.POINTS, Asset.CHANCES, Asset.CASH, Asset.GROWTH)
    assert await what_each_has(played, *kinds) == {((3, 2), (1, 0), (0, 5), (0, 7))}
    assert await played.budget() == (0, 15)

    for role, name in BEHIND.items():
        member = await played.member(name, role)
        await clocked_db.in_transaction(report_action, played.operator, member.id, "follow")
    clock.advance(days=8)
    await played.sweep()
    assert await what_each_has(played, *kinds) == {((5, 0), (1, 0), (5, 0), (7, 0))}
    assert await played.budget() == (15, 0)

    broke = await played.scan("bob", 1)
    assert (broke["unpaid_reason"], broke["guide_unpaid_reason"]) == (None, "NO_GUIDE")
    await played.scan("gus", 2, GUIDE)
    broke = await played.scan("ann", 2)
    assert broke["unpaid_reason"] == "BUDGET", "14 of cash are left, and three times 5 is more"

    scan_id = UUID(hex=first["scan_id"])
    done = await clocked_db.in_transaction(reverse_scan, played.operator, scan_id, "fraud")
    taken = {(leg.role, leg.asset): leg.taken for leg in done.legs if leg.role in BEHIND}
    each = {"POINTS": 5, "CHANCES": 1, "CASH": 5, "GROWTH": 7}
    assert taken == {(role, asset): n for role in BEHIND for asset, n in each.items()}
    assert await what_each_has(played, *kinds) == {((0, 0), (0, 0), (0, 0), (0, 0))}
    assert await played.budget() == (0, 0)
    assert await played.broken() == {}


async def test_a_campaign_that_pays_the_channel_alone_learns_of_the_guide_by_its_pre_scan(
    clocked_db: Database,
) -> None:
    paid: dict[MemberRole, dict[Asset, int]] = {CONSUMER: {Asset.POINTS: 3}, DEALER: AT_ONCE}
    played = await play(clocked_db, plan_of(outcomes=paid, condition="member.isNew"))
    sold = await played.scan("gus", 0, GUIDE)
    assert sold["unpaid_reason"] == "AWAITS_CONSUMER"
    bought = await played.scan("ann", 0)
    assert (bought["unpaid_reason"], bought["guide_unpaid_reason"]) == (None, "NO_GUIDE_OUTCOME")
    assert await outcomes(played) == {"DEALER": "PAID"}
    assert await played.broken() == {}
