"""Looking at standings whose day has come: in chunks, a transaction each, by set. What a run has
done is in its row, so it goes on wherever it was stopped, and tells how far it is."""

from datetime import date
from typing import Any
from uuid import UUID

from loyalty.brands.service import list_brands
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger.service import lock_member_accounts
from tiers.ladders.models import TierEnd
from tiers.ladders.rules import LadderView
from tiers.standings import queries
from tiers.standings.folding import MemberTier, catch_up, look
from tiers.standings.loading import BrandTiers, load_tiers, write_tiers
from tiers.standings.models import ChangeReason, ReEvaluation, ReEvaluationKind
from tiers.standings.queries import find_open_run, list_runs
from tiers.standings.service import brand_tiers

__all__ = ["begin_runs", "find_open_run", "list_runs", "re_evaluate", "re_evaluate_chunk"]

_BEFORE_ALL = UUID(int=0)


async def re_evaluate(tx: Tx, rows_max: int) -> int:
    """Begin what is to begin today, and look at up to so many standings of the oldest runs that
    have not ended: how many it were. Fewer than allowed means that nothing is left."""
    await begin_runs(tx)
    left = rows_max
    while left:
        run = await find_open_run(tx)
        if run is None:
            break
        left -= await re_evaluate_chunk(tx, run, left)
    return rows_max - left


async def begin_runs(tx: Tx, brand_id: UUID | None = None) -> None:
    """Begin the runs of today of one brand, or of all brands: each once on the brand's local day,
    the first time that this is called on it."""
    days = {
        brand.id: local_date(tx.now, brand.timezone)
        for brand in await list_brands(tx)
        if brand_id in (None, brand.id)
    }
    names = {id: f"{ReEvaluationKind.DUE} {day}" for id, day in days.items()}
    known = await queries.find_runs(tx, list(names.items()))
    for id, day in days.items():
        if (id, names[id]) not in known:
            await _begin(tx, id, day)


async def _begin(tx: Tx, brand_id: UUID, day: date) -> None:
    due = (await tx.fetch(queries.COUNT_DUE, brand_id=brand_id, day=day))[0][0]
    await _add_run(tx, brand_id, ReEvaluationKind.DUE, None, day, due)
    rules = await brand_tiers(tx, brand_id)
    for ladder in rules.ladders.values():
        if _drops_with_balance(ladder):
            values = {"brand_id": brand_id, "role": ladder.role, "ladder_id": ladder.id}
            dropped = await tx.fetch(queries.COUNT_DROPPED, **values, after=_BEFORE_ALL)
            await _add_run(tx, brand_id, ReEvaluationKind.RANKED, ladder.id, day, dropped[0][0])


def _drops_with_balance(ladder: LadderView) -> bool:
    """Whether a balance that shrank without an event (growth expires) has to be looked for."""
    return ladder.policy.counts_balance and ladder.policy.ends is TierEnd.BALANCE_DROP


async def _add_run(
    tx: Tx,
    brand_id: UUID,
    kind: ReEvaluationKind,
    ladder_id: UUID | None,
    day: date,
    rows_total: int,
) -> None:
    name = f"{kind} {day}" if ladder_id is None else f"{kind} {day} {ladder_id}"
    await tx.insert_if_absent(
        ReEvaluation(
            brand_id=brand_id,
            name=name,
            kind=kind.value,
            ladder_id=ladder_id,
            day=day,
            rows_total=rows_total,
            started_at=tx.now,
            finished_at=None if rows_total else tx.now,
        )
    )


async def re_evaluate_chunk(tx: Tx, run: ReEvaluation, rows_max: int) -> int:
    """Look at the next of a run's standings, up to so many: how many it were; fewer than allowed
    end the run. A constant number of statements. RetryTransaction if somebody else went on with
    the run, or moved one of the standings."""
    rules = await brand_tiers(tx, run.brand_id)
    ladder = next((each for each in rules.ladders.values() if each.id == run.ladder_id), None)
    members: list[UUID] = []
    if ladder is not None or run.kind == ReEvaluationKind.DUE:  # else published anew since
        members = await _next_members(tx, run, ladder, rows_max)
    moved = await _look_at(tx, run, rules, members) if members else 0
    advanced = await tx.fetch(
        queries.ADVANCE_RUN,
        after=members[-1] if members else run.after_member_id,
        rows_done=len(members),
        rows_moved=moved,
        finished_at=tx.now if len(members) < rows_max else None,
        brand_id=run.brand_id,
        id=run.id,
        held=run.rows_done,
    )
    if not advanced:
        raise RetryTransaction
    return len(members)


async def _next_members(
    tx: Tx, run: ReEvaluation, ladder: LadderView | None, rows_max: int
) -> list[UUID]:
    values: dict[str, Any] = {"brand_id": run.brand_id, "row_count_max": rows_max}
    if ladder is None:
        rows = await tx.fetch(queries.FIND_DUE, **values, day=run.day)
        return [row[0] for row in rows]
    values |= {"role": ladder.role, "after": run.after_member_id or _BEFORE_ALL}
    if run.kind == ReEvaluationKind.RANKED:
        rows = await tx.fetch(queries.FIND_DROPPED, **values, ladder_id=ladder.id)
    else:
        rows = await tx.fetch(queries.FIND_MEMBERS, **values)
    return [row[0] for row in rows]


async def _look_at(tx: Tx, run: ReEvaluation, rules: BrandTiers, members: list[UUID]) -> int:
    today = max(run.day, local_date(tx.now, rules.timezone))
    day = run.day if run.kind == ReEvaluationKind.DUE else today
    await lock_member_accounts(tx, [(run.brand_id, member_id) for member_id in members])
    tiers = await load_tiers(
        tx, {run.brand_id: rules}, [(run.brand_id, member_id, day) for member_id in members]
    )
    for tier in tiers.values():
        _look_at_one(tier, run, day, tx)
    await write_tiers(tx, tiers.values())
    return sum(len(tier.changes) for tier in tiers.values())


def _look_at_one(tier: MemberTier, run: ReEvaluation, day: date, tx: Tx) -> None:
    if run.kind == ReEvaluationKind.DUE:
        catch_up(tier, day, new_id)
    else:
        because = ChangeReason.LADDER if run.kind == ReEvaluationKind.ALL else None
        look(tier, day, tx.now, new_id, because)
