"""Stores, dealers and salespeople earn by purchases at the places that they stand behind."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.actor import MemberRole
from loyalty.adjustments.service import adjust_balance
from loyalty.db import Database
from loyalty.errors import InvalidInput
from loyalty.ledger.rules import ReturnPolicy
from loyalty.members import service as members
from loyalty.places.channel import import_roster
from loyalty.places.service import close_place
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import CapSubject, CapWindow, EventKind, OutcomeBasis, UnlockKind
from rewards.campaigns.rules import BonusTerms, CampaignDefinition, Cap, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.grants.unlocking import report_action
from rewards.merges.service import merge_members
from tests.rewards.purchases.backed import (
    DEALER,
    PHONES,
    SALESPERSON,
    STORE,
    join,
    open_backed,
    open_place,
)
from tests.rewards.returns.shopping import GROWTH, POINTS, Shop, fixed, open_shop
from tiers.ladders.models import TierEnd
from tiers.ladders.rules import LadderPolicy, Level
from tiers.ladders.service import publish_ladder

PAID = dict.fromkeys(("DEALER", "SALESPERSON", "STORE"))
CASH = "CASH"
WEEK = Lock(UnlockKind.AFTER, after=timedelta(days=7))
FOLLOW = Lock(UnlockKind.ACTION, action="follow")


def behind(
    role: MemberRole,
    asset: str,
    amount: int,
    lock: Lock | None = None,
    basis: OutcomeBasis = OutcomeBasis.FIXED,
) -> Outcome:
    return Outcome(role, asset, basis, amount, lock)


async def publish(shop: Shop, *outcomes: Outcome, **terms: Any) -> None:
    """The campaign of the shop's purchases."""
    definition = CampaignDefinition(
        code=terms.pop("code", "shop"),
        name_zh="购物",
        name_en="Shop",
        event=EventKind.PURCHASE,
        priority=9,
        outcomes=outcomes,
        **terms,
    )
    await shop.run(publish_campaign, shop.actor, definition)


async def test_every_outcome_is_at_once_or_locked_for_each_role_and_is_taken_back(
    db: Database,
) -> None:
    backed = await open_backed(db)
    shop = backed.shop
    outcomes = [
        outcome
        for role in PHONES
        for outcome in (
            behind(role, GROWTH, 2, basis=OutcomeBasis.PER_CURRENCY_UNIT),
            behind(role, CASH, 100, WEEK),
            behind(role, POINTS, 3, FOLLOW, basis=OutcomeBasis.PER_UNIT),
        )
    ]
    await publish(shop, fixed(POINTS, 5), *outcomes, budgets={CASH: 700})
    bought = await backed.buy("1", quantity=3)
    assert [(one.asset, one.amount) for one in bought.earned] == [(POINTS, 5)]
    assert await backed.shares(bought) == PAID
    again = await backed.buy("1", quantity=3)
    assert (again.is_new, again.earned) == (False, bought.earned), "what others wait for is theirs"
    each = {GROWTH: (20, 0), CASH: (0, 100), POINTS: (0, 9)}
    assert [await backed.has(role) for role in PHONES] == [each] * 3
    assert await shop.budgets() == {CASH: (0, 300)}
    await shop.check_books()

    await shop.run(report_action, shop.actor, shop.members["SALESPERSON"], "follow")
    await shop.give_back("1", "R1", 500)
    locked = {CASH: (0, 0, 50), POINTS: (0, 0, 5)}
    of_two = {**locked, GROWTH: (10, 0, 0)}
    taken = {
        ("CONSUMER", POINTS): (3, 0, 0),
        **{(role, asset): of_two[asset] for role in ("STORE", "DEALER") for asset in of_two},
        ("SALESPERSON", GROWTH): (10, 0, 0),
        ("SALESPERSON", CASH): (0, 0, 50),
        ("SALESPERSON", POINTS): (5, 0, 0),
    }
    assert await backed.takings(bought) == taken
    half = {GROWTH: (10, 0), CASH: (0, 50)}
    assert await backed.has(STORE) == await backed.has(DEALER) == half | {POINTS: (0, 4)}
    assert await backed.has(SALESPERSON) == half | {POINTS: (4, 0)}
    assert await shop.budgets() == {CASH: (0, 150)}
    await shop.give_back("1", "R2")
    assert [await backed.has(role) for role in PHONES] == [{}] * 3
    assert await shop.budgets() == {CASH: (0, 0)}
    await shop.check_books()


async def test_each_role_is_taken_from_under_its_own_policy_and_whoever_has_it_by_now(
    db: Database,
) -> None:
    backed = await open_backed(db)
    shop = backed.shop
    policies = {DEALER: ReturnPolicy.UNLIMITED, STORE: ReturnPolicy.WITHIN_BALANCE}
    levels = [Level(0, "A", "甲", "A", 0, 100), Level(1, "B", "乙", "B", 90, 100)]
    falls = LadderPolicy(ends=TierEnd.BALANCE_DROP)
    await shop.run(publish_ladder, shop.actor, role=DEALER, levels=levels, policy=falls)
    await publish(
        shop,
        fixed(POINTS, 5),
        *(behind(role, POINTS, 10) for role in (STORE, DEALER)),
        behind(DEALER, CASH, 40, FOLLOW),
        behind(DEALER, GROWTH, 90),
        return_policies=policies,
    )
    bought = await backed.buy("1")
    assert await shop.rank("DEALER") == 1
    for role in (STORE, DEALER):
        await move(shop, role, 8)
    other = "13700137009"
    entries = [(other, "陈", None)]
    await shop.run(import_roster, shop.actor, shop.keyring, "DEALER", entries)
    heir = await join(shop, DEALER, other)
    await shop.run(
        merge_members,
        shop.actor,
        from_member_id=shop.members["DEALER"],
        into_member_id=heir,
        reason="one",
    )
    shop.members["DEALER"] = heir
    assert await backed.has(DEALER) == {POINTS: (2, 0), CASH: (0, 40), GROWTH: (90, 0)}
    assert await shop.rank("DEALER") == 1
    await shop.check_books()
    result = await shop.give_back("1", "R1")
    assert {asset: one.taken for asset, one in result.takings.items()} == {POINTS: 5}
    assert await backed.takings(bought) == {
        ("CONSUMER", POINTS): (5, 0, 0),
        ("STORE", POINTS): (2, 0, 0),
        ("DEALER", POINTS): (2, 8, 0),
        ("DEALER", CASH): (0, 0, 40),
        ("DEALER", GROWTH): (90, 0, 0),
    }
    assert await shop.rank("DEALER") == 0
    assert await backed.has(STORE) == {}
    assert await backed.has(DEALER) == {f"{POINTS} owed": (-8, 0)}
    again = await shop.give_back("1", "R1")
    assert (again.is_new, again.takings) == (False, result.takings), "the buyer's alone"
    await shop.check_books()


async def move(shop: Shop, role: MemberRole, amount: int) -> None:
    """Some of a role's points are gone."""
    await shop.run(
        adjust_balance,
        shop.actor,
        member_id=shop.members[role.value],
        asset=POINTS,
        amount=-amount,
        reason="spent",
    )


async def test_who_is_not_there_is_told_with_the_reason(db: Database) -> None:
    backed = await open_backed(db)
    shop = backed.shop
    terms: dict[str, Any] = {"caps": (Cap(CapSubject.STORE, CapWindow.CAMPAIGN, 2),)}
    parts = [behind(role, POINTS, 3) for role in (STORE, SALESPERSON)]
    small = behind(DEALER, CASH, 1, basis=OutcomeBasis.PER_CURRENCY_UNIT)
    await publish(shop, fixed(POINTS, 5), *parts, small, **terms)
    nowhere = await backed.buy("1", place_id=None)
    assert await backed.shares(nowhere) == dict.fromkeys(PAID, "NO_PLACE")
    little = await backed.buy("2", 99)
    assert await backed.shares(little) == PAID | {"DEALER": "NOTHING"}
    own = await backed.buy("3", phone=PHONES[SALESPERSON])
    assert await backed.shares(own) == PAID | {"SALESPERSON": "SELF_DEALING"}
    over = await backed.buy("4")
    assert await backed.shares(over) == PAID | {"STORE": "CAP"}
    await shop.give_back("3", "R1")
    assert await shop.counters() == {"ALL": 1}, "what came back whole is not counted"
    assert await backed.shares(await backed.buy("5")) == PAID
    await shop.run(members.freeze_member, shop.actor, shop.members["DEALER"], "fraud")
    bare = await open_place(shop, "SH-2", {STORE: "13600136009"})
    elsewhere = await backed.buy("6", place_id=bare)
    nobody = {"STORE": "NOT_ENROLLED", "DEALER": "VACANT", "SALESPERSON": "VACANT"}
    assert await backed.shares(elsewhere) == nobody
    assert await backed.shares(await backed.buy("7")) == PAID | {"DEALER": "FROZEN", "STORE": "CAP"}
    await shop.run(close_place, shop.actor, backed.place_id, "moved")
    assert await backed.shares(await backed.buy("8")) == dict.fromkeys(PAID, "NO_PLACE")
    await shop.check_books()


async def test_the_budget_is_one_for_all_and_who_gets_nothing_leaves_no_share(
    db: Database,
) -> None:
    backed = await open_backed(db)
    shop = backed.shop
    part = behind(STORE, CASH, 60)
    await publish(shop, fixed(CASH, 40), part, budgets={CASH: 150})
    assert await backed.shares(await backed.buy("1")) == {"STORE": None}
    broke = await backed.buy("2")
    assert broke.earned == () and await backed.shares(broke) == {}
    assert await shop.budgets() == {CASH: (100, 0)}
    await shop.run(members.freeze_member, shop.actor, shop.members["STORE"], "fraud")
    alone = await backed.buy("3")
    assert [one.amount for one in alone.earned] == [40]
    assert await backed.shares(alone) == {"STORE": "FROZEN"}
    await shop.check_books()


@pytest.mark.parametrize(
    ("outcomes", "terms", "field"),
    [
        ([behind(MemberRole.GUIDE, POINTS, 1)], {}, "outcomes[1].beneficiary"),
        ([behind(STORE, POINTS, 1, Lock(UnlockKind.NEXT_SCAN, 1))], {}, "outcomes[1].lock.kind"),
        ([], {"caps": (Cap(CapSubject.STORE, CapWindow.DAY, 1),)}, "caps[0].subject"),
        ([], {"caps": (Cap(CapSubject.GUIDE, CapWindow.DAY, 1),)}, "caps[0].subject"),
        ([behind(STORE, POINTS, 1)], {"bonus": BonusTerms("days")}, "outcomes[1].beneficiary"),
    ],
)
async def test_what_a_purchase_cannot_pay_is_refused_with_its_path(
    db: Database, outcomes: list[Outcome], terms: dict[str, Any], field: str
) -> None:
    shop = await open_shop(db)
    with pytest.raises(InvalidInput) as refused:
        await publish(shop, fixed(POINTS, 5), *outcomes, **terms)
    assert refused.value.details["field"] == field
