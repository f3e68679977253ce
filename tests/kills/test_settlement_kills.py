"""Settlement under everything at once: workers killed, Redis emptied and gone, a payout provider
that loses, repeats and reorders. Each redemption is settled once, each payout paid once, three sets
of books agree, and nothing is left to do soon after the last fault."""

import asyncio
import random
import signal
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlmodel import SQLModel, col, func, select

from graphql_schema.pagination import encode_id
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.ledger.models import Account, Transfer
from loyalty.outbox import OutboxEvent
from rewards.coupons.models import Coupon
from rewards.payouts.models import Payout, PayoutReport
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.fakes.payout_provider import FakePayoutProvider, Fault
from tests.kills.forking import Worker, WorkerForks
from tests.kills.storm import AT_ONCE, KILLS, Storm
from tests.races.arena import SERVERS, audit_findings
from tests.redis_server import RedisServer
from tests.rewards.payouts.stores import check_books_agree, reports_of, rows
from tests.rewards.redemptions.chains import Chain, open_chain, take, take_all, win_coupons
from tests.rewards.redemptions.shops import REBATE_FEN
from tests.servers import ServerFactory
from workers.waking import Waker

SEED = 20261122
CHAINS = 4
STORES = 10
COUPONS = STORES * AT_ONCE * KILLS
"""Of each chain: 10,000 in all."""
THRESHOLD_FEN = 5_000
PAYOUTS_MIN = CHAINS * STORES + 1
"""More than one, for some store. A slow machine pays more at once: how many there are is its."""
EMPTY_SECONDS_MAX = 400
"""No promise (that is 60): when to give up."""

PAYING = {
    "LOYALTY_LEASE_SECONDS": "6",
    "LOYALTY_PAYOUT_TIMEOUT_SECONDS": "1",
    "LOYALTY_PAYOUT_ASK_SECONDS": "1",
    "LOYALTY_PAYOUT_RETRY_SECONDS": "2",
}
"""Of workers and the server; production's are longer."""
FAULTS = (
    *(Fault.DELAY, Fault.ERROR_AFTER_PAYING, Fault.RESET_AFTER_PAYING, Fault.PROCESSING),
    *(Fault.NO_ANSWER, Fault.ERROR_BEFORE_PAYING, Fault.FORGET, Fault.GARBAGE, Fault.FAIL),
)

pytestmark = pytest.mark.only_database(
    "postgresql", reason="workers that share a Redis share a server"
)


@pytest.fixture
def provider() -> Iterator[FakePayoutProvider]:
    with FakePayoutProvider(seed=SEED) as provider:
        provider.processing_asks = 1
        provider.copies = 2
        provider.reordered = True
        yield provider


@pytest_asyncio.fixture
async def waker(db: Database, redis_url: str) -> AsyncIterator[Waker]:
    """What the test itself commits wakes workers, as with servers."""
    waker = Waker(redis_url)
    waker.start()
    db.on_facts = waker.wake
    yield waker
    await waker.stop()


@pytest.fixture
def forks(
    command_env: dict[str, str], redis_url: str, provider: FakePayoutProvider, tmp_path: Path
) -> Iterator[WorkerForks]:
    settings = {**provider.environment, **PAYING, "LOYALTY_REDIS_URL": redis_url}
    with WorkerForks(tmp_path, {**command_env, **settings}) as forks:
        yield forks


# --- the rows of a redemption ------------------------------------------------------------------


async def portrait(db: Database, coupon_id: UUID) -> list[dict[str, Any]]:
    """All that was written of a coupon's redemption, ids by what they are."""
    coupon = next(row for row in await rows(db, Coupon) if row.id == coupon_id)
    taken = next(row for row in await rows(db, Redemption) if row.coupon_id == coupon_id)
    steps = [row for row in await rows(db, RedemptionEvent) if row.redemption_id == taken.id]
    moved = [row for row in await rows(db, Transfer) if row.cause_id == taken.id]
    facts = [
        row
        for row in await rows(db, OutboxEvent)
        if row.subject_id == taken.id
        or (row.topic == "coupon.redeemed" and row.subject_id == taken.member_id)
    ]
    names: dict[Any, str] = {coupon.id: "coupon", taken.id: "redemption", moved[0].id: "rebate"}
    names |= {taken.member_id: "member", coupon.cause_id: "scan", coupon.code: "digits"}
    every: Sequence[SQLModel] = (coupon, taken, *steps, *moved, *facts)
    own = (RedemptionEvent, OutboxEvent)
    names |= {id.hex: name for id, name in names.items() if isinstance(id, UUID)}
    return [
        {
            name: {key: names.get(said, said) for key, said in value.items()}
            if isinstance(value, dict)
            else names.get(value, value)
            for name, value in row.model_dump().items()
            if name != "issued_at" and not (name == "id" and isinstance(row, own))
        }
        for row in every
    ]


async def accounts_of(db: Database) -> dict[tuple[str, str], tuple[int, ...]]:
    """The counters of each account of cash."""
    return {
        (str(row.owner_id), row.kind): (
            *(row.credits_posted, row.debits_posted),
            *(row.credits_pending, row.debits_pending),
        )
        for row in await rows(db, Account)
        if row.asset == "CASH"
    }


async def test_redemptions_loaded_all_at_once_are_as_those_of_clerks(
    db: Database, keyring: Keyring
) -> None:
    chain = await db.in_transaction(
        open_chain, keyring, "sample", places=1, coupons=41, payout_threshold_fen=THRESHOLD_FEN
    )
    coupons = await win_coupons(db, chain, 41)
    [counter] = chain.counters

    async def both(tx: Tx) -> None:
        await take(tx, counter, [coupons[0]])
        await take_all(tx, counter, [coupons[39]])

    await db.in_transaction(both)
    by_clerk, loaded = [await portrait(db, coupons[n].id) for n in (0, 39)]
    assert len(by_clerk) == 7
    assert loaded == by_clerk
    before = await accounts_of(db)
    await db.in_transaction(take, counter, [coupons[40]])
    between = await accounts_of(db)
    await db.in_transaction(take_all, counter, [coupons[38]])
    after = await accounts_of(db)
    moves = [
        {key: tuple(b - a for a, b in zip(old[key], new[key], strict=True)) for key in old}
        for old, new in ((before, between), (between, after))
    ]
    assert moves[0] == moves[1]


# --- the storm ---------------------------------------------------------------------------------


async def seconds_until_empty(db: Database) -> float:
    """From now until the last fact is delivered, or given up."""
    began_at = time.monotonic()
    waiting = select(func.count()).select_from(OutboxEvent)
    waiting = waiting.where(
        col(OutboxEvent.delivered_at).is_(None), col(OutboxEvent.dead_at).is_(None)
    )
    async with asyncio.timeout(EMPTY_SECONDS_MAX):
        while True:
            async with db.snapshot() as snapshot:
                if not (await snapshot.session.exec(waiting)).one():
                    return time.monotonic() - began_at
            await asyncio.sleep(0.1)


async def check_settled_once(db: Database, storm: Storm) -> None:
    """Each redemption has one pending rebate, posted once; receipts and rows say the same."""
    taken = await rows(db, Redemption)
    assert len(taken) == CHAINS * COUPONS
    assert all(row.status == "CAPTURED" and row.settled_at is not None for row in taken)
    moved = [row for row in await rows(db, Transfer) if row.kind == "REBATE"]
    pending = {row.id: row.cause_id for row in moved if row.phase == "PENDING"}
    assert pending == {row.rebate_transfer_id: row.id for row in taken}
    ends = sorted((row.pending_id, row.cause_id) for row in moved if row.pending_id is not None)
    assert ends == sorted(pending.items())
    assert {(row.phase, row.amount) for row in moved if row.pending_id is not None} == {
        ("POST", REBATE_FEN)
    }
    assert len(storm.receipts) == CHAINS * KILLS
    assert {receipt["redemption"]["status"] for receipt in storm.receipts.values()} == {"CAPTURED"}
    assert set(storm.receipts) <= {encode_id("Redemption", row.id) for row in taken}


async def check_paid_once(db: Database, provider: FakePayoutProvider, storm: Storm) -> None:
    """The provider, the payouts and the ledger agree to the fen; nothing is under way any more."""
    payouts = await rows(db, Payout)
    assert len(payouts) >= PAYOUTS_MIN
    assert {row.status for row in payouts} == {"PAID", "FAILED"}
    await check_books_agree(db, provider, [chain.brand for chain in storm.chains])
    paid_fen = sum(row.amount_fen for row in payouts if row.status == "PAID")
    at_stores = [row for row in await rows(db, Account) if row.kind == "PLACE"]
    left_fen = sum(row.credits_posted - row.debits_posted for row in at_stores)
    assert paid_fen + left_fen == CHAINS * COUPONS * REBATE_FEN
    assert all(row.debits_pending == row.credits_pending == 0 for row in at_stores)


async def check_died_in_the_middle(db: Database) -> None:
    """Workers had work in their hands when they were killed, and no fact was given up."""
    facts = await rows(db, OutboxEvent)
    assert [row.topic for row in facts if row.dead_at is not None] == []
    dropped = Tally(row.topic for row in facts if row.attempts > 1 and row.last_error is None)
    for topic in ("redemption.captured", "coupon.redeemed", "payout.requested"):
        assert dropped[topic] > 0, dropped


async def win_all(db: Database, keyring: Keyring, slug: str) -> tuple[Chain, list[Coupon]]:
    chain = await db.in_transaction(
        open_chain,
        keyring,
        slug,
        places=STORES,
        coupons=COUPONS,
        payout_threshold_fen=THRESHOLD_FEN,
    )
    return chain, await win_coupons(db, chain, COUPONS)


async def test_settlement_outlives_kills_and_losses_of_redis_and_a_bad_provider(
    db: Database,
    keyring: Keyring,
    provider: FakePayoutProvider,
    redis_server: RedisServer,
    server_process: ServerFactory,
    forks: WorkerForks,
    waker: Waker,
    command_env: dict[str, str],
) -> None:
    """10,000 redemptions, 50 kills, Redis emptied five times and away twice."""
    settings = {**SERVERS, **PAYING, **provider.environment, "LOYALTY_REDIS_URL": redis_server.url}
    server = server_process(environment=settings, ready=False)
    won = [await win_all(db, keyring, f"chain-{number}") for number in range(CHAINS)]
    await asyncio.to_thread(server.wait_ready)
    provider.callback_url = f"{server.url}/callbacks/payouts"
    provider.misbehave(0.4, FAULTS)
    provider.plan(Fault.FAIL)  # one at least, whatever chance brings
    chance = random.Random(SEED)
    chains, coupons = [chain for chain, _ in won], [coupons for _, coupons in won]
    storm = Storm(db, chains, coupons, server, redis_server, forks, chance)
    await storm.rage()
    provider.misbehave(0)
    seconds = await seconds_until_empty(db)
    last = max(await rows(db, OutboxEvent), key=lambda row: str(row.delivered_at))
    sys.stdout.write(  # pytest -rP shows it
        f"empty {seconds:.1f} s after the last fault; the last fact was {last.topic}, attempt"
        f" {last.attempts}, after {last.last_error}\n"
    )
    await asyncio.to_thread(provider.wait_called_back)
    await check_died_in_the_middle(db)
    await check_settled_once(db, storm)
    await check_paid_once(db, provider, storm)
    for chain in chains:
        assert audit_findings(command_env, chain.brand.slug) == []


# --- a pause -----------------------------------------------------------------------------------


class StoppingProvider(FakePayoutProvider):
    """When the first transfer is taken and its money has left, stops the worker that asks for it,
    and answers only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.worker: Worker | None = None
        self.stopped = threading.Event()
        self.answers = threading.Event()
        self.plan(Fault.DELAY)

    def hold(self, seconds: float) -> None:
        assert self.worker is not None
        self.worker.signal(signal.SIGSTOP)
        self.stopped.set()
        self.answers.wait(EMPTY_SECONDS_MAX)


async def everything(db: Database) -> list[str]:
    """All that settlement and payouts write."""
    models: tuple[type[SQLModel], ...] = (OutboxEvent, Payout, PayoutReport, Transfer, Account)
    return [repr(row) for model in models for row in await rows(db, model)]


async def test_a_worker_stopped_in_the_middle_of_a_payout_goes_on_and_is_refused(
    db: Database,
    keyring: Keyring,
    waker: Waker,
    redis_url: str,
    command_env: dict[str, str],
    tmp_path: Path,
) -> None:
    chain = await db.in_transaction(
        open_chain, keyring, "paused", places=1, coupons=2, payout_threshold_fen=REBATE_FEN
    )
    coupons = await win_coupons(db, chain, 2)
    [counter] = chain.counters
    with StoppingProvider() as provider:
        settings = {**provider.environment, "LOYALTY_REDIS_URL": redis_url}
        settings["LOYALTY_LEASE_SECONDS"] = "3"
        with WorkerForks(tmp_path, {**command_env, **settings}) as forks:
            await db.in_transaction(take, counter, coupons[:1])
            provider.worker = late = forks.start()
            await asyncio.to_thread(provider.stopped.wait, EMPTY_SECONDS_MAX)
            other = forks.start()
            await seconds_until_empty(db)  # the lease lapses first
            [payout] = await rows(db, Payout)
            assert await reports_of(db, payout) == [("ASK", "PAID")]
            before = await everything(db)
            other.kill()
            provider.answers.set()
            late.signal(signal.SIGCONT)
            async with asyncio.timeout(EMPTY_SECONDS_MAX):
                while not late.says("lease_lost"):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
            assert await everything(db) == before
            await db.in_transaction(take, counter, coupons[1:])
            await seconds_until_empty(db)  # it works on
        assert [row.status for row in await rows(db, Payout)] == ["PAID", "PAID"]
        assert [len(transfer.bodies) for transfer in provider.transfers.values()] == [1, 1]
        await check_books_agree(db, provider, [chain.brand])
    assert audit_findings(command_env, chain.brand.slug) == []
