"""Levels given by hand, members that become one, and both beside events and runs."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput, LevelByInvitation, NotFound, Refusal
from loyalty.ids import new_id
from loyalty.ledger.rules import Book
from loyalty.outbox import OutboxEvent
from tests.clocks import SettableClock
from tests.tiers.standings.members import add_members, bought, brand_with, fold, rows
from tests.tiers.standings.timelines import MONTH, NEXT_PERIOD_END, PERIOD_END, levels
from tiers.ladders.models import TierMetric
from tiers.ladders.rules import LadderPolicy
from tiers.standings.folding import TierEvent
from tiers.standings.models import QualifyingDay, Standing, StandingChange
from tiers.standings.reevaluation import re_evaluate
from tiers.standings.service import end_tier_grant, grant_tier, invite_to_tier, merge_tiers

LEVELS = levels(0, 100, -1, 300)
SPEND = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=PERIOD_END)
TODAY = date(2026, 11, 9)
CHRISTMAS = date(2026, 12, 24)


async def test_a_grant_is_held_to_its_day_told_and_written_down(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _ = await brand_with(db, LEVELS, SPEND)
    [id] = await db.in_transaction(add_members, brand.id, [clock.at])
    actor = system_actor(brand.id)
    await db.in_transaction(
        grant_tier, actor, member_id=id, rank=3, until=CHRISTMAS, reason=" an apology "
    )
    [standing] = await rows(db, Standing, member_id=id)
    assert (standing.rank, standing.basis, standing.held_until) == (3, "GRANTED", CHRISTMAS)
    [change] = await rows(db, StandingChange, member_id=id)
    assert (change.from_rank, change.to_rank, change.note) == (0, 3, "an apology")
    [fact] = [e for e in await rows(db, OutboxEvent) if e.topic == "tier.reached"]
    assert fact.payload == {
        "from_rank": 0,
        "to_rank": 3,
        "code": "L3",
        "change_id": change.id.hex,
        "direction": "UP",
        "reason": "GRANTED",
        "occurred_at": change.occurred_at.isoformat(),
    }
    entries = [e for e in await rows(db, AuditLogEntry) if e.action == "grantTier"]
    assert [(e.subject_id, e.reason, e.details["until"]) for e in entries] == [
        (id, "an apology", "2026-12-24")
    ]
    clock.set(datetime(2026, 12, 24, 16, tzinfo=UTC))  # the first moment after its last day
    assert await db.in_transaction(re_evaluate, 10) is not None
    [standing] = await rows(db, Standing, member_id=id)
    assert (standing.rank, standing.basis, standing.grant_rank) == (0, "EARNED", None)
    assert [c.reason for c in await rows(db, StandingChange)] == ["GRANTED", "GRANT_ENDED"]


async def test_an_invitation_stays_until_it_is_taken_back(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, rules = await brand_with(db, LEVELS, SPEND)
    [id] = await db.in_transaction(add_members, brand.id, [clock.at])
    actor = system_actor(brand.id)
    await db.in_transaction(
        invite_to_tier, actor, member_id=id, rank=2, until=None, reason="a friend of the house"
    )
    [standing] = await rows(db, Standing, member_id=id)
    assert (standing.rank, standing.basis, standing.held_until) == (2, "INVITED", None)
    await db.in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 150))])
    await db.in_transaction(end_tier_grant, actor, member_id=id, reason="no more")
    [standing] = await rows(db, Standing, member_id=id)
    assert (standing.rank, standing.basis, standing.held_until) == (1, "EARNED", date(2026, 11, 30))
    changes = await rows(db, StandingChange, member_id=id)
    assert [(c.to_rank, c.reason, c.note) for c in changes] == [
        (2, "INVITED", "a friend of the house"),
        (1, "GRANT_ENDED", "no more"),
    ]


async def test_what_is_no_grant_is_refused_and_changes_nothing(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _ = await brand_with(db, LEVELS, SPEND)
    [id] = await db.in_transaction(add_members, brand.id, [clock.at])
    actor = system_actor(brand.id)

    async def refused(verb: object, **more: object) -> Refusal:
        terms = {"member_id": id, "rank": 1, "until": CHRISTMAS, "reason": "why"} | more
        with pytest.raises(Refusal) as found:
            await db.in_transaction(verb, actor, **terms)  # type: ignore[arg-type]
        return found.value

    assert isinstance(await refused(grant_tier, rank=2), LevelByInvitation)
    assert isinstance(await refused(invite_to_tier, rank=1), LevelByInvitation)
    for rank in (-1, 0, 4):
        assert isinstance(found := await refused(grant_tier, rank=rank), NotFound)
        assert found.details == {"noun": "level"}
    yesterday = TODAY - timedelta(days=1)
    assert (await refused(grant_tier, until=yesterday)).details["field"] == "until"
    assert (await refused(invite_to_tier, rank=2, until=yesterday)).details["field"] == "until"
    assert (await refused(grant_tier, reason=" ")).details["field"] == "reason"
    assert (await refused(grant_tier, member_id=new_id())).details == {"noun": "member"}
    with pytest.raises(NotFound):
        await db.in_transaction(end_tier_grant, actor, member_id=id, reason="why")
    with pytest.raises(InvalidInput):
        await db.in_transaction(end_tier_grant, actor, member_id=id, reason="\0")
    assert not await rows(db, Standing) and not await rows(db, StandingChange)


async def test_today_is_a_last_day_too(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    brand, _ = await brand_with(db, LEVELS, SPEND)
    [id] = await db.in_transaction(add_members, brand.id, [clock.at])
    tier = await db.in_transaction(
        grant_tier, system_actor(brand.id), member_id=id, rank=1, until=TODAY, reason="a day"
    )
    assert (tier.rank, tier.held.due_on) == (1, TODAY + timedelta(days=1))


async def test_grants_events_and_runs_at_once_lose_nothing_of_each_other(
    clocked_db: Database, database_url: str, clock: SettableClock
) -> None:
    """At midnight everybody's level ends, while an operator grants and members buy."""
    db = clocked_db
    brand, rules = await brand_with(db, LEVELS, SPEND)
    ids = await db.in_transaction(add_members, brand.id, [clock.at] * 12)
    events = [(id, bought(clock.at, 100)) for id in ids]
    await db.in_transaction(fold, brand.id, rules, events)
    clock.set(datetime(2026, 11, 30, 16, tzinfo=UTC))
    granted, buying = ids[::3], ids[1::3]
    actor = system_actor(brand.id)
    rivals = [Database(database_url, clock=clock) for _ in range(3)]

    async def run() -> None:
        while (chunk := await rivals[0].in_transaction(re_evaluate, 2)) and chunk.is_more_to_do:
            pass

    async def grant() -> None:
        for id in granted:
            await rivals[1].in_transaction(
                grant_tier, actor, member_id=id, rank=3, until=CHRISTMAS, reason="why"
            )

    async def buy() -> None:
        for id in reversed(buying):
            await rivals[2].in_transaction(fold, brand.id, rules, [(id, bought(clock.at, 300))])

    try:
        await asyncio.gather(run(), grant(), buy())
    finally:
        for rival in rivals:
            await rival.close()
    standings = {row.member_id: row for row in await rows(db, Standing, brand_id=brand.id)}
    for id in ids:
        standing = standings[id]
        wanted = (
            (3, "GRANTED") if id in granted else (3, "EARNED") if id in buying else (0, "EARNED")
        )
        assert (standing.rank, standing.basis) == wanted
        # Each fell at midnight, whoever saw it first, and the history leads to the standing.
        changes = await rows(db, StandingChange, member_id=id)
        assert [c.reason for c in changes].count("LAPSED") == 1
        assert sum(c.to_rank - c.from_rank for c in changes) == standing.rank
        assert standing.earned_rank == (3 if id in buying else 0)


async def become_one(tx: Tx, brand_id: UUID, old: UUID, kept: UUID) -> None:
    """Two members with nothing that moves."""
    merge = TierEvent(tx.now, "MERGE", new_id())
    await merge_tiers(tx, brand_id, from_id=old, into_id=kept, merge=merge, book=Book(new_id))


async def test_members_that_become_one_add_up(clocked_db: Database, clock: SettableClock) -> None:
    db = clocked_db
    policy = LadderPolicy(TierMetric.SPEND, None, MONTH, ends=NEXT_PERIOD_END)
    brand, rules = await brand_with(db, LEVELS, policy)
    old, kept, other = await db.in_transaction(add_members, brand.id, [clock.at] * 3)
    day_before = clock.at - timedelta(days=1)
    spent = [
        (old, bought(day_before, 120)),
        (old, bought(clock.at, 60)),
        (kept, bought(clock.at, 130)),
    ]
    await db.in_transaction(fold, brand.id, rules, [*spent, (other, bought(clock.at, 5))])
    await db.in_transaction(
        grant_tier, system_actor(brand.id), member_id=old, rank=1, until=CHRISTMAS, reason="why"
    )
    await db.in_transaction(become_one, brand.id, old, kept)
    standings = {row.member_id: row for row in await rows(db, Standing, brand_id=brand.id)}
    assert (standings[kept].rank, standings[kept].grant_until) == (3, CHRISTMAS)
    assert (standings[old].rank, standings[old].grant_rank, standings[old].due_on) == (
        0,
        None,
        None,
    )
    days = {(row.member_id, row.day): row.amount for row in await rows(db, QualifyingDay)}
    assert days == {
        (kept, TODAY - timedelta(days=1)): 120,
        (kept, TODAY): 190,
        (other, TODAY): 5,
    }
    merged = [c for c in await rows(db, StandingChange) if c.reason == "MERGED"]
    assert {(c.member_id, c.from_rank, c.to_rank) for c in merged} == {(old, 1, 0), (kept, 1, 3)}


async def test_two_who_hold_nothing_may_hold_something_together(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    policy = LadderPolicy(TierMetric.SPEND, None, MONTH)
    brand, rules = await brand_with(db, levels(0, 100), policy)
    old, kept = await db.in_transaction(add_members, brand.id, [clock.at] * 2)
    spent = [(id, bought(clock.at, 60)) for id in (old, kept)]
    await db.in_transaction(fold, brand.id, rules, spent)
    await db.in_transaction(become_one, brand.id, old, kept)
    ranks = {row.member_id: row.rank for row in await rows(db, Standing)}
    assert (ranks.get(old, 0), ranks[kept]) == (0, 1)


async def test_the_better_standing_stays_when_members_become_one(
    clocked_db: Database, clock: SettableClock
) -> None:
    db = clocked_db
    brand, _ = await brand_with(db, levels(0, 100, 300), LadderPolicy())
    old, kept = await db.in_transaction(add_members, brand.id, [clock.at] * 2)

    async def hold(tx: Tx) -> None:
        for id, rank in ((old, 2), (kept, 1)):
            await tx.add(
                Standing(brand_id=brand.id, member_id=id, rank=rank, earned_rank=rank, since=tx.now)
            )

    await db.in_transaction(hold)
    await db.in_transaction(become_one, brand.id, old, kept)
    ranks = {row.member_id: row.rank for row in await rows(db, Standing)}
    assert ranks == {old: 0, kept: 2}
