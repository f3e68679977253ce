"""Statements (对账单): drawn when a period is over, corrected by adjustments that both sides want,
frozen when both have confirmed them. The pair's positions are locked first, so that nothing is
posted between the two brands meanwhile."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from loyalty import audit_log, keyed, outbox
from loyalty.actor import SYSTEM_ID, Actor, ActorKind
from loyalty.brands.service import get_brand
from loyalty.db import RetryTransaction, Snapshot, StatementMismatch, Tx
from loyalty.errors import AdjustmentStateWrong, InvalidInput, NotFound, TooManyOpen
from loyalty.ids import new_id
from loyalty.text import checked_text
from rewards.alliances.service import period_of
from rewards.alliances.terms import StatementPeriod
from rewards.clearing import queries
from rewards.clearing.models import (
    AdjustmentStatus,
    ClearingAdjustment,
    ClearingStatement,
    EntryKind,
)
from rewards.clearing.periods import period_end
from rewards.clearing.rules import (
    ADJUSTMENT_DECIDED_TOPIC,
    ADJUSTMENT_PROPOSED_TOPIC,
    CONFIRMED_TOPIC,
    DRAWN_TOPIC,
    PAYMENT_TOPIC,
    Due,
    PositionKey,
)
from rewards.clearing.service import post

REASON_LENGTH_MAX = 500
AMOUNT_FEN_MAX = 10**13
PROPOSED_MAX = 50
"""Of one side, that the other has not decided on: they are rows in its books, too."""

ALONE = Actor(ActorKind.SYSTEM, SYSTEM_ID, SYSTEM_ID, "SYSTEM")
"""Who posts for both sides at once: neither."""


async def _tell(
    tx: Tx,
    topic: str,
    subject_id: UUID,
    pair: PositionKey,
    figures: Mapping[str, int],
    *,
    actor: Actor | None = None,
    **said: Any,
) -> None:
    """Tell both sides of a pair, each in its own figures: ``figures`` are the first one's.
    ``by_partner`` tells each whether the other one did it; nothing where nobody did."""
    one, other = pair
    facts = []
    for sign, brand_id, partner_id in ((1, one, other), (-1, other, one)):
        payload = {"partner_slug": (await get_brand(tx, partner_id)).slug, **said}
        payload |= {name: sign * fen for name, fen in figures.items()}
        if actor is not None:
            payload["by_partner"] = brand_id != actor.brand_id
        facts.append(outbox.Fact(brand_id, topic, subject_id, payload, tx.now))
    await outbox.emit(tx, facts)


# --- drawing -----------------------------------------------------------------------------------


async def draw_statements(tx: Tx, limit: int) -> int:
    """Periodic: of up to ``limit`` pairs whose period is over, draw what it came to; how many
    pairs. A period in which nothing was posted has no statement."""
    due = await queries.list_due_pairs(tx, tx.now, limit)
    for low, high in due:
        await _draw(tx, low, high)
    return len(due)


async def _draw(tx: Tx, low: UUID, high: UUID) -> None:
    await queries.lock_positions(tx, [(low, high)])
    position = await queries.find_position(tx, low, high)
    if position is None:
        raise StatementMismatch("two brands have no position")
    due_at = position.statement_due_at
    if due_at is not None and due_at > tx.now:
        return  # somebody else drew it
    calendar = await calendar_of(tx, low, high)
    if due_at is None:
        await queries.set_due(tx, low, high, period_end(position.opened_at, *calendar))
        return
    await queries.set_due(tx, low, high, period_end(due_at, *calendar))
    last = await queries.find_last_statement(tx, low, high)
    id = new_id()
    sums = await queries.draw_entries(tx, low, high, id, due_at)
    if not sums:
        return
    starts_at = last.ends_at if last is not None else position.opened_at
    opening = last.closing_fen if last is not None else 0
    for sign, one, other in ((1, low, high), (-1, high, low)):
        owed_fen, count = sums[one]
        await tx.add(
            ClearingStatement(
                brand_id=one,
                id=id,
                partner_id=other,
                number=last.number + 1 if last is not None else 1,
                starts_at=starts_at,
                ends_at=due_at,
                opening_fen=sign * opening,
                closing_fen=sign * opening + owed_fen,
                entry_count=count,
                drawn_at=tx.now,
            )
        )
    owed_fen, count = sums[low]
    figures = {"opening_fen": opening, "closing_fen": opening + owed_fen}
    await _tell(
        *(tx, DRAWN_TOPIC, id, (low, high), figures),
        number=last.number + 1 if last is not None else 1,
        entry_count=count,
        starts_at=starts_at.isoformat(),
        ends_at=due_at.isoformat(),
    )


async def calendar_of(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> tuple[StatementPeriod, str]:
    """How often statements are drawn, and in which time zone, as the last agreement of the two has
    it; by the month, in the lower brand's zone, where there never was one. The same for both."""
    agreed = await period_of(snapshot, brand_id, partner_id)
    if agreed is not None:
        return agreed
    return StatementPeriod.MONTH, (await get_brand(snapshot, min(brand_id, partner_id))).timezone


# --- confirming --------------------------------------------------------------------------------


async def confirm_statement(
    tx: Tx, actor: Actor, statement_id: UUID, closing_fen: int
) -> ClearingStatement:
    """The actor's brand confirms what it has seen: a statement that closes at so many fen. Frozen
    once both have; once more is nothing more. Refuses NotFound, and InvalidInput where it closes
    at another amount by now."""
    own = await _own_statement(tx, actor, statement_id)
    await queries.lock_positions(tx, [(own.brand_id, own.partner_id)])
    own = await _own_statement(tx, actor, statement_id)
    if own.closing_fen != closing_fen:
        raise InvalidInput(field="closingFen", problem=f"it closes at {own.closing_fen} by now")
    if own.confirmed_at is not None:
        return own
    await queries.confirm(tx, own, actor.id)
    await audit_log.record(tx, actor, "statement.confirm", statement_id, closing_fen=closing_fen)
    own = await _own_statement(tx, actor, statement_id)
    await _tell(
        *(tx, CONFIRMED_TOPIC, own.id, (own.brand_id, own.partner_id)),
        {"closing_fen": own.closing_fen},
        actor=actor,
        number=own.number,
        frozen=own.partner_confirmed_at is not None,
    )
    return own


async def _own_statement(tx: Tx, actor: Actor, id: UUID) -> ClearingStatement:
    return await keyed.get_row(tx, ClearingStatement, actor.brand_id, id, "clearing statement")


# --- adjustments -------------------------------------------------------------------------------


async def propose_adjustment(
    tx: Tx, actor: Actor, partner_id: UUID, owed_fen: int, reason: str
) -> ClearingAdjustment:
    """The actor's brand proposes that it owes the partner so much more (less, below zero). The
    actor's copy. Refuses NotFound (no such partner), InvalidInput and TooManyOpen."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    if not 0 < abs(owed_fen) <= AMOUNT_FEN_MAX:
        raise InvalidInput(field="owedFen", problem=f"not 0, and at most {AMOUNT_FEN_MAX}")
    await require_partner(tx, actor.brand_id, partner_id)
    await queries.lock_positions(tx, [(actor.brand_id, partner_id)])
    if await queries.count_proposed(tx, actor.brand_id, partner_id) >= PROPOSED_MAX:
        raise TooManyOpen(noun="adjustment", limit=PROPOSED_MAX)
    id = new_id()
    rows = [
        ClearingAdjustment(
            brand_id=one,
            id=id,
            partner_id=other,
            owed_fen=sign * owed_fen,
            reason=reason,
            is_ours=one == actor.brand_id,
            proposed_at=tx.now,
        )
        for sign, one, other in (
            (1, actor.brand_id, partner_id),
            (-1, partner_id, actor.brand_id),
        )
    ]
    await tx.add(*rows)
    await audit_log.record(tx, actor, "adjustment.propose", id, reason, owed_fen=owed_fen)
    pair = (actor.brand_id, partner_id)
    await _tell(tx, ADJUSTMENT_PROPOSED_TOPIC, id, pair, {"owed_fen": owed_fen}, actor=actor)
    return rows[0]


async def decide_adjustment(
    tx: Tx, actor: Actor, adjustment_id: UUID, *, accept: bool
) -> ClearingAdjustment:
    """The other side accepts or declines; who proposed it may only take it back (not accept).

    What is accepted goes into the last statement that was drawn, unless both have confirmed it,
    else into the open period; a confirmation of one side is no longer one of what is there.
    Refuses NotFound and AdjustmentStateWrong.
    """
    own = await _own_adjustment(tx, actor, adjustment_id)
    status = (
        AdjustmentStatus.ACCEPTED
        if accept
        else AdjustmentStatus.WITHDRAWN
        if own.is_ours
        else AdjustmentStatus.DECLINED
    )
    await queries.lock_positions(tx, [(own.brand_id, own.partner_id)])
    own = await _own_adjustment(tx, actor, adjustment_id)
    if own.status != AdjustmentStatus.PROPOSED.value or (accept and own.is_ours):
        raise AdjustmentStateWrong(status=own.status, wanted=status.value)
    entry_id = await _post_adjustment(tx, actor, own) if accept else None
    if await queries.end_adjustment(tx, own, status, entry_id) != 2:
        raise RetryTransaction
    await audit_log.record(tx, actor, "adjustment.decide", adjustment_id, status=status.value)
    await _tell(
        *(tx, ADJUSTMENT_DECIDED_TOPIC, own.id, (own.brand_id, own.partner_id)),
        {"owed_fen": own.owed_fen},
        actor=actor,
        status=status.value,
        entry_id=None if entry_id is None else entry_id.hex,
    )
    return await _own_adjustment(tx, actor, adjustment_id)


async def _post_adjustment(tx: Tx, actor: Actor, own: ClearingAdjustment) -> UUID:
    statement = await queries.find_last_statement(tx, own.brand_id, own.partner_id)
    if statement is not None and statement.confirmed_at and statement.partner_confirmed_at:
        statement = None
    if statement is not None:
        await queries.adjust_statement(tx, statement, own.owed_fen)
    debtor, creditor = own.brand_id, own.partner_id
    if own.owed_fen < 0:
        debtor, creditor = creditor, debtor
    due = Due(
        debtor_id=debtor,
        creditor_id=creditor,
        kind=EntryKind.ADJUSTMENT,
        amount_fen=abs(own.owed_fen),
        note=own.reason,
        statement_id=None if statement is None else statement.id,
    )
    return (await post(tx, actor, [due]))[0]


async def _own_adjustment(tx: Tx, actor: Actor, id: UUID) -> ClearingAdjustment:
    return await keyed.get_row(tx, ClearingAdjustment, actor.brand_id, id, "clearing adjustment")


async def require_partner(tx: Tx, brand_id: UUID, partner_id: UUID) -> None:
    """NotFound where the two have no position, so that nobody learns which brands there are."""
    if await queries.find_position(tx, brand_id, partner_id) is None:
        raise NotFound(noun="partner")


# --- payments ----------------------------------------------------------------------------------


async def record_payment(
    tx: Tx, actor: Actor, partner_id: UUID, amount_fen: int, reference: str
) -> UUID:
    """The creditor's finance has received money from a partner: it owes so much less, or has paid
    in for what it will issue. The entry's id. Refuses NotFound and InvalidInput."""
    reference = checked_text(reference, "reference", length_max=REASON_LENGTH_MAX)
    if not 0 < amount_fen <= AMOUNT_FEN_MAX:
        raise InvalidInput(field="amountFen", problem=f"from 1 to {AMOUNT_FEN_MAX}")
    await require_partner(tx, actor.brand_id, partner_id)
    due = Due(
        debtor_id=actor.brand_id,
        creditor_id=partner_id,
        kind=EntryKind.PAYMENT,
        amount_fen=amount_fen,
        note=reference,
    )
    [entry_id] = await post(tx, actor, [due])
    await audit_log.record(tx, actor, "clearing.payment", entry_id, amount_fen=amount_fen)
    pair = (actor.brand_id, partner_id)
    await _tell(tx, PAYMENT_TOPIC, entry_id, pair, {"owed_fen": amount_fen}, actor=actor)
    return entry_id
