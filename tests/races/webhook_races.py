"""Races of workers for an endpoint of webhooks, as ``settlement_races.py``. The senders inside the
servers leave it alone: it is due in an hour, and those who race are an hour ahead."""

from collections import Counter as Tally
from datetime import timedelta

from loyalty.actor import system_actor
from loyalty.db import Tx
from loyalty.webhooks import sending
from loyalty.webhooks.service import create_endpoint, wake
from tests.races.arena import Arena, Broken
from tests.races.engine_tasks import EngineProcess, lease_endpoint, record_nothing
from tests.races.settlement_races import with_engine

AHEAD = timedelta(hours=1)


@with_engine
async def one_worker_has_an_endpoint(arena: Arena, engine: EngineProcess, size: int) -> Broken:
    """An endpoint whose worker is paused past its lease, and a crowd that finds it due: one has it,
    and what the paused one sent is not recorded."""
    broken = Broken()
    stage = await arena.stage("hooks").build()

    async def pause(tx: Tx) -> sending.LeasedEndpoint:
        new = await create_endpoint(
            tx,
            system_actor(stage.brand_id),
            stage.keyring,
            url="https://hooks.example/",
            event_types=["scan.paid"],
            description="",
        )
        await wake(tx, [(stage.brand_id, new.endpoint.id)], tx.now + AHEAD)
        tx.now += AHEAD
        [late] = await sending.lease(tx, 1, are_failing=False, lease_seconds=0)
        return late

    late = await arena.db.in_transaction(pause)
    ends = Tally(await engine.run(lease_endpoint, size))
    wanted = Tally({"leased": 1, "left to others": size - 1})
    broken.unless(ends == wanted, f"one has it, not {dict(ends)}")
    words = (stage.brand_id.hex, late.id.hex, late.token.hex)
    said = await engine.run(record_nothing, 1, *words)
    broken.unless(said == ["passed over"], f"the paused worker records nothing, but {said}")
    return broken
