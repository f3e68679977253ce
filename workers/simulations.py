"""Dry runs as periodic work: one at a time, a piece in each transaction, so that nobody waits long
for the writer and an operator sees how far it is."""

import structlog

from loyalty.db import Tx
from loyalty.errors import Refusal
from loyalty.ids import new_id
from rewards.simulations import service as simulations
from rewards.simulations.models import Simulation
from rewards.simulations.service import Run

log = structlog.get_logger("simulations")

PIECE_EVENTS_MAX = 250
"""Some tens of milliseconds in a transaction."""
PIECES_MAX = 40
"""Before the other jobs get their turn."""


class Simulator:
    """Holds the world of the run that is under way. A process that dies takes it along: the next
    one begins the run anew, and comes to the same."""

    def __init__(self) -> None:
        self._held: tuple[Simulation, Run] | None = None

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Fold up to ``limit`` events of the oldest run; as many, while any run is unfinished."""
        held = self._held or await self._begin(tx)
        if held is None:
            return 0
        simulation, run = held
        self._held = None  # not ours any more if this fails
        try:
            run.advance(limit)
        except Exception as fault:  # noqa: BLE001 - logged, and told whoever asked for it
            await _fail(tx, simulation, fault)
            return limit
        is_wanted = await simulations.note_progress(tx, simulation, run)
        if is_wanted and not run.is_done:
            self._held = held
        elif is_wanted:
            log.info("simulated", simulation=str(simulation.id), events=run.total)
        return limit

    async def _begin(self, tx: Tx) -> tuple[Simulation, Run] | None:
        while (simulation := await simulations.begin_next(tx)) is not None:
            try:
                definition, source = simulations.definition_of(simulation)
                run = await simulations.prepare(
                    tx, simulation.brand_id, definition, source, simulation.seed
                )
            except Refusal as refusal:  # such as more events than are simulated at once
                await simulations.fail(tx, simulation, str(refusal))
            else:
                return simulation, run
        return None


async def _fail(tx: Tx, simulation: Simulation, fault: Exception) -> None:
    """A fault of ours ends this run, and keeps no other one from being run."""
    error_id = new_id()
    log.error("simulation_failed", error_id=str(error_id), exc_info=fault)
    await simulations.fail(tx, simulation, f"INTERNAL {error_id}")
