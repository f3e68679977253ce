"""Verbs of dry runs: asked for, run in pieces, cancelled."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from loyalty.errors import (
    InvalidInput,
    NotFound,
    SimulationStateWrong,
    TooManySimulations,
)
from loyalty.keyed import find_row, get_row, list_newest
from loyalty.regions.service import regions_of
from rewards.campaigns import lives
from rewards.campaigns import service as campaigns
from rewards.campaigns.definitions import definition_from_json, definition_to_json
from rewards.campaigns.models import UnlockKind
from rewards.campaigns.rules import CampaignDefinition, LiveCampaign, Outcome
from rewards.campaigns.versions import as_if_published, find_definition
from rewards.coupons import service as coupons
from rewards.grants import service as grants
from rewards.simulations import crowds, queries
from rewards.simulations.beginning import Start, with_campaign
from rewards.simulations.folding import Fold
from rewards.simulations.models import Simulation, SimulationStatus
from rewards.simulations.past import read_past, window_of
from rewards.simulations.rules import (
    SEED_MAX,
    Crowd,
    Happening,
    Past,
    Source,
    begun_by,
    check_source,
    source_from_json,
    source_to_json,
)
from rewards.simulations.tally import report_to_json

ReadEvents = Callable[[UUID, UUID | None, str], list[Happening]]
"""Makes events of a brand, one of its products and its time zone."""
UNFINISHED_MAX = 5
"""Of one brand."""
BEGUN_MAX = 5
"""Workers that die take a run's world along; so often another one begins it anew."""
_OPEN = (SimulationStatus.WAITING, SimulationStatus.RUNNING)


async def request_simulation(
    tx: Tx,
    actor: Actor,
    source: Source,
    seed: int,
    *,
    draft_id: UUID | None = None,
    campaign_id: UUID | None = None,
) -> Simulation:
    """Ask for a dry run of a draft, or of a campaign's newest version.

    Refuses NotFound (draft, campaign), InvalidInput (with the field's path), TooManySimulations.
    """
    definition = await _definition(tx, actor.brand_id, draft_id, campaign_id)
    _require_foldable(definition, "draftId" if campaign_id is None else "campaignId")
    check_source(source, definition.event)
    if not 0 <= seed < SEED_MAX:
        raise InvalidInput(field="seed", problem=f"0 to {SEED_MAX - 1}")
    await tx.take_turns(f"simulations {actor.brand_id}")
    if await queries.count_unfinished(tx, actor.brand_id) >= UNFINISHED_MAX:
        raise TooManySimulations(limit=UNFINISHED_MAX)
    simulation = Simulation(
        brand_id=actor.brand_id,
        campaign_code=definition.code,
        definition=definition_to_json(definition),
        source=source_to_json(source),
        seed=seed,
        requested_by=actor.id,
        created_at=tx.now,
    )
    await tx.add(simulation)
    await audit_log.record(
        tx, actor, "campaign.simulate", simulation.id, code=definition.code, seed=seed
    )
    return simulation


def _require_foldable(definition: CampaignDefinition, field: str) -> None:
    """Events that are made up, in files or long past tell no boxes and no second codes of items:
    nothing would ever open."""
    for outcome in definition.outcomes:
        lock = outcome.lock if isinstance(outcome, Outcome) else None
        if lock is not None and lock.kind in (UnlockKind.BOX_BOTTLES, UnlockKind.INNER_SCAN):
            problem = f"what waits for {lock.kind.value} cannot be tried"
            raise InvalidInput(field=field, problem=problem)


async def _definition(
    tx: Tx, brand_id: UUID, draft_id: UUID | None, campaign_id: UUID | None
) -> CampaignDefinition:
    if (draft_id is None) is (campaign_id is None):
        raise InvalidInput(field="draftId", problem="a draft or a campaign: one of them")
    if draft_id is not None:
        draft = await lives.find_draft(tx, brand_id, draft_id)
        if draft is None:
            raise NotFound(noun="draft")
        return definition_from_json(draft.definition)
    found = await find_definition(tx, brand_id, campaign_id) if campaign_id else None
    if found is None:
        raise NotFound(noun="campaign")
    return found


async def cancel_simulation(tx: Tx, actor: Actor, id: UUID) -> Simulation:
    """End one that is not finished. Refuses NotFound and SimulationStateWrong."""
    found = await get_simulation(tx, actor.brand_id, id)
    ends = {"status": SimulationStatus.CANCELLED.value, "ended_at": tx.now}
    if not await queries.move(tx, actor.brand_id, id, _OPEN, **ends):
        raise SimulationStateWrong(status=found.status, wanted=SimulationStatus.CANCELLED.value)
    await audit_log.record(tx, actor, "campaign.simulation_cancel", id)
    return await get_simulation(tx, actor.brand_id, id)


async def get_simulation(snapshot: Snapshot, brand_id: UUID, id: UUID) -> Simulation:
    """Refuses NotFound."""
    return await get_row(snapshot, Simulation, brand_id, id, "simulation")


async def find_simulation(snapshot: Snapshot, brand_id: UUID, id: UUID) -> Simulation | None:
    """None when the brand has none."""
    return await find_row(snapshot, Simulation, brand_id, id)


async def list_simulations(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Simulation]:
    """Newest first; keyset by id."""
    return await list_newest(snapshot, Simulation, brand_id, before=before, limit=limit)


# --- running -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """A dry run in memory: the same events folded over the draft's world and over the running
    campaigns', one after the other. ``done`` of ``total`` are folded."""

    happenings: list[Happening]
    folds: dict[str, Fold]
    done: int = 0
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = len(self.happenings) * len(self.folds)

    @property
    def is_done(self) -> bool:
        return self.done >= self.total

    def advance(self, events: int) -> int:
        """Fold so many more, or as many as there are; how many it were."""
        folds = list(self.folds.values())
        until = min(self.done + events, self.total)
        for number in range(self.done, until):
            turn, place = divmod(number, len(self.happenings))
            folds[turn].fold(self.happenings[place])
        advanced, self.done = until - self.done, until
        return advanced

    def progress(self) -> dict[str, Any]:
        """What the row is to say of it now."""
        told: dict[str, Any] = {"events_done": self.done, "events_total": self.total}
        if self.is_done:
            told |= {"status": SimulationStatus.DONE.value, "result": self.result()}
        return told

    def result(self) -> dict[str, Any]:
        """As a simulation stores it."""
        reports = {
            name: report_to_json(fold.tally, fold.report_budgets())
            for name, fold in self.folds.items()
        }
        return {"draft": None, "running": None} | reports


async def prepare(
    snapshot: Snapshot,
    brand_id: UUID,
    definition: CampaignDefinition,
    source: Source | ReadEvents,
    seed: int,
) -> Run:
    """Read all that a dry run needs. Refuses InvalidInput (too many events), NotFound."""
    brand = await grants.load_configuration(snapshot, brand_id)
    # The running campaigns may not ask where a scan is, and the one that is tried may.
    brand = replace(brand, regions=await regions_of(snapshot, brand_id))
    if isinstance(source, Past):
        definition = begun_by(definition, window_of(brand, source.days, snapshot.now).begin)
    draft = await as_if_published(snapshot, brand_id, definition)
    start = Start(brand)
    start, happenings = await _happenings(snapshot, start, draft, definition, source, seed)
    start = await _with_coupons(snapshot, start, draft)
    allowed: dict[UUID, dict[str, int]] = {}
    ids = [campaign.id for campaign in brand.campaigns.all()]
    for row in await campaigns.list_budgets(snapshot, brand_id, ids):
        allowed.setdefault(row.campaign_id, {})[row.asset] = row.allowed
    folds = {
        "draft": Fold(with_campaign(start, draft), {**allowed, draft.id: definition.budgets}, seed)
    }
    if any(campaign.event is draft.event for campaign in brand.campaigns.all()):
        folds["running"] = Fold(start, allowed, seed)
    return Run(happenings, folds)


async def _happenings(
    snapshot: Snapshot,
    start: Start,
    draft: LiveCampaign,
    definition: CampaignDefinition,
    source: Source | ReadEvents,
    seed: int,
) -> tuple[Start, list[Happening]]:
    brand = start.brand
    product_id = definition.product_id or next(iter(brand.products), None)
    if not isinstance(source, Past | Crowd):
        return start, source(brand.id, product_id, brand.timezone)
    if isinstance(source, Past):
        window = window_of(brand, source.days, snapshot.now)
        return await read_past(snapshot, start, draft, window)
    begins = max(definition.starts_at or snapshot.now, snapshot.now)
    starts_on = source.starts_on or local_date(begins, brand.timezone)
    made = crowds.happenings(
        source, draft.event, brand.id, product_id, brand.timezone, starts_on, seed
    )
    return start, list(made)


async def _with_coupons(snapshot: Snapshot, start: Start, draft: LiveCampaign) -> Start:
    """The templates that any of the campaigns names, and what there is of them now."""
    named = with_campaign(start, draft).brand.campaigns.coupon_template_ids()
    if not named:
        return start
    brand_id = start.brand.id
    stock = await coupons.find_stock(snapshot, [(brand_id, id) for id in named])
    return replace(
        start,
        stock={id: left for (_, id), left in stock.items()},
        templates=await coupons.templates_by_id(snapshot, brand_id, named),
    )


async def begin_next(tx: Tx) -> Simulation | None:
    """The oldest that is not finished, RUNNING from now on; None when there is none. One that was
    begun BEGUN_MAX times and never done has failed: the others have waited for it long enough."""
    while (found := await queries.find_next(tx)) is not None:
        if found.begun >= BEGUN_MAX:
            await fail(tx, found, f"begun {BEGUN_MAX} times, and never done")
            continue
        begun = {"status": SimulationStatus.RUNNING.value, "begun": found.begun + 1}
        more = {"started_at": tx.now, "events_done": 0}
        await queries.move(tx, found.brand_id, found.id, _OPEN, **begun, **more)
        return found
    return None


def definition_of(simulation: Simulation) -> tuple[CampaignDefinition, Source]:
    """What is simulated, over what."""
    return definition_from_json(simulation.definition), source_from_json(simulation.source)


async def note_progress(tx: Tx, simulation: Simulation, progress: dict[str, Any]) -> bool:
    """Keep how far it is, or, where it is done, its result; whether anybody still wants it."""
    values = progress | ({"ended_at": tx.now} if "result" in progress else {})
    running = (SimulationStatus.RUNNING,)
    return await queries.move(tx, simulation.brand_id, simulation.id, running, **values)


async def fail(tx: Tx, simulation: Simulation, problem: str) -> None:
    """It cannot be run, and why."""
    await queries.move(
        tx,
        simulation.brand_id,
        simulation.id,
        _OPEN,
        status=SimulationStatus.FAILED.value,
        problem=problem,
        ended_at=tx.now,
    )


def total_costs(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    """What each campaign gave of each asset in all, still locked ones included."""
    found: dict[tuple[str, str], int] = {}
    costs: Iterable[dict[str, Any]] = report["costs"]
    for cost in costs:
        key = (cost["campaign"], cost["asset"])
        found[key] = found.get(key, 0) + cost["given"] + cost["locked"]
    return found
