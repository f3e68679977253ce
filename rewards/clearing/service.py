"""What brands owe each other: positions opened, dues posted on both sides, funds reserved.

Everything about a pair of brands is written to both sides in one transaction. Positions are
locked after members, claims and coupons, and before the brands' own books.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty import outbox
from loyalty.actor import SYSTEM_ID, Actor, ActorKind
from loyalty.db import Snapshot, Tx
from loyalty.ids import new_id
from loyalty.ledger.models import AccountKind, Asset, TransferKind
from loyalty.ledger.rules import Book, Cause
from loyalty.ledger.service import (
    brand_books,
    open_partner_account,
    partner_account,
    write_brands_side,
    write_members_side,
)
from loyalty.outbox import Fact
from rewards.clearing import queries
from rewards.clearing.models import ClearingEntry, ClearingPosition, EntryKind
from rewards.clearing.queries import get_entry, lock_positions
from rewards.clearing.rules import Due, PositionKey, moved

FUNDS_LOW_TOPIC = "funds.low"

__all__ = [
    "FUNDS_LOW_TOPIC",
    "Due",
    "EntryKind",
    "get_entry",
    "lock_positions",
    "open_position",
    "post",
    "post_into",
    "release",
    "reserve",
    "spend_funds",
    "used_funds",
]


async def open_position(tx: Tx, brand_id: UUID, partner_id: UUID) -> None:
    """Let two brands owe each other: an account and a position on either side, unless there."""
    for one, other in sorted(((brand_id, partner_id), (partner_id, brand_id))):
        account_id = await open_partner_account(tx, one, other)
        await tx.insert_if_absent(
            ClearingPosition(
                brand_id=one, partner_id=other, account_id=account_id, opened_at=tx.now
            )
        )


async def reserve(
    tx: Tx,
    issuer_id: UUID,
    host_id: UUID,
    amount_fen: int,
    limit_fen: int,
    *,
    warning_fen: int = 0,
    fees_fen: int = 0,
) -> bool:
    """Reserve what an issuer may come to owe a host: False where what it owes, what is reserved
    and this are more than the limit (0 for PREPAID). Both are told (``funds.low``) when less than
    ``warning_fen`` is left by this, and by the ``fees_fen`` that are owed since just now with it.
    Of two at once the second one waits for the first."""
    used_fen = await queries.reserve(tx, issuer_id, host_id, amount_fen, limit_fen)
    if used_fen is None:
        return False
    left_fen = limit_fen - used_fen
    if left_fen < warning_fen <= left_fen + amount_fen + fees_fen:
        await _warn(tx, issuer_id, host_id, left_fen)
    return True


async def _warn(tx: Tx, issuer_id: UUID, host_id: UUID, left_fen: int) -> None:
    sides = ((issuer_id, host_id, False), (host_id, issuer_id, True))
    facts = [
        Fact(one, FUNDS_LOW_TOPIC, other, {"by_partner": theirs, "left_fen": left_fen}, tx.now)
        for one, other, theirs in sides
    ]
    await outbox.emit(tx, facts)


async def used_funds(snapshot: Snapshot, issuer_id: UUID, host_id: UUID) -> int:
    """What an issuer owes a host and has reserved, in fen; below zero where it has paid in."""
    position = await queries.find_position(snapshot, issuer_id, host_id)
    return 0 if position is None else position.owed_fen + position.reserved_fen


async def spend_funds(
    tx: Tx,
    actor: Actor,
    key: PositionKey,
    fees: Sequence[Due],
    *,
    reserved_fen: int,
    limit_fen: int,
    warning_fen: int,
) -> bool:
    """Post the fees of what an issuer issues, and reserve what it may come to owe, within one
    limit; ``key`` is (issuer, host). False where it does not suffice: roll back then."""
    if fees:
        await post(tx, actor, fees)
    fees_fen = sum(fee.amount_fen for fee in fees)
    return await reserve(
        tx, *key, reserved_fen, limit_fen, warning_fen=warning_fen, fees_fen=fees_fen
    )


async def release(tx: Tx, reserved: Mapping[PositionKey, int]) -> None:
    """Give up so much of what (issuer, host) has reserved. StatementMismatch when less is."""
    moves = {key: -amount_fen for key, amount_fen in reserved.items() if amount_fen}
    if moves:
        await queries.move_positions(tx, {}, moves)


async def post(
    tx: Tx,
    actor: Actor,
    dues: Sequence[Due],
    *,
    reserved: Mapping[PositionKey, int] | None = None,
) -> list[UUID]:
    """Post what comes to be owed, on both sides, with books of its own: the last that a
    transaction does. ``reserved``: by how much what (issuer, host) has reserved moves with it.
    The entries' ids, which both copies have."""
    book = Book(new_id)
    ids = await post_into(tx, book, actor, dues, reserved=reserved)
    await write_members_side(tx, book)
    await write_brands_side(tx, book)
    return ids


async def post_into(
    tx: Tx,
    book: Book,
    actor: Actor,
    dues: Sequence[Due],
    *,
    reserved: Mapping[PositionKey, int] | None = None,
) -> list[UUID]:
    """``post`` into a book that the caller writes. The positions must be there."""
    accounts = await queries.move_positions(tx, moved(dues), reserved or {})
    if not dues:
        return []
    brand_ids = sorted({brand_id for due in dues for (brand_id, _), _ in due.sides()})
    clearing = await brand_books(tx, brand_ids, AccountKind.CLEARING)
    partners = {key: partner_account(key[0], id, key[1]) for key, id in accounts.items()}
    entries = []
    ids = [new_id() for _ in dues]
    for id, due in zip(ids, dues, strict=True):
        for key, owed_fen in due.sides():
            entries.append(_entry(tx, id, due, key, owed_fen))
            own = clearing[key[0], key[0], Asset.CASH.value]
            debit, credit = (own, partners[key]) if owed_fen > 0 else (partners[key], own)
            cause = _cause(tx, actor, id, due, key[0])
            book.post(debit, credit, due.amount_fen, TransferKind.CLEAR.value, cause)
    await queries.add_entries(tx, entries)
    return ids


def _entry(tx: Tx, id: UUID, due: Due, key: PositionKey, owed_fen: int) -> ClearingEntry:
    return ClearingEntry(
        brand_id=key[0],
        id=id,
        partner_id=key[1],
        kind=due.kind.value,
        owed_fen=owed_fen,
        agreement_id=due.agreement_id,
        template_id=due.template_id,
        coupon_id=due.coupon_id,
        redemption_id=due.redemption_id,
        place_name=due.place_name,
        till_name=due.till_name,
        note=due.note,
        statement_id=due.statement_id,
        netting_run_id=due.netting_run_id,
        occurred_at=tx.now,
        created_at=tx.now,
    )


def _cause(tx: Tx, actor: Actor, id: UUID, due: Due, brand_id: UUID) -> Cause:
    """Who did it is told to the actor's own brand alone."""
    is_own = actor.brand_id == brand_id
    kind, by = (actor.kind, actor.id) if is_own else (ActorKind.SYSTEM, SYSTEM_ID)
    return Cause("CLEARING", id, kind.value, by, due.note or "", tx.now)
