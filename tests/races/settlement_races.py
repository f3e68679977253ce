"""Races of workers that settle, pay and do periodic work; as ``scan_races.py``. What is raced is
the engine in processes of its own (``engine_tasks.py``), beside the workers inside the servers."""

import asyncio
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from functools import wraps
from uuid import UUID

from loyalty import outbox, periodic
from loyalty.db import Tx
from loyalty.ledger.models import Account, Transfer
from loyalty.outbox import Leased
from loyalty.periodic import LeasedJob
from rewards.payouts.models import Payout, PayoutReport
from rewards.redemptions.models import Redemption
from rewards.redemptions.service import CAPTURED_TOPIC
from tests.races.arena import Arena, Broken, Race
from tests.races.engine_tasks import (
    EngineProcess,
    engine_process,
    lease_job,
    open_payout,
    renew_job,
    report_paid,
    settle_again,
)
from tests.races.stage import Stage
from tests.rewards.payouts.stores import set_place
from tests.rewards.redemptions.chains import Chain, open_chain, take_all, win_coupons
from tests.rewards.redemptions.shops import REBATE_FEN

SETTLED_SECONDS_MAX = 60
COUPONS = 10


async def _open(arena: Arena, name: str) -> tuple[Stage, Chain]:
    """A store that nobody pays yet: it has no payee."""
    stage = arena.stage(name)
    chain = await arena.db.in_transaction(
        open_chain,
        stage.keyring,
        stage.slug,
        places=1,
        coupons=COUPONS,
        payout_threshold_fen=REBATE_FEN,
        payees=False,
    )
    stage.brand_id = chain.brand.id
    return stage, chain


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        while not await is_so():  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.05)


async def _all_settled(stage: Stage) -> None:
    async def are_settled() -> bool:
        return all(row.settled_at is not None for row in await stage.rows(Redemption))

    await _until(are_settled)


async def _account(stage: Stage, kind: str) -> tuple[int, int]:
    """(balance, pending debits) of the store's account, or of what has left (PAYOUT)."""
    (row,) = [row for row in await stage.rows(Account) if row.kind == kind]
    return row.credits_posted - row.debits_posted, row.debits_pending


def with_engine(race: Callable[[Arena, EngineProcess, int], Awaitable[Broken]]) -> Race:
    """A race that has an engine beside the servers, which starts while the stage is built."""

    @wraps(race)
    async def run(arena: Arena, size: int) -> Broken:
        async with engine_process(arena) as engine:
            return await race(arena, engine, size)

    return run


@with_engine
async def paused_worker_settles_nothing(arena: Arena, engine: EngineProcess, size: int) -> Broken:
    """A worker leases captures and is paused; others settle them; then it goes on."""
    broken = Broken()
    stage, chain = await _open(arena, "late")
    coupons = await win_coupons(arena.db, chain, COUPONS)

    async def take_and_lease(tx: Tx) -> tuple[UUID, list[Leased]]:
        # In one transaction, so that it has them first; its lease is over at once.
        await take_all(tx, chain.counters[0], coupons)
        token, events = await outbox.lease(tx, batch_size_max=10_000, lease_seconds=0)
        own = (CAPTURED_TOPIC, chain.brand.id)
        return token, [event for event in events if (event.topic, event.brand_id) == own]

    token, events = await arena.db.in_transaction(take_and_lease)
    await _all_settled(stage)
    ids = [event.id.hex for event in events]
    said = await engine.run(settle_again, 1, token.hex, *ids)
    broken.unless(said == ["StaleLease"], f"the paused worker is refused, not {said}")
    posted = [row for row in await stage.rows(Transfer) if row.phase == "POST"]
    broken.unless(len(posted) == COUPONS, f"{COUPONS} rebates are posted, not {len(posted)}")
    balance, _ = await _account(stage, "PLACE")
    broken.unless(balance == COUPONS * REBATE_FEN, f"the store has its rebates once, not {balance}")
    return broken


@with_engine
async def one_payout_is_made_and_ends_once(
    arena: Arena, engine: EngineProcess, size: int
) -> Broken:
    """A store has enough, and many workers see it: one pays. Then its provider says many times
    that it has paid: the money leaves once."""
    broken = Broken()
    stage, chain = await _open(arena, "payout")
    coupons = await win_coupons(arena.db, chain, COUPONS)
    await arena.db.in_transaction(take_all, chain.counters[0], coupons)
    await _all_settled(stage)
    place = chain.counters[0].place
    await arena.db.in_transaction(set_place, place, payee="wallet-of-race-0001")
    words = (place.brand_id.hex, place.id.hex)
    looked = Tally(await engine.run(open_payout, size, *words))
    broken.unless(looked == Tally({"looked": size}), f"whoever comes late finds it: {dict(looked)}")
    payouts = await stage.rows(Payout)
    broken.unless(len(payouts) == 1, f"one payout is made, not {len(payouts)}")
    held = await _account(stage, "PLACE")
    total_fen = COUPONS * REBATE_FEN
    broken.unless(held == (total_fen, total_fen), f"all of it is held once, not {held}")

    words = (payouts[0].number, str(payouts[0].amount_fen))
    told = Tally(await engine.run(report_paid, size, *words))
    broken.unless(told == Tally({"recorded": size}), f"each report is recorded: {dict(told)}")
    reports = [row for row in await stage.rows(PayoutReport) if row.payout_id == payouts[0].id]
    broken.unless(len(reports) == size, f"{size} reports are kept, not {len(reports)}")
    left = (await _account(stage, "PLACE"), await _account(stage, "PAYOUT"))
    broken.unless(left == ((0, 0), (total_fen, 0)), f"the money leaves once, not {left}")
    return broken


@with_engine
async def one_worker_has_a_periodic_job(arena: Arena, engine: EngineProcess, size: int) -> Broken:
    """A job whose worker is paused past its lease, and a crowd that finds it due: one has it, and
    the paused one goes on with nothing."""
    broken = Broken()
    stage = await arena.stage("periodic").build()
    name = f"a job of {stage.slug}"

    async def pause(tx: Tx) -> LeasedJob | None:
        await periodic.ensure(tx, [name])
        return await periodic.lease(tx, [name], lease_seconds=0)

    late = await arena.db.in_transaction(pause)
    assert late is not None
    ends = Tally(await engine.run(lease_job, size, name))
    broken.unless(
        ends == Tally({"leased": 1, "left to others": size - 1}), f"one has it, not {dict(ends)}"
    )
    words = (name, late.token.hex, late.due_at.isoformat())
    said = await engine.run(renew_job, 1, *words)
    broken.unless(said == ["StaleLease"], f"the paused worker is refused, not {said}")
    return broken
