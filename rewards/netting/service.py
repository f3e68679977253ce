"""Multilateral netting (多边轧差): several brands settle what they owe one another by few payments.
The positions of all their pairs are locked first, so that of two who decide on a run at once the
second one sees what the first has done."""

from collections.abc import Sequence
from itertools import combinations
from uuid import UUID

from loyalty import audit_log, outbox
from loyalty.actor import Actor
from loyalty.brands.service import find_brand_by_slug
from loyalty.db import Tx
from loyalty.errors import InvalidInput, NettingOpen, NettingStateWrong, NotFound
from loyalty.ids import new_id
from loyalty.outbox import Fact
from loyalty.text import checked_text
from rewards.clearing.rules import PositionKey
from rewards.clearing.service import Due, EntryKind, lock_positions, open_position, post
from rewards.netting import queries
from rewards.netting.models import NettingLeg, NettingRun, NettingStatus
from rewards.netting.rules import (
    BRANDS_MAX,
    BRANDS_MIN,
    DECLINED_TOPIC,
    POSTED_TOPIC,
    PROPOSED_TOPIC,
    WITHDRAWN_TOPIC,
    Leg,
    legs_of,
    nets_of,
    reached,
)

REASON_LENGTH_MAX = 500

ENDED_TOPICS = {
    NettingStatus.POSTED: POSTED_TOPIC,
    NettingStatus.DECLINED: DECLINED_TOPIC,
    NettingStatus.WITHDRAWN: WITHDRAWN_TOPIC,
}


async def propose(tx: Tx, actor: Actor, partner_slugs: Sequence[str]) -> NettingRun:
    """The actor's brand proposes to net what it and these brands owe one another now. The actor's
    copy; nothing moves before all of them have approved.

    Refuses InvalidInput (too few or too many, one twice, itself, nothing to net), NotFound (one
    does not hang together with the proposer by what brands of the run owe one another, or there is
    no such brand) and NettingOpen (a pair is in a run already).
    """
    brand_ids = await _brand_ids(tx, actor, partner_slugs)
    positions = await lock_positions(tx, combinations(sorted(brand_ids), 2))
    owed = {key: owed_fen for key, owed_fen in positions.items() if owed_fen}
    if reached(owed, actor.brand_id) != brand_ids:
        raise NotFound(noun="partner")
    if await queries.is_any_open(tx, owed):
        raise NettingOpen
    legs = legs_of(owed)
    if all(leg.owed_fen == leg.pays_fen for leg in legs.values()):
        raise InvalidInput(field="partnerSlugs", problem="what is owed cannot be netted further")
    rows = _copies(tx, actor, nets_of(owed), legs)
    await tx.add(*rows)
    runs = [row for row in rows if isinstance(row, NettingRun)]
    await audit_log.record(tx, actor, "netting.propose", runs[0].id, brand_count=len(runs))
    await _tell(tx, actor, PROPOSED_TOPIC, runs)
    return next(run for run in runs if run.is_ours)


async def _brand_ids(tx: Tx, actor: Actor, partner_slugs: Sequence[str]) -> set[UUID]:
    if not BRANDS_MIN <= len(partner_slugs) + 1 <= BRANDS_MAX:
        problem = f"from {BRANDS_MIN - 1} to {BRANDS_MAX - 1}"
        raise InvalidInput(field="partnerSlugs", problem=problem)
    brands = [await find_brand_by_slug(tx, slug) for slug in partner_slugs]
    ids = {actor.brand_id, *(brand.id for brand in brands if brand is not None)}
    if None in brands:
        raise NotFound(noun="partner")
    if len(ids) != len(brands) + 1:
        raise InvalidInput(field="partnerSlugs", problem="each one once, and not the brand itself")
    return ids


def _copies(
    tx: Tx, actor: Actor, nets: dict[UUID, int], legs: dict[PositionKey, Leg]
) -> list[NettingRun | NettingLeg]:
    id = new_id()
    runs = [
        NettingRun(
            brand_id=brand_id,
            id=id,
            is_ours=brand_id == actor.brand_id,
            net_fen=net_fen,
            proposed_at=tx.now,
        )
        for brand_id, net_fen in sorted(nets.items())
    ]
    own_legs = [
        NettingLeg(
            brand_id=brand_id,
            run_id=id,
            partner_id=partner_id,
            owed_fen=leg.owed_fen,
            pays_fen=leg.pays_fen,
            is_open=leg.owed_fen != 0,
        )
        for (brand_id, partner_id), leg in legs.items()
    ]
    return [*runs, *own_legs]


async def approve(tx: Tx, actor: Actor, run_id: UUID, net_fen: int) -> NettingRun:
    """The actor's brand approves what it has read: a run that leaves it owing so many fen in all
    (below zero: due to it). Once more is nothing more. With the last approval the run is posted.

    Refuses NotFound, NettingStateWrong, and InvalidInput (its net is another).
    """
    copies, legs = await _locked(tx, actor, run_id)
    own = next(copy for copy in copies if copy.brand_id == actor.brand_id)
    if own.net_fen != net_fen:
        raise InvalidInput(field="netFen", problem=f"the brand's net is {own.net_fen}")
    if own.status != NettingStatus.POSTED.value:
        _require_proposed(own, "APPROVED")
    if own.approved_at is not None:
        return own
    await queries.approve(tx, own, actor.id)
    await audit_log.record(tx, actor, "netting.approve", run_id, net_fen=net_fen)
    if all(copy.approved_at is not None for copy in copies if copy is not own):
        await _post(tx, actor, copies, legs)
    return await queries.get_run(tx, actor.brand_id, run_id)


async def decline(tx: Tx, actor: Actor, run_id: UUID, reason: str) -> NettingRun:
    """Any brand of the run ends it, also when it had approved; all of them read why. Refuses
    NotFound, InvalidInput and NettingStateWrong."""
    why = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    copies, _ = await _locked(tx, actor, run_id)
    return await _end(tx, actor, copies, NettingStatus.DECLINED, why)


async def withdraw(tx: Tx, actor: Actor, run_id: UUID) -> NettingRun:
    """Who proposed the run takes it back. Refuses NotFound and NettingStateWrong."""
    copies, _ = await _locked(tx, actor, run_id)
    own = next(copy for copy in copies if copy.brand_id == actor.brand_id)
    if not own.is_ours:
        raise NettingStateWrong(status=own.status, wanted=NettingStatus.WITHDRAWN.value)
    return await _end(tx, actor, copies, NettingStatus.WITHDRAWN, None)


async def _locked(
    tx: Tx, actor: Actor, run_id: UUID
) -> tuple[list[NettingRun], dict[PositionKey, Leg]]:
    """All copies as they are once nobody else decides, and the legs; NotFound when the actor's
    brand is not of the run."""
    await queries.get_run(tx, actor.brand_id, run_id)
    rows = await queries.list_all_legs(tx, run_id)
    legs = {(row.brand_id, row.partner_id): Leg(row.owed_fen, row.pays_fen) for row in rows}
    await lock_positions(tx, legs)
    return await queries.list_copies(tx, run_id), legs


def _require_proposed(run: NettingRun, wanted: str) -> None:
    if run.status != NettingStatus.PROPOSED.value:
        raise NettingStateWrong(status=run.status, wanted=wanted)


async def _end(
    tx: Tx, actor: Actor, copies: list[NettingRun], status: NettingStatus, reason: str | None
) -> NettingRun:
    _require_proposed(copies[0], status.value)
    await queries.end_run(tx, copies, status, reason)
    run_id = copies[0].id
    await audit_log.record(tx, actor, f"netting.{status.value.lower()}", run_id, reason or "")
    await _tell(tx, actor, ENDED_TOPICS[status], copies)
    return await queries.get_run(tx, actor.brand_id, run_id)


async def _post(
    tx: Tx, actor: Actor, copies: list[NettingRun], legs: dict[PositionKey, Leg]
) -> None:
    """What was owed when the run was proposed is replaced by the payments: one entry per pair.
    What came to be owed since stays owed."""
    await queries.end_run(tx, copies, NettingStatus.POSTED, None)
    await _tell(tx, actor, POSTED_TOPIC, copies)
    for (one, other), leg in sorted(legs.items()):
        if one < other and leg.owed_fen == 0:
            await open_position(tx, one, other)
    moves = {key: leg.pays_fen - leg.owed_fen for key, leg in sorted(legs.items())}
    await post(
        tx,
        actor,
        [
            Due(
                debtor_id=debtor_id,
                creditor_id=creditor_id,
                kind=EntryKind.NETTING,
                amount_fen=move_fen,
                netting_run_id=copies[0].id,
            )
            for (debtor_id, creditor_id), move_fen in moves.items()
            if move_fen > 0
        ],
    )


async def _tell(tx: Tx, actor: Actor, topic: str, runs: Sequence[NettingRun]) -> None:
    """Each brand its own figure, and whether it was another one that did it."""
    facts = [
        Fact(
            run.brand_id,
            topic,
            run.id,
            {"net_fen": run.net_fen, "by_partner": run.brand_id != actor.brand_id},
            tx.now,
        )
        for run in runs
    ]
    await outbox.emit(tx, facts)
