"""Dry runs by workers: in pieces, begun anew by whoever comes after one that died, cancelled."""

from typing import Any
from uuid import UUID

from loyalty.actor import Actor, MemberRole, system_actor
from loyalty.brands.models import Brand
from loyalty.db import Database, Tx
from loyalty.ledger.models import Asset
from rewards.campaigns.lives import list_drafts, save_draft
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.simulations import queries, service
from rewards.simulations.models import Simulation, SimulationStatus
from rewards.simulations.rules import Crowd
from server.founding import BrandWanted, found_brand
from workers.simulations import Simulator

CROWD = Crowd(people=30, events_per_day=50, days=4)
EVENTS = 200
POINTS = Outcome(MemberRole.CONSUMER, Asset.POINTS.value, OutcomeBasis.PER_CURRENCY_UNIT, 3)
DRAFT = CampaignDefinition("spring", "春季", "Spring", EventKind.PURCHASE, (POINTS,), priority=1)


async def asked(db: Database, actor: Actor, seed: int = 1) -> UUID:
    draft = await db.in_transaction(save_draft, actor, DRAFT)
    return await again(db, actor, draft.id, seed)


async def again(db: Database, actor: Actor, draft_id: UUID, seed: int = 1) -> UUID:
    run = await db.in_transaction(service.request_simulation, actor, CROWD, seed, draft_id=draft_id)
    return run.id


async def found(db: Database, brand: Brand, id: UUID) -> Simulation:
    async with db.snapshot() as snapshot:
        return await service.get_simulation(snapshot, brand.id, id)


async def worked_off(db: Database, simulator: Simulator, pieces: int = 99) -> int:
    """How many pieces there were to do."""
    for piece in range(pieces):
        if await db.in_transaction(simulator, 30) == 0:
            return piece
    return pieces


async def test_whoever_comes_after_one_that_died_comes_to_the_same(
    db: Database,
) -> None:
    brand = await db.in_transaction(found_brand, BrandWanted("dry", "Dry"))
    actor = system_actor(brand.id)
    first = await asked(db, actor)
    undisturbed = Simulator()
    # Begun, read, and twice as many events as there are: with the draft, and with what runs.
    assert await worked_off(db, undisturbed) == 2 + 2 * EVENTS // 30 + 1
    done = await found(db, brand, first)
    assert (done.status, done.events_done, done.events_total) == ("DONE", 400, 400)
    result: Any = done.result
    [spring] = {cost["campaign"] for cost in result["draft"]["costs"]}
    assert spring == "spring", "its priority is higher"
    assert {cost["campaign"] for cost in result["running"]["costs"]} == {"purchase-points"}

    async with db.snapshot() as snapshot:
        [draft] = await list_drafts(snapshot, brand.id, before=None, limit=1)
    second = await again(db, actor, draft.id)
    died = Simulator()
    await worked_off(db, died, pieces=5)
    assert (await found(db, brand, second)).events_done == 90
    await worked_off(db, Simulator())
    assert (await found(db, brand, second)).result == result
    await worked_off(db, died)
    assert (await found(db, brand, second)).result == result, "who was only late changes nothing"


async def test_one_that_was_cancelled_is_done_no_more_and_the_next_one_is(
    db: Database,
) -> None:
    brand = await db.in_transaction(found_brand, BrandWanted("dry", "Dry"))
    actor = system_actor(brand.id)
    first = await asked(db, actor)
    async with db.snapshot() as snapshot:
        [draft] = await list_drafts(snapshot, brand.id, before=None, limit=1)
    second = await again(db, actor, draft.id, seed=2)
    simulator = Simulator()
    await worked_off(db, simulator, pieces=4)
    await db.in_transaction(service.cancel_simulation, actor, first)
    await worked_off(db, simulator)
    cancelled, done = await found(db, brand, first), await found(db, brand, second)
    assert (cancelled.status, cancelled.result) == (SimulationStatus.CANCELLED, None)
    assert cancelled.events_done < cancelled.events_total
    assert done.status == SimulationStatus.DONE


async def test_one_that_fails_keeps_nobody_waiting(db: Database) -> None:
    brand = await db.in_transaction(found_brand, BrandWanted("dry", "Dry"))
    actor = system_actor(brand.id)
    spoilt = await asked(db, actor)
    async with db.snapshot() as snapshot:
        [draft] = await list_drafts(snapshot, brand.id, before=None, limit=1)
    deadly, good = [await again(db, actor, draft.id) for _ in range(2)]

    async def spoil(tx: Tx) -> None:
        waiting = (SimulationStatus.WAITING,)
        await queries.move(tx, brand.id, spoilt, waiting, definition={})
        await queries.move(tx, brand.id, deadly, waiting, begun=service.BEGUN_MAX)

    await db.in_transaction(spoil)
    await worked_off(db, Simulator())
    found_spoilt, found_deadly = [await found(db, brand, id) for id in (spoilt, deadly)]
    assert (found_spoilt.status, found_deadly.status) == ("FAILED", "FAILED")
    assert (found_spoilt.problem or "").startswith("INTERNAL ")
    assert found_deadly.problem == "begun 5 times, and never done"
    assert (await found(db, brand, good)).status == SimulationStatus.DONE
