"""Races of raffles; as ``scan_races.py``. Winners are paid by the engine in a process of its own
(``engine_tasks.py``), beside the workers inside the servers."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from sqlmodel import update

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from loyalty.db import Tx
from loyalty.ledger.models import Transfer
from rewards.raffles.models import Raffle, RaffleEntry, RaffleWinner
from rewards.raffles.rules import Prize, RaffleDefinition, Step
from rewards.raffles.service import create_raffle
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.engine_tasks import engine_process, take_raffle_step
from tests.races.stage import Stage, said
from tests.races.wire import release_at_once, request_bytes
from tests.rewards.payouts.stores import rows

ENTER = """mutation Race($input: EnterRaffleInput!) { enterRaffle(input: $input) { __typename
  ... on EnterRaffleReceipt { entry { id } } ... on Refused { code } } }"""
PEOPLE = 4
ENTRIES_MAX = 3
PRIZE_POINTS = 7


async def _announce(tx: Tx, stage: Stage, winners: int) -> UUID:
    prize = Prize("茶", "Tea", winners, "POINTS", PRIZE_POINTS)
    definition = RaffleDefinition(
        code="race",
        name_zh="抽奖",
        name_en="Raffle",
        opens_at=tx.now - timedelta(days=1),
        closes_at=tx.now + timedelta(days=1),
        entries_max=ENTRIES_MAX,
        table=(Step(1, (prize,)),),
        cost=("POINTS", 1),
    )
    actor = system_actor(stage.brand_id)
    return (await create_raffle(tx, actor, stage.keyring, definition)).id


async def a_member_enters_up_to_the_limit(arena: Arena, size: int) -> Broken:
    """A few members enter, each many times at once: each as often as it may, and pays for that."""
    broken = Broken()
    stage = await arena.stage("raffle").build()
    raffle_id = await arena.db.in_transaction(_announce, stage, PEOPLE)
    callers = await with_points(arena, stage, PEOPLE)
    raffle = encode_id("Raffle", raffle_id)
    requests = [
        request_bytes(
            callers[n % PEOPLE].token,
            ENTER,
            {"input": {"idempotencyKey": f"enter {n}", "raffleId": raffle}},
        )
        for n in range(size)
    ]
    replies = [
        said(answer, "enterRaffle") for answer in await release_at_once(arena.ports, requests)
    ]
    ends = Counter(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)
    allowed = PEOPLE * ENTRIES_MAX
    wanted = Counter({"EnterRaffleReceipt": allowed, "RAFFLE_ENTRIES_USED_UP": size - allowed})
    broken.unless(ends == wanted, f"{allowed} entries, not {dict(ends)}")
    entries = Counter(entry.member_id for entry in await stage.rows(RaffleEntry))
    broken.unless(
        set(entries.values()) == {ENTRIES_MAX}, f"each up to its limit, not {dict(entries)}"
    )
    paid = [t for t in await stage.rows(Transfer) if t.cause_kind == "RAFFLE_ENTRY"]
    broken.unless(len(paid) == allowed, f"{allowed} were paid for, not {len(paid)}")
    return broken


async def winners_are_paid_once(arena: Arena, size: int) -> Broken:
    """A raffle that is over, and a crowd of workers that all bring it to its end: each winner is
    paid once."""
    broken = Broken()
    async with engine_process(arena) as engine:
        stage = await arena.stage("raffle-paid").build()
        raffle_id = await arena.db.in_transaction(_announce, stage, PEOPLE)
        callers = await with_points(arena, stage, PEOPLE)
        given = {"raffleId": encode_id("Raffle", raffle_id)}
        requests = [
            request_bytes(caller.token, ENTER, {"input": given | {"idempotencyKey": f"enter {n}"}})
            for n, caller in enumerate(callers)
        ]
        await release_at_once(arena.ports, requests)
        await arena.db.in_transaction(_end_now)
        for _ in range(PEOPLE):
            if set(await engine.run(take_raffle_step, size)) == {"nothing"}:
                break
    [raffle] = [row for row in await rows(arena.db, Raffle) if row.id == raffle_id]
    broken.unless(raffle.settled_at is not None, f"it is settled, not {raffle.status}")
    winners = await stage.rows(RaffleWinner)
    broken.unless(len(winners) == PEOPLE, f"{PEOPLE} winners, not {len(winners)}")
    causes = Counter(t.cause_id for t in await stage.rows(Transfer) if t.kind == "EARN")
    paid = {winner.id: causes[winner.id] for winner in winners}
    broken.unless(set(paid.values()) == {1}, f"each is paid once, not {list(paid.values())}")
    return broken


async def _end_now(tx: Tx) -> None:
    await tx.session.exec(update(Raffle).values(closes_at=tx.now))
