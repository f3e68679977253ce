"""What follows from a return elsewhere: levels, rewards unlocked meanwhile, members merged or
frozen."""

from datetime import timedelta

from loyalty.actor import MemberRole
from loyalty.assets.rules import Unit
from loyalty.db import Database, Statement
from loyalty.members.service import freeze_member
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import UnlockKind
from rewards.grants.unlocking import report_action
from rewards.merges.service import merge_members
from rewards.purchases.queries import read_purchases
from rewards.returns.rules import Taking
from tests.rewards.returns.shopping import (
    CHANCES,
    GROWTH,
    POINTS,
    UNLIMITED,
    Shop,
    open_shop,
    per_unit,
    points_of,
)
from tiers.ladders.models import PeriodKind, TierEnd, TierMetric
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderPolicy, Level
from tiers.ladders.service import publish_ladder

FOLLOW = Lock(UnlockKind.ACTION, action="follow", lapses_after=timedelta(days=7))
YEARLY = PeriodRule(PeriodKind.CALENDAR, Unit.YEAR)
LEVELS = [Level(0, "A", "甲", "A", 0, 100), Level(1, "B", "乙", "B", 100, 100)]
IN_FEN = [LEVELS[0], Level(1, "B", "乙", "B", 10_000, 100)]

_CHANGES = Statement(
    """
    SELECT from_rank, to_rank, reason, cause_kind FROM standing_changes
    WHERE brand_id = :brand AND member_id = :member ORDER BY id
    """,
    params="brand uuid, member uuid",
    returns="from_rank bigint, to_rank bigint, reason text, cause_kind text",
)
_DAYS = Statement(
    "SELECT amount FROM qualifying_days WHERE brand_id = :brand AND member_id = :member",
    params="brand uuid, member uuid",
    returns="amount bigint",
)


async def levels(shop: Shop, policy: LadderPolicy, levels: list[Level]) -> None:
    await shop.run(
        publish_ladder, shop.actor, role=MemberRole.CONSUMER, levels=levels, policy=policy
    )


async def changes(shop: Shop) -> list[tuple[object, ...]]:
    rows = await shop.db.read(_CHANGES, brand=shop.brand.id, member=shop.members["ann"])
    return [tuple(row) for row in rows]


async def test_a_level_stays_where_the_ladder_never_ends_it(db: Database) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 12_000)
    result = await shop.give_back("1", "R1")
    assert result.level_before == result.level_after and await shop.rank() == 1
    await shop.check_books()


async def test_a_level_falls_with_the_growth_where_the_ladder_says_so(db: Database) -> None:
    shop = await open_shop(db)
    await levels(shop, LadderPolicy(ends=TierEnd.BALANCE_DROP), LEVELS)
    bought = await shop.buy("1", 12_000)
    assert bought.level_before == LEVELS[0] and bought.level_after == LEVELS[1]
    part = await shop.give_back("1", "R1", 2_000)
    assert part.level_after == LEVELS[1]
    more = await shop.give_back("1", "R2", 100)
    assert (more.level_before, more.level_after) == (LEVELS[1], LEVELS[0])
    assert (await shop.give_back("1", "R2", 100)).level_before == LEVELS[0]
    assert await changes(shop) == [
        (0, 1, "EARNED", "PURCHASE"),
        (1, 0, "DROPPED", "PURCHASE_RETURN"),
    ]
    await shop.check_books()


async def test_what_was_spent_or_earned_in_a_period_is_lowered_on_its_own_day(
    db: Database,
) -> None:
    for slug, policy, wanted in (
        ("spend", LadderPolicy(TierMetric.SPEND, None, YEARLY, ends=TierEnd.BALANCE_DROP), IN_FEN),
        (
            "earned",
            LadderPolicy(TierMetric.EARNED, GROWTH, YEARLY, ends=TierEnd.BALANCE_DROP),
            LEVELS,
        ),
    ):
        shop = await open_shop(db, slug)
        await levels(shop, policy, wanted)
        await shop.buy("1", 12_000)
        await shop.give_back("1", "R1", 2_000)
        assert await shop.rank() == 1
        await shop.give_back("1", "R2", 100)
        assert await shop.rank() == 0
        rows = await db.read(_DAYS, brand=shop.brand.id, member=shop.members["ann"])
        assert [row[0] for row in rows] == [wanted[1].growth_threshold * 99 // 100]
    await shop.check_books()


async def test_what_was_unlocked_meanwhile_is_taken_back_too(db: Database) -> None:
    shop = await open_shop(db)
    outcomes = [per_unit(POINTS, 1), per_unit(CHANCES, 1, FOLLOW)]
    await shop.publish(outcomes, policy=UNLIMITED, budgets={CHANCES: 100})
    await shop.buy("1", 1_000)
    await shop.give_back("1", "R1", 250)
    assert await shop.balances() == {POINTS: (7, 0), CHANCES: (0, 7)}
    await shop.run(report_action, shop.actor, shop.members["ann"], "follow")
    assert await shop.balances() == {POINTS: (7, 0), CHANCES: (7, 0)}
    part = await shop.give_back("1", "R2", 250)
    assert part.takings == {POINTS: Taking(taken=2), CHANCES: Taking(taken=3)}
    await shop.give_back("1", "R3")
    assert await shop.balances() == {} and await shop.budgets() == {CHANCES: (0, 0)}
    await shop.check_books()


async def test_what_a_merged_buyer_had_is_taken_from_who_has_it_now(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1), per_unit(CHANCES, 1, FOLLOW)], policy=UNLIMITED)
    first = await shop.buy("1", 10_000)
    await shop.buy("2", 100, "eve")
    ann, eve = shop.members["ann"], shop.members["eve"]
    await shop.run(
        merge_members, shop.actor, from_member_id=ann, into_member_id=eve, reason="one person"
    )
    half = await shop.give_back("1", "R1", 5_000)
    assert half.owner_id == eve
    assert half.takings == {POINTS: Taking(taken=50), CHANCES: Taking(voided=50)}
    await shop.run(report_action, shop.actor, eve, "follow")
    assert (await shop.give_back("1", "R2")).takings == {
        POINTS: Taking(taken=50),
        CHANCES: Taking(taken=50),
    }
    assert await shop.balances("eve") == {POINTS: (1, 0), CHANCES: (1, 0)}

    again = await shop.buy("1", 10_000)  # reported once more, by the reference that ann had
    assert (again.is_new, again.purchase_id, again.member_id) == (False, first.purchase_id, eve)
    assert points_of(again) == 100
    assert (await shop.buy("3", 500)).member_id == eve
    rows = await read_purchases(db, shop.brand.id, [eve, ann], before=None, limit=10)
    assert [row.purchase_ref for owner, row in rows if owner == eve] == ["3", "2", "1"]
    await shop.check_books()


async def test_what_was_unlocked_between_two_merges_is_taken_back(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(CHANCES, 1, FOLLOW)], policy=UNLIMITED)
    await shop.buy("1", 10_000)
    await shop.buy("2", 0, "eve")
    await shop.buy("3", 0, "zoe")
    ann, eve, zoe = (shop.members[who] for who in ("ann", "eve", "zoe"))
    await shop.run(merge_members, shop.actor, from_member_id=ann, into_member_id=eve, reason="one")
    await shop.run(report_action, shop.actor, eve, "follow")
    await shop.run(merge_members, shop.actor, from_member_id=eve, into_member_id=zoe, reason="one")
    assert [(e.asset, e.amount) for e in (await shop.buy("1", 10_000)).earned] == [(CHANCES, 100)]
    assert (await shop.give_back("1", "R1")).takings == {CHANCES: Taking(taken=100)}
    assert await shop.balances("zoe") == {}
    await shop.check_books()


async def test_the_auditor_knows_what_a_merge_has_locked_anew_of_a_return(
    clocked_db: Database,
) -> None:
    """Also where both happen in one instant."""
    shop = await open_shop(clocked_db)
    await shop.publish([per_unit(CHANCES, 1, FOLLOW)])
    await shop.buy("1", 10_000)
    await shop.buy("2", 0, "eve")
    await shop.give_back("1", "R1", 2_500)
    ann, eve = shop.members["ann"], shop.members["eve"]
    await shop.run(merge_members, shop.actor, from_member_id=ann, into_member_id=eve, reason="one")
    assert await shop.balances("eve") == {CHANCES: (0, 75)}
    await shop.check_books()


async def test_a_frozen_members_purchase_may_be_given_back(db: Database) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 1_000)
    await shop.run(freeze_member, shop.actor, shop.members["ann"], "fraud")
    unpaid = await shop.buy("2", 1_000)
    assert unpaid.earned == ()
    assert (await shop.give_back("2", "R1")).takings == {}
    await shop.give_back("1", "R2")
    assert await shop.balances() == {}
    await shop.check_books()
