"""The re-evaluation of standings: the same answer as replaying each member alone, in chunks of a
constant number of statements, resumed wherever it was stopped."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.actor import system_actor
from loyalty.assets.rules import Unit
from loyalty.clock import day_start
from loyalty.db import Database, RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Account
from loyalty.outbox import OutboxEvent
from tests.clocks import SettableClock
from tests.statement_log import statements_told
from tests.tiers.standings.members import add_members, bought, brand_with, fold, publish, rows
from tests.tiers.standings.timelines import (
    BALANCE_DROP,
    MONTH,
    NEXT_PERIOD_END,
    PERIOD_END,
    ZONE,
    Timeline,
    levels,
    noon,
)
from tiers.ladders.models import Downgrade, PeriodKind, TierEnd, TierMetric, TierStart
from tiers.ladders.periods import Grace, PeriodRule
from tiers.ladders.rules import LadderPolicy, LadderView, Level
from tiers.standings.folding import MemberTier, TierEvent
from tiers.standings.loading import BrandTiers, load_tiers
from tiers.standings.models import ReEvaluation, Standing, StandingChange
from tiers.standings.reevaluation import begin_runs, find_open_run, re_evaluate, re_evaluate_chunk
from tiers.standings.service import grant_tier

FIRST = date(2026, 1, 28)
STATEMENTS_MAX = 12
LEVELS = levels(0, 100, 300, 1000)
PERIODS = st.one_of(
    st.sampled_from([Unit.MONTH, Unit.QUARTER]).map(
        lambda unit: PeriodRule(PeriodKind.CALENDAR, unit)
    ),
    st.integers(5, 40).map(lambda n: PeriodRule(PeriodKind.ROLLING, Unit.DAY, n)),
    st.integers(1, 2).map(lambda n: PeriodRule(PeriodKind.JOIN, Unit.MONTH, n)),
)


@st.composite
def policies(draw: st.DrawFn) -> LadderPolicy:
    period = draw(PERIODS)
    ends = draw(st.sampled_from(TierEnd))
    waits = period.kind is not PeriodKind.ROLLING and draw(st.booleans())
    grace = draw(st.none() | st.builds(Grace, st.integers(0, 1), st.integers(1, 20)))
    metric = draw(st.sampled_from(TierMetric))
    return LadderPolicy(
        metric,
        "POINTS" if metric is TierMetric.EARNED else None,
        period,
        TierStart.NEXT_PERIOD if waits else TierStart.AT_ONCE,
        ends,
        None if ends is TierEnd.NEVER else grace,
        draw(st.sampled_from(Downgrade)),
    )


# (days after FIRST, member, what it spends); below zero: of the growth balance as well.
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 120),
        st.integers(0, 3),
        st.sampled_from([40, 60, 120, 350, 1000, -50, -200]),
    ),
    min_size=4,
    max_size=25,
)


# (days after FIRST, member, the rank that an operator gives, for so many days)
GRANTS = st.lists(
    st.tuples(st.integers(0, 120), st.integers(0, 3), st.integers(1, 3), st.integers(0, 40)),
    max_size=4,
)


def levels_for(metric: TierMetric) -> Sequence[Level]:
    """Levels that some of the events reach, others not."""
    counts_times = metric in (TierMetric.SCANS, TierMetric.VISITS)
    return levels(0, 1, 3, 5) if counts_times else LEVELS


def added(amount: int, balance: int) -> dict[str, Any]:
    """An event that counts for every metric; below zero it takes back."""
    sign = 1 if amount > 0 else -1
    return {
        "balance": balance,
        "earned": {"POINTS": amount},
        "spend_fen": amount,
        "scans": sign,
        "visit": amount > 0,
    }


async def run_due(db: Database, chunk: int) -> None:
    """As the worker does, in small chunks."""
    for _ in range(500):
        done = await db.in_transaction(re_evaluate, chunk)
        if done is None or not done.is_more_to_do:
            return
    raise AssertionError("the runs do not end")


def told(tier: MemberTier) -> tuple[Any, ...]:
    held = tier.held
    return (held, tier.rank, held.basis, held.held_until)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=policies(),
    events=EVENTS,
    grants=GRANTS,
    nights=st.sets(st.integers(1, 125), max_size=12),
    chunk=st.integers(1, 3),
)
async def test_runs_in_chunks_leave_what_replaying_each_member_alone_does(
    clocked_db: Database,
    clock: SettableClock,
    policy: LadderPolicy,
    events: list[tuple[int, int, int]],
    grants: list[tuple[int, int, int, int]],
    nights: set[int],
    chunk: int,
) -> None:
    db = clocked_db
    clock.set(noon(FIRST))
    joined = [noon(FIRST + timedelta(days=n)) for n in (0, 3, 3, 4)]
    brand, rules = await brand_with(db, levels_for(policy.metric), policy)
    ids = await db.in_transaction(add_members, brand.id, joined)
    lives = [Timeline(rules.ladders["CONSUMER"], at.date()) for at in joined]
    balances: Counter[int] = Counter()
    by_day: dict[int, list[tuple[int, int]]] = {}
    for after, member, amount in events:
        by_day.setdefault(after, []).append((member, amount))
    for number in sorted({*by_day, *nights, *(after for after, *_ in grants), 126}):
        day = FIRST + timedelta(days=number)
        if number in nights or number == 126:
            clock.set(day_start(day, ZONE))
            await run_due(db, chunk)
        clock.set(noon(day))
        batch = []
        for member, amount in by_day.get(number, ()):
            balances[member] = max(0, balances[member] + amount)
            counted = added(amount, balances[member])
            batch.append((ids[member], TierEvent(noon(day), "PURCHASE", new_id(), **counted)))
            lives[member].event(day, **counted)
        if batch:
            await db.in_transaction(fold, brand.id, rules, batch)
        for member in {member for member, _ in by_day.get(number, ())}:
            await db.in_transaction(set_growth, brand.id, ids[member], balances[member])
        for after, member, rank, days in grants:
            if after == number:
                until = day + timedelta(days=days)
                given: dict[str, Any] = {"rank": rank, "until": until, "reason": "because"}
                actor = system_actor(brand.id)
                await db.in_transaction(grant_tier, actor, member_id=ids[member], **given)
                lives[member].grant(day, rank, until)
    last = FIRST + timedelta(days=126)
    for life in lives:
        life.on(last)
    wanted = [(brand.id, id, last) for id in ids]
    found = await db.in_transaction(load_tiers, {brand.id: rules}, wanted)
    for id, life in zip(ids, lives, strict=True):
        assert told(found[brand.id, id]) == told(life.tier)
        changes = await rows(db, StandingChange, member_id=id)
        assert [(c.from_rank, c.to_rank, c.reason, c.occurred_at) for c in changes] == [
            (c.from_rank, c.to_rank, c.reason, c.occurred_at) for c in life.tier.changes
        ]
        held = {row.rank for row in await rows(db, Standing, member_id=id)}
        assert held <= {life.tier.rank}


async def set_growth(tx: Tx, brand_id: UUID, member_id: UUID, balance: int) -> None:
    account = Account(
        brand_id=brand_id,
        id=member_id,
        owner_id=member_id,
        asset="GROWTH",
        credits_posted=balance,
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(account):
        row = await tx.session.get(Account, (brand_id, member_id))
        assert row is not None
        row.credits_posted = balance
        await tx.session.flush()


MONTHLY = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=PERIOD_END)


async def lived(
    db: Database, clock: SettableClock, policy: LadderPolicy, count: int
) -> tuple[Any, BrandTiers, list[UUID]]:
    """A brand whose members have all risen on 9 November 2026."""
    clock.set(datetime(2026, 11, 9, 4, tzinfo=UTC))
    brand, rules = await brand_with(db, LEVELS, policy)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * count)
    events = [(id, bought(clock.at, 300)) for id in ids]
    await db.in_transaction(fold, brand.id, rules, events)
    return brand, rules, ids


async def test_a_run_goes_on_where_it_was_stopped_and_tells_how_far_it_is(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _, ids = await lived(db, clock, MONTHLY, 7)
    assert await db.in_transaction(re_evaluate, 3) is None  # nothing is due: begun and ended
    clock.set(datetime(2026, 11, 30, 15, 59, tzinfo=UTC))  # a minute before midnight in Shanghai
    assert await db.in_transaction(re_evaluate, 3) is None
    clock.advance(minutes=1)
    first = await db.in_transaction(re_evaluate, 3)
    assert first is not None
    assert (first.rows_now, first.rows_done, first.rows_total, first.rows_moved) == (3, 3, 7, 3)
    assert not first.is_finished and first.is_more_to_do

    async def dies(tx: Tx) -> None:
        await re_evaluate(tx, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await db.in_transaction(dies)
    found = [await db.in_transaction(re_evaluate, 3) for _ in range(3)]
    assert [chunk and (chunk.rows_done, chunk.is_finished) for chunk in found] == [
        (6, False),
        (7, True),
        None,
    ]
    assert {row.rank for row in await rows(db, Standing, brand_id=brand.id)} == {0}
    [run] = [run for run in await rows(db, ReEvaluation, brand_id=brand.id) if run.rows_total]
    assert (run.rows_done, run.rows_moved, run.name) == (7, 7, "DUE 2026-12-01")
    assert run.finished_at is not None
    lowered = [e for e in await rows(db, OutboxEvent) if e.topic == "tier.lowered"]
    assert Counter(e.subject_id for e in lowered) == Counter(ids)


async def test_each_brand_has_its_own_midnight(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    east, _, _ = await lived(db, clock, MONTHLY, 1)
    west, _, _ = await lived(db, clock, MONTHLY, 1)
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql(
            f"UPDATE brands SET timezone = 'America/New_York' WHERE slug = '{west.slug}'"
        )
    clock.set(datetime(2026, 11, 30, 16, tzinfo=UTC))
    await run_due(db, 10)

    async def ranks() -> list[int]:
        found = [await rows(db, Standing, brand_id=brand.id) for brand in (east, west)]
        return [standings[0].rank for standings in found]

    assert await ranks() == [0, 2]
    clock.set(datetime(2026, 12, 1, 4, 59, tzinfo=UTC))
    await run_due(db, 10)
    assert await ranks() == [0, 2]
    clock.advance(minutes=1)
    await run_due(db, 10)
    assert await ranks() == [0, 0]


async def test_a_chunk_is_the_same_statements_whatever_its_size(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _, _ = await lived(db, clock, MONTHLY, 45)
    clock.set(datetime(2026, 11, 30, 16, tzinfo=UTC))
    await db.in_transaction(begin_runs, brand.id)
    counts = []
    for size in (2, 40):

        async def look(tx: Tx, size: int = size) -> None:
            run = await find_open_run(tx, brand.id)
            assert run is not None
            async with statements_told(tx) as told:
                chunk = await re_evaluate_chunk(tx, run, size)
            assert (chunk.rows_now, chunk.rows_moved) == (size, size if size == 2 else 42)
            counts.append(len(told))

        await db.in_transaction(look)
    # The brand and its ladders; due, accounts, tiers, days; standings, changes, facts; the run.
    assert counts[0] == counts[1] <= STATEMENTS_MAX


async def test_who_is_overtaken_begins_again(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    brand, _, _ = await lived(db, clock, MONTHLY, 3)
    clock.set(datetime(2026, 11, 30, 16, tzinfo=UTC))
    await db.in_transaction(begin_runs, brand.id)
    async with db.snapshot() as snapshot:
        stale = await find_open_run(snapshot, brand.id)
    assert stale is not None
    await db.in_transaction(re_evaluate, 2)

    async def go_on(tx: Tx) -> None:
        with pytest.raises(RetryTransaction):
            await re_evaluate_chunk(tx, stale, 2)
        raise AssertionError("rolled back")

    with pytest.raises(AssertionError, match="rolled back"):
        await db.in_transaction(go_on)


async def test_growth_that_expired_without_an_event_is_found(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    policy = LadderPolicy(ends=BALANCE_DROP)
    brand, rules = await brand_with(db, LEVELS, policy)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 3)
    for id in ids:
        await db.in_transaction(set_growth, brand.id, id, 300)
        event = TierEvent(clock.at, "SCAN", new_id(), balance=300)
        await db.in_transaction(fold, brand.id, rules, [(id, event)])
    await db.in_transaction(set_growth, brand.id, ids[1], 100)
    clock.advance(days=1)
    # Not before its lots are swept: what expires tonight is not gone yet.
    assert await db.in_transaction(re_evaluate, 10) is None
    await db.in_transaction(begin_runs, brand.id)
    run = await db.in_transaction(find_open_run, brand.id)
    assert run is not None and (run.kind, run.rows_total) == ("RANKED", 1)
    chunk = await db.in_transaction(re_evaluate_chunk, run, 10)
    assert (chunk.rows_now, chunk.rows_moved, chunk.is_finished) == (1, 1, True)
    ranks = [(await rows(db, Standing, member_id=id))[0].rank for id in ids]
    assert ranks == [2, 1, 2]


async def test_a_published_ladder_has_every_member_looked_at(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _, ids = await lived(db, clock, LadderPolicy(TierMetric.SPEND, None, MONTH), 5)
    [standing, *_] = await rows(db, Standing, brand_id=brand.id)
    assert (standing.rank, standing.held_until) == (2, None)
    ended = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=NEXT_PERIOD_END)
    ladder: LadderView = await publish(db, brand, levels(0, 100, 200, 290), ended)
    assert ladder.version == 3
    await run_due(db, 2)
    standings = await rows(db, Standing, brand_id=brand.id)
    assert {(s.rank, s.held_until) for s in standings} == {(3, date(2026, 12, 31))}
    changes = await rows(db, StandingChange, member_id=ids[0])
    assert [(c.reason, c.to_rank, c.ladder_id) for c in changes][1:] == [("LADDER", 3, ladder.id)]
