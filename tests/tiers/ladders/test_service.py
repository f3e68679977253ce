"""Publishing ladders and seeing before who would move."""

from collections import Counter
from datetime import date

import pytest

from loyalty.actor import system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput, LadderLowersMembers, NotFound
from loyalty.outbox import OutboxEvent
from tests.clocks import SettableClock
from tests.statement_log import statements_told
from tests.tiers.standings.members import ROLE, add_members, bought, brand_with, fold, publish, rows
from tests.tiers.standings.timelines import (
    BALANCE_DROP,
    JOIN_MONTH,
    MONTH,
    PERIOD_END,
    levels,
    noon,
)
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderPolicy, Level
from tiers.ladders.service import preview_ladder
from tiers.standings.models import Standing, StandingChange
from tiers.standings.previewing import LadderMove
from tiers.standings.reevaluation import re_evaluate

SPEND = LadderPolicy(TierMetric.SPEND, None, MONTH)
ABC = levels(0, 100, 300)


def named(codes: str, *thresholds: int) -> list[Level]:
    return [
        Level(rank, code, "级", "Level", threshold, 100)
        for rank, (code, threshold) in enumerate(zip(codes, thresholds, strict=True))
    ]


def said(moves: list[LadderMove]) -> list[tuple[str | None, str, int, bool]]:
    return [
        (
            move.from_level.code if move.from_level else None,
            move.to_level.code,
            move.members,
            move.lowers,
        )
        for move in moves
    ]


async def test_levels_keep_their_holders_when_one_is_put_between(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, named("ABC", 0, 100, 300), SPEND)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 3)
    spent = zip(ids, (50, 100, 300), strict=True)
    await db.in_transaction(
        fold, brand.id, rules, [(id, bought(clock.at, fen)) for id, fen in spent]
    )
    await publish(db, brand, named("AXBC", 0, 80, 100, 300), SPEND)
    ranks = {row.member_id: row.rank for row in await rows(db, Standing)}
    assert [ranks[id] for id in ids] == [0, 2, 3]
    changes = await rows(db, StandingChange)
    assert Counter(c.reason for c in changes) == {"EARNED": 2, "LADDER": 2}
    # Another number is no fact: they were told of B and C, and hold them.
    assert Counter(e.topic for e in await rows(db, OutboxEvent))["tier.lowered"] == 0


async def test_a_level_that_is_gone_lowers_only_if_that_is_said(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, named("ABC", 0, 100, 300), SPEND)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 3)
    spent = zip(ids, (100, 100, 300), strict=True)
    await db.in_transaction(
        fold, brand.id, rules, [(id, bought(clock.at, fen)) for id, fen in spent]
    )
    with pytest.raises(LadderLowersMembers) as refused:
        await publish(db, brand, named("AC", 0, 300), SPEND)
    assert refused.value.details == {"members": 2}
    await publish(db, brand, named("AC", 0, 300), SPEND, allow_lowering=True)
    ranks = {row.member_id: row.rank for row in await rows(db, Standing)}
    assert [ranks[id] for id in ids] == [0, 0, 1]
    lowered = [e.subject_id for e in await rows(db, OutboxEvent) if e.topic == "tier.lowered"]
    assert Counter(lowered) == Counter(ids[:2])


async def test_levels_that_end_on_a_drop_lower_nobody_in_silence(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, ABC, SPEND)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 2)
    await db.in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 120)) for id in ids])
    drops = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=BALANCE_DROP)
    with pytest.raises(LadderLowersMembers) as refused:
        await publish(db, brand, levels(0, 200, 300), drops)
    assert refused.value.details == {"members": 2}
    await publish(db, brand, levels(0, 120, 300), drops)  # they have enough
    await publish(db, brand, levels(0, 200, 300), drops, allow_lowering=True)
    while (chunk := await db.in_transaction(re_evaluate, 1)) and chunk.is_more_to_do:
        pass
    assert {row.rank for row in await rows(db, Standing)} == {0}


@pytest.mark.parametrize(
    ("wanted", "policy", "moves"),
    [
        (ABC, SPEND, []),
        (levels(0, 20, 300), SPEND, [("L0", "L1", 2, False)]),
        # Of last month nothing counts any more, and what it gave without end stays.
        (levels(0, 60, 120), SPEND, [("L0", "L1", 1, False), ("L1", "L2", 1, False)]),
        (levels(0, 100), SPEND, [("L2", "L1", 1, True)]),
        (
            levels(0, 10, 30),
            LadderPolicy(TierMetric.SPEND, None, JOIN_MONTH, ends=PERIOD_END),
            [("L0", "L2", 2, False), ("L1", "L2", 1, False)],
        ),
        (
            levels(0, 100, 300),
            LadderPolicy(TierMetric.SCANS, None, MONTH, ends=BALANCE_DROP),
            [("L1", "L0", 1, True), ("L2", "L0", 1, True)],
        ),
        (levels(0, 100, 300), LadderPolicy(), []),
    ],
)
async def test_a_preview_tells_who_would_move_and_moves_nobody(
    clocked_db: Database,
    clock: SettableClock,
    wanted: tuple[Level, ...],
    policy: LadderPolicy,
    moves: list[tuple[str, str, int, bool]],
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, ABC, SPEND)
    ids = await db.in_transaction(add_members, brand.id, [noon(date(2026, 10, 20))] * 5)
    last_month = noon(date(2026, 10, 30))
    spent = [
        (ids[0], bought(clock.at, 30)),
        (ids[1], bought(clock.at, 60)),
        (ids[2], bought(clock.at, 120)),
        (ids[3], bought(last_month, 300)),
    ]
    await db.in_transaction(fold, brand.id, rules, spent)
    before = await rows(db, Standing)
    actor = system_actor(brand.id)
    async with db.snapshot() as snapshot:
        found = await preview_ladder(
            snapshot, actor, role=ROLE, levels=wanted, policy=policy, sample_max=1
        )
    assert said(found) == moves
    assert [len(move.sample) for move in found] == [1] * len(found)
    assert await rows(db, Standing) == before
    # Publishing and the run after it do what was foretold.
    await publish(db, brand, wanted, policy, allow_lowering=True)
    while (chunk := await db.in_transaction(re_evaluate, 2)) and chunk.is_more_to_do:
        pass
    after = {row.member_id: row.rank for row in await rows(db, Standing)}
    was = {row.member_id: row.rank for row in before}
    moved = Counter(
        (f"L{was.get(id, 0)}", wanted[after.get(id, 0)].code)
        for id in ids
        if was.get(id, 0) != after.get(id, 0)
    )
    assert moved == {(move[0], move[1]): move[2] for move in moves}


async def test_a_preview_is_the_same_statements_for_any_number_of_members(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    counts = []
    for size in (1, 200):
        brand, rules = await brand_with(db, ABC, SPEND)
        ids = await db.in_transaction(add_members, brand.id, [clock.at] * size)
        await db.in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 60)) for id in ids])

        async def count(tx: Tx, brand: Brand = brand, size: int = size) -> int:
            async with statements_told(tx) as told:
                moves = await preview_ladder(
                    tx, system_actor(brand.id), role=ROLE, levels=levels(0, 50), policy=SPEND
                )
            assert said(moves) == [("L0", "L1", size, False)]
            return len(told)

        counts.append(await db.in_transaction(count))
    assert counts[0] == counts[1] <= 4  # brand, ladders, members, days


async def test_a_ladder_of_an_asset_that_is_none_is_refused(db: Database) -> None:
    brand, _ = await brand_with(db, ABC)
    with pytest.raises(NotFound):
        await publish(db, brand, ABC, LadderPolicy(TierMetric.EARNED, "STARS", MONTH))
    with pytest.raises(InvalidInput):
        await publish(db, brand, ABC, LadderPolicy(TierMetric.SPEND))
