"""Looking at standings whose day has come: in chunks, a transaction each, by set. What a run has
done is in its row, so it goes on wherever it was stopped, and tells how far it is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from loyalty.brands.service import list_brands
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.ids import new_id
from loyalty.ledger.expiry import list_due
from loyalty.ledger.service import lock_member_accounts
from tiers.ladders.models import TierEnd
from tiers.ladders.rules import LadderView
from tiers.standings import queries
from tiers.standings.folding import MemberTier, catch_up, look
from tiers.standings.loading import BrandTiers, load_tiers, write_tiers
from tiers.standings.models import ChangeReason, ReEvaluation, ReEvaluationKind
from tiers.standings.queries import find_open_run
from tiers.standings.rewinding_queries import FIND_EXPIRED
from tiers.standings.service import brand_tiers

__all__ = ["Chunk", "begin_runs", "find_open_run", "re_evaluate", "re_evaluate_chunk"]

_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """How far a run is after a chunk: ``rows_done`` of ``rows_total`` were looked at (``rows_now``
    of them in this chunk), of which ``rows_moved`` came to another level. ``is_more_to_do``: in
    this run, or in another one."""

    brand_id: UUID
    name: str
    rows_now: int
    rows_done: int
    rows_total: int
    rows_moved: int
    is_finished: bool
    is_more_to_do: bool = True


async def re_evaluate(tx: Tx, rows_max: int) -> Chunk | None:
    """Begin what is to begin today, and look at up to so many standings of the oldest run that has
    not ended; None when there is none. Balances are looked at once the brand's lots have been
    swept: growth may have expired."""
    await begin_runs(tx)
    unswept = await list_due(tx)
    run = await find_open_run(tx, unswept=unswept)
    if run is None:
        return None
    # One brand's accounts in a transaction: whoever locks many goes through them in order.
    chunk = await re_evaluate_chunk(tx, run, rows_max)
    more = not chunk.is_finished or await find_open_run(tx, unswept=unswept) is not None
    return replace(chunk, is_more_to_do=more)


async def begin_runs(tx: Tx, brand_id: UUID | None = None, *, again: bool = False) -> None:
    """Begin the runs of today of one brand, or of all brands: each once on the brand's local day,
    the first time that this is called on it. ``again``: whatever has become due since, too."""
    days = {
        brand.id: local_date(tx.now, brand.timezone)
        for brand in await list_brands(tx)
        if brand_id in (None, brand.id)
    }
    names = {id: f"{ReEvaluationKind.DUE} {day}" for id, day in days.items()}
    known = await queries.find_runs(tx, list(names.items()))
    for id, day in days.items():
        run = known.get((id, names[id]))
        if run is None:
            await _begin(tx, id, day, "")
        elif again and run.finished_at is not None:
            await _begin(tx, id, day, f" {new_id()}")


async def _begin(tx: Tx, brand_id: UUID, day: date, suffix: str) -> None:
    due = (await tx.fetch(queries.COUNT_DUE, brand_id=brand_id, day=day))[0][0]
    run = ReEvaluation(
        brand_id=brand_id,
        name=f"{ReEvaluationKind.DUE} {day}{suffix}",
        kind=ReEvaluationKind.DUE.value,
        day=day,
        rows_total=due,
        started_at=tx.now,
        finished_at=None if due else tx.now,
    )
    await tx.insert_if_absent(run)
    rules = await brand_tiers(tx, brand_id)
    for ladder in rules.ladders.values():
        if not _drops_with_balance(ladder):
            continue
        values = {"brand_id": brand_id, "role": ladder.role, "ladder_id": ladder.id}
        dropped = (await tx.fetch(queries.COUNT_DROPPED, **values, after=_BEFORE_ALL))[0][0]
        run = ReEvaluation(
            brand_id=brand_id,
            name=f"{ReEvaluationKind.RANKED} {day} {ladder.id}{suffix}",
            kind=ReEvaluationKind.RANKED.value,
            ladder_id=ladder.id,
            day=day,
            rows_total=dropped,
            started_at=tx.now,
        )
        await tx.insert_if_absent(run)


def _drops_with_balance(ladder: LadderView) -> bool:
    """Whether a balance that shrank without an event (growth expires) has to be looked for."""
    return ladder.policy.counts_balance and ladder.policy.ends is TierEnd.BALANCE_DROP


async def re_evaluate_chunk(tx: Tx, run: ReEvaluation, rows_max: int) -> Chunk:
    """Look at the next of a run's standings, up to so many; fewer than that end the run. A constant
    number of statements. RetryTransaction if somebody else went on with the run, or moved one of
    the standings."""
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
    done = run.rows_done + len(members)
    return Chunk(
        run.brand_id,
        run.name,
        len(members),
        done,
        max(run.rows_total, done),
        run.rows_moved + moved,
        len(members) < rows_max,
    )


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
    if run.kind == ReEvaluationKind.RANKED:
        await _name_expiry(tx, tiers.values())
    await write_tiers(tx, tiers.values())
    return sum(len(tier.changes) for tier in tiers.values())


async def _name_expiry(tx: Tx, tiers: Iterable[MemberTier]) -> None:
    """Put levels that dropped with the balance down to the growth that expired."""
    dropped = {
        tier.member_id: tier
        for tier in tiers
        if any(change.reason is ChangeReason.DROPPED for change in tier.changes)
    }
    if not dropped:
        return
    keys = [(tier.brand_id, id) for id, tier in sorted(dropped.items())]
    for member_id, id, kind, cause_id in await tx.fetch(FIND_EXPIRED, keys=keys):
        tier = dropped[member_id]
        tier.changes = [
            replace(change, transfer_id=id, cause_kind=kind, cause_id=cause_id)
            if change.reason is ChangeReason.DROPPED
            else change
            for change in tier.changes
        ]


def _look_at_one(tier: MemberTier, run: ReEvaluation, day: date, tx: Tx) -> None:
    if run.kind == ReEvaluationKind.DUE:
        catch_up(tier, day, new_id)
    else:
        because = ChangeReason.LADDER if run.kind == ReEvaluationKind.ALL else None
        look(tier, day, tx.now, new_id, because)
