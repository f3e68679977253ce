"""The stage that the state machine plays on, and how long it plays."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, settings

from loyalty.crypto import Keyring
from loyalty.db import Database
from rewards.scans.batcher import ScanBatcher
from tests.clocks import SettableClock
from tests.hurried import hurry
from tests.machine.correcting import CorrectingMachine
from tests.machine.engine import Stage

EXAMPLES = 105
STEPS = 50

PROFILE = settings(
    # All that the environment might change is said here: CI plays as a laptop does.
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=True,
)


@contextmanager
def on_stage(database_url: str, keyring: Keyring) -> Iterator[type[CorrectingMachine]]:
    """A database, a batcher that runs, and one loop for all examples."""
    clock = SettableClock()
    db = hurry(Database(database_url, clock=clock))
    batcher = ScanBatcher(db, batch_size_max=256, queue_size_max=1000)

    async def start() -> None:
        batcher.start()

    with asyncio.Runner() as runner:
        runner.run(start())
        try:
            stage = Stage(runner, db, clock, keyring, batcher)
            yield type("StagedMachine", (CorrectingMachine,), {"stage": stage})
        finally:
            runner.run(batcher.stop())
            runner.run(db.close())
