"""Bonus campaigns on top of first ones: of each group one, with limits of its own, taken back under
its own policy; on every base, locked or not, for the consumer and the guide."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from loyalty.actor import MemberRole
from loyalty.db import Database
from loyalty.ledger.models import Asset
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import (
    CapCounter,
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)
from rewards.campaigns.rules import BonusTerms, CampaignDefinition, Cap, Outcome, Step
from rewards.campaigns.service import publish_campaign
from rewards.events.rules import EventFact
from rewards.events.service import settle_events
from rewards.grants.models import Bonus
from rewards.purchases.rules import PurchaseFact
from rewards.purchases.service import settle_purchases
from rewards.returns.rules import Taking
from rewards.scans.reversing import reverse_scan
from tests.clocks import SettableClock
from tests.rewards.events.cafe import join, run_campaign
from tests.rewards.grants.played import CONSUMER, GUIDE, Played, plan_of, play
from tests.rewards.returns.shopping import GROWTH, POINTS, Shop, open_shop
from tests.rewards.scans.test_statement_count import PLAN, statements_of
from tests.rewards.scans.worlds import CampaignPlan

FIXED, PERCENT = OutcomeBasis.FIXED, OutcomeBasis.PERCENT_OF_MAIN
PER_FEN, PER_UNIT, TABLE = (
    OutcomeBasis.PER_CURRENCY_UNIT,
    OutcomeBasis.PER_UNIT,
    OutcomeBasis.TABLE,
)
FOLLOW = Lock(UnlockKind.ACTION, action="follow")
STEPS = (Step(0, 1), Step(10_000, 20), Step(20_000, 300))


def given(basis: OutcomeBasis, amount: int, asset: str = POINTS, **more: Any) -> Outcome:
    return Outcome(MemberRole.CONSUMER, asset, basis, amount, **more)


async def publish(
    shop: Shop, code: str, outcomes: Sequence[Outcome], bonus: BonusTerms | None, **more: Any
) -> None:
    values = {"event": EventKind.PURCHASE, "priority": 9, **more}
    definition = CampaignDefinition(code, "活动", "Campaign", outcomes=tuple(outcomes), **values)
    await shop.run(publish_campaign, shop.actor, replace(definition, bonus=bonus))


async def bonuses(shop: Shop) -> list[tuple[str, str | None, int]]:
    """(group, unpaid reason, what was given) of each, the oldest event first."""
    async with shop.db.snapshot() as snapshot:
        rows = await snapshot.session.exec(
            select(Bonus)
            .where(col(Bonus.brand_id) == shop.brand.id)
            .order_by(col(Bonus.cause_id), col(Bonus.bonus_group))
        )
    return [
        (row.bonus_group, row.unpaid_reason, sum(part["amount"] for part in row.rewards))
        for row in rows
    ]


# --- every base, locked or not, for each beneficiary ---------------------------------------------

BOUGHT = {FIXED: 7, PER_FEN: 7 * 123, PER_UNIT: 7 * 3, TABLE: 20, PERCENT: 246 * 7 // 100}


@pytest.mark.parametrize("basis", list(OutcomeBasis))
async def test_a_purchase_is_paid_by_every_basis_at_once_and_locked(
    db: Database, basis: OutcomeBasis
) -> None:
    """123.99 for three pieces, of which the first campaign gives two points a unit."""
    shop = await open_shop(db)
    await publish(shop, "main", [given(PER_FEN, 2)], None)
    steps: dict[str, Any] = {"steps": STEPS} if basis is TABLE else {}
    amount = 0 if basis is TABLE else 7
    outcomes = [given(basis, amount, **steps), given(basis, amount, lock=FOLLOW, **steps)]
    await publish(shop, "top", outcomes, BonusTerms("g"), budgets={POINTS: 10_000})
    recorded = await shop.buy("1", 12_399, lines=[(3, 12_399)])
    assert [(one.asset, one.amount) for one in recorded.earned] == [(POINTS, 246)]
    due = BOUGHT[basis]
    assert await shop.balances() == {POINTS: (246 + due, due)}
    assert await shop.budgets() == {POINTS: (due, due)}
    again = await shop.buy("1", 12_399, lines=[(3, 12_399)])
    assert (again.is_new, again.earned) == (False, recorded.earned)  # the bonus is told beside
    assert await bonuses(shop) == [("g", None, 2 * due)]

    assert (await shop.give_back("1", "R1")).takings == {POINTS: Taking(246 + due, 0, due)}
    assert (await shop.balances(), await shop.budgets()) == ({}, {POINTS: (0, 0)})
    await shop.check_books()


@pytest.mark.parametrize("role", [CONSUMER, GUIDE])
@pytest.mark.parametrize("gate", Gate)
async def test_a_scan_is_paid_fixed_and_in_percent_at_once_and_locked(
    clocked_db: Database, gate: Gate, role: MemberRole
) -> None:
    """The guide's percentage is of what it is paid now, also if a pre-scan had locked it."""
    bonus = CampaignPlan(
        bonus=("g", None),
        outcomes={role: {Asset.CASH: 7}},
        percents={role: {Asset.CHANCES: 50}},
        locked=((role, Asset.GROWTH, 5, {"kind": "ACTION", "action": "follow"}),),
        budgets={Asset.CHANCES: 10},
    )
    main = {CONSUMER: {Asset.CHANCES: 9}, GUIDE: {Asset.CHANCES: 5}}
    plan = replace(plan_of(outcomes=main, gate=gate), bonuses=(bonus,))
    played = await play(clocked_db, plan)
    if gate is Gate.CONSUMER_SCAN:
        await played.scan("gus", 0, GUIDE)
        assert await played.rows(Bonus) == []  # at the consumer's scan, and at no other
    reply = await played.scan("ann", 0)
    person, chances = ("ann", 9) if role is CONSUMER else ("gus", 5)
    assert await played.has(person, Asset.CHANCES, role) == (chances + chances * 50 // 100, 0)
    assert await played.has(person, Asset.CASH, role) == (7, 0)
    assert await played.has(person, Asset.GROWTH, role) == (0, 5)
    assert await played.budget(Asset.CHANCES) == (chances * 50 // 100, 0)
    [told] = reply["bonuses"]
    assert (told["campaign"], told["group"], told["unpaid_reason"]) == ("c1", "g", None)
    own = {(part["asset"], part["amount"], part["locked"]) for part in told["rewards"]}
    wanted = {("CASH", 7, False), ("CHANCES", 4, False), ("GROWTH", 5, True)}
    assert own == (wanted if role is CONSUMER else set())
    [row] = await played.rows(Bonus)
    assert (row.guide_member_id is None) is (role is CONSUMER)

    await reverse(played, reply)
    assert await played.has(person, Asset.CHANCES, role) == (0, 0)
    assert await played.has(person, Asset.GROWTH, role) == (0, 0)
    assert await played.budget(Asset.CHANCES) == (0, 0)
    assert await played.broken() == {}


async def reverse(played: Played, reply: dict[str, Any]) -> None:
    scan_id = UUID(hex=reply["scan_id"])
    await played.db.in_transaction(reverse_scan, played.operator, scan_id, "fraud")


# --- which of a group, and within which limits ---------------------------------------------------


async def test_of_each_group_the_first_or_the_best_whose_condition_holds(db: Database) -> None:
    shop = await open_shop(db)
    await publish(shop, "main", [given(FIXED, 1)], None)
    first, best = BonusTerms("first"), BonusTerms("best", POINTS)
    await publish(shop, "a", [given(FIXED, 10)], first, priority=2, condition="event.quantity > 9")
    await publish(shop, "b", [given(FIXED, 20)], first, priority=1)
    await publish(shop, "c", [given(FIXED, 900)], first, priority=0)
    await publish(shop, "d", [given(FIXED, 300)], best, priority=1, condition=CHEAP)
    await publish(shop, "e", [given(PER_UNIT, 100)], best, priority=5)
    await publish(shop, "f", [given(FIXED, 300, GROWTH), given(FIXED, 300)], best, priority=1)
    await shop.buy("cheap", 500, lines=[(3, 500)])  # d, e and f are worth the same: e is first
    assert await bonuses(shop) == [("best", None, 300), ("first", None, 20)]
    assert await shop.balances() == {POINTS: (1 + 20 + 300, 0)}
    await shop.buy("dear", 5_000, "bob", lines=[(2, 5_000)])  # of e and f, f
    assert await shop.balances("bob") == {POINTS: (1 + 20 + 300, 0), GROWTH: (300, 0)}
    await shop.buy("many", 5_000, "cat", lines=[(10, 5_000)])
    assert await shop.balances("cat") == {POINTS: (1 + 10 + 1000, 0)}
    await shop.check_books()


async def test_one_over_its_limit_pays_nothing_and_takes_nothing_from_the_others(
    db: Database,
) -> None:
    shop = await open_shop(db)
    await publish(shop, "main", [given(FIXED, 1)], None)
    cap = (Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 1),)
    await publish(shop, "cap", [given(FIXED, 10)], BonusTerms("cap"), caps=cap)
    await publish(shop, "less", [given(FIXED, 500)], BonusTerms("cap"), priority=1)  # no stand-in
    await publish(shop, "budget", [given(FIXED, 100)], BonusTerms("budget"), budgets={POINTS: 150})
    table = given(TABLE, 0, steps=(Step(900, 4),))
    await publish(shop, "table", [table], BonusTerms("table"))
    points = [(await shop.buy(ref, fen)) and await shop.balances() for ref, fen in BUYS]
    assert points == [{POINTS: (111, 0)}, {POINTS: (116, 0)}]
    assert await bonuses(shop) == [
        *(("budget", None, 100), ("cap", None, 10), ("table", "NOTHING", 0)),
        *(("budget", "BUDGET", 0), ("cap", "CAP", 0), ("table", None, 4)),
    ]
    await shop.give_back("1", "R1")
    assert await shop.counters() == {}  # the cap is free again
    await shop.buy("3", 0)
    assert (await shop.balances())[POINTS] == (5 + 111, 0)
    await shop.check_books()


BUYS = (("1", 800), ("2", 900))
CHEAP = "event.amountFen < 1000"


async def test_a_guide_over_its_cap_takes_nothing_from_the_consumer(clocked_db: Database) -> None:
    bonus = CampaignPlan(
        bonus=("g", None),
        outcomes={CONSUMER: {Asset.CASH: 7}, GUIDE: {Asset.CASH: 3}},
        caps={(CapSubject.GUIDE, CapWindow.CAMPAIGN): 1, (CapSubject.MEMBER, CapWindow.DAY): 2},
        return_policies={"CONSUMER": "ONLY_PENDING"},
    )
    main = {CONSUMER: {Asset.POINTS: 3}, GUIDE: {Asset.POINTS: 1}}
    played = await play(clocked_db, replace(plan_of(outcomes=main), bonuses=(bonus,)))
    replies = [await played.scan("ann", serial) for serial in range(3)]
    assert [reply["bonuses"][0]["unpaid_reason"] for reply in replies] == [None, None, "CAP"]
    assert await played.has("ann") == (14, 0)
    assert await played.has("gus", role=GUIDE) == (3, 0)
    assert [row.used for row in await played.rows(CapCounter)] == [1, 2]

    await reverse(played, replies[0])  # its own policy keeps the consumer's, not the guide's
    assert await played.has("ann") == (14, 0)
    assert await played.has("gus", role=GUIDE) == (0, 0)
    assert [row.used for row in await played.rows(CapCounter)] == [1, 1]
    assert (await played.scan("ann", 4))["bonuses"][0]["unpaid_reason"] is None
    assert await played.broken() == {}


async def test_an_event_that_is_not_paid_has_no_bonus(clocked_db: Database) -> None:
    bonus = CampaignPlan(bonus=("g", None), outcomes={CONSUMER: {Asset.CASH: 7}})
    plan = plan_of(caps={(CapSubject.MEMBER, CapWindow.DAY): 1})
    played = await play(clocked_db, replace(plan, bonuses=(bonus,)))
    replies = [await played.scan("bob", serial) for serial in (0, 0, 1)]
    assert [reply["unpaid_reason"] for reply in replies] == [None, "ALREADY_CLAIMED", "CAP"]
    assert [len(reply.get("bonuses", ())) for reply in replies] == [1, 0, 0]
    assert await played.has("bob") == (7, 0)
    assert await played.broken() == {}


async def test_other_events_have_bonuses_too(clocked_db: Database, clock: SettableClock) -> None:
    shop = await open_shop(clocked_db)
    [ann] = await join(shop, "ann")
    await run_campaign(shop, EventKind.CHECK_IN)
    double = given(PERCENT, 100)
    await publish(shop, "double", [double], BonusTerms("g"), event=EventKind.CHECK_IN)
    fact = EventFact(EventKind.CHECK_IN, "a day", ann, clock(), {"scene": ""})
    [result] = await shop.run(settle_events, shop.brand.id, shop.actor, [fact])
    assert result.recorded is not None
    assert [one.amount for one in result.recorded.earned] == [1]
    shop.members["ann"] = ann
    assert await shop.balances() == {POINTS: (2, 0)}
    assert await bonuses(shop) == [("g", None, 1)]
    await shop.check_books()


# --- what it costs -------------------------------------------------------------------------------


async def test_bonuses_cost_one_statement_a_batch(clocked_db: Database) -> None:
    bonus = CampaignPlan(
        bonus=("g", Asset.POINTS),
        outcomes={CONSUMER: {Asset.POINTS: 1}, GUIDE: {Asset.POINTS: 1}},
        caps={(CapSubject.MEMBER, CapWindow.DAY): 10**6},
        condition="tier.rank >= 0",
    )
    stacked = replace(PLAN, bonuses=(bonus, bonus, bonus))
    for size in (4, 64):
        await statements_of(clocked_db, stacked, size)
        told = await statements_of(clocked_db, stacked, size)
        usual = await statements_of(clocked_db, PLAN, size)
        assert len(told) == len(usual) + 1
        assert not [statement for statement in usual if "bonuses" in statement]


async def test_purchases_in_any_batches_have_the_same_bonuses(db: Database) -> None:
    """Limits that run out in the middle of a batch run out for the same purchases."""
    found = []
    for sizes in ([1] * 6, [2, 4], [6]):
        shop = await open_shop(db, f"shop-{len(sizes)}")
        await publish(shop, "main", [given(FIXED, 1)], None)
        caps = (Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 2),)
        limits = {"caps": caps, "budgets": {POINTS: 70}}
        await publish(shop, "top", [given(FIXED, 20)], BonusTerms("g"), **limits)
        facts = [
            PurchaseFact(f"p{n}", who, shop.brand.created_at.date(), 1, 100)
            for n, who in enumerate(["ann", "ann", "ann", "bob", "bob", "ann"])
        ]
        for size in sizes:
            batch, facts = facts[:size], facts[size:]
            await shop.run(settle_purchases, shop.brand.id, shop.actor, batch)
        found.append(sorted(await bonuses(shop), key=str))
    assert found[0] == found[1] == found[2]
    assert [reason for _, reason, _ in found[0]].count(None) == 3
    assert {reason for _, reason, _ in found[0]} == {None, "CAP", "BUDGET"}
