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
_OURS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Faults of ours, after which the transaction still writes."""


class Simulator:
    """Holds the world of the run that is under way. A process that dies takes it along: the next
    one begins the run anew, and comes to the same."""

    def __init__(self) -> None:
        self._begun: Simulation | None = None
        self._held: tuple[Simulation, Run] | None = None

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Begin the oldest run, read what it needs, fold up to ``limit`` of its events or keep its
        result, each in a transaction of its own; as many, while any run is unfinished."""
        if self._held is not None:
            held, self._held = self._held, None  # not ours any more if this fails
            self._held = await self._advance(tx, held, limit)
            return limit
        if self._begun is None:
            self._begun = await simulations.begin_next(tx)
            return 0 if self._begun is None else limit
        # That it was begun is written by now: what ends the process here is counted.
        begun, self._begun = self._begun, None
        self._held = await self._prepare(tx, begun)
        return limit

    async def _prepare(self, tx: Tx, simulation: Simulation) -> tuple[Simulation, Run] | None:
        try:
            definition, source = simulations.definition_of(simulation)
            run = await simulations.prepare(
                tx, simulation.brand_id, definition, source, simulation.seed
            )
        except Refusal as refusal:  # such as more events than are simulated at once
            await simulations.fail(tx, simulation, str(refusal))
            return None
        except _OURS as fault:
            await _fail(tx, simulation, fault)
            return None
        return simulation, run

    async def _advance(
        self, tx: Tx, held: tuple[Simulation, Run], limit: int
    ) -> tuple[Simulation, Run] | None:
        """One piece; what is left to do, if anybody still wants it."""
        simulation, run = held
        try:
            run.advance(limit)
            progress = run.progress()
        except Exception as fault:  # noqa: BLE001 - logged, and told whoever asked for it
            await _fail(tx, simulation, fault)
            return None
        is_wanted = await simulations.note_progress(tx, simulation, progress)
        if not is_wanted:
            return None
        if not run.is_done:
            return held
        log.info("simulated", simulation=str(simulation.id), events=run.total)
        return None


async def _fail(tx: Tx, simulation: Simulation, fault: Exception) -> None:
    """A fault of ours ends this run, and keeps no other one from being run."""
    error_id = new_id()
    log.error("simulation_failed", error_id=str(error_id), exc_info=fault)
    await simulations.fail(tx, simulation, f"INTERNAL {error_id}")
