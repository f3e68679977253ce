"""The verbs of holds: take value out of reach, then spend it or give it back.

Each step locks the member's accounts and then moves the hold by one guarded update: who moves its
row has taken the step, and all others are told.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import SYSTEM_ID, Actor, ActorKind
from loyalty.assets.rules import expiry_from_json
from loyalty.assets.service import require_asset
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import HoldStateWrong, InsufficientBalance, InvalidInput
from loyalty.holds import queries
from loyalty.holds.models import Hold, HoldStatus
from loyalty.holds.rules import Capture, HeldPart, plan_capture, status_at
from loyalty.ids import new_id
from loyalty.keyed import get_row
from loyalty.ledger.models import AccountKind, TransferKind, TransferPhase
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.ledger.service import (
    REASON_LENGTH_MAX,
    brand_books,
    check_amount,
    lock_member_accounts,
    spend_parts,
    write_brands_side,
    write_members_side,
)
from loyalty.members.service import require_active_member
from loyalty.text import checked_text

TTL_SECONDS_MAX = 30 * 86_400
SPEND = TransferKind.SPEND


async def hold_balance(
    tx: Tx,
    actor: Actor,
    *,
    member_id: UUID,
    asset: str,
    amount: int,
    ttl_seconds: int,
    reason: str,
) -> Hold:
    """Take so much of a member out of reach, soonest expiry first, until ``ttl_seconds`` are over:
    the hold, HELD.

    Refuses NotFound (member, asset), MemberFrozen, MemberClosed, InsufficientBalance and
    InvalidInput. What a hold that is over still keeps is not there before it is tidied.
    """
    check_amount(amount)
    if not 1 <= ttl_seconds <= TTL_SECONDS_MAX:
        raise InvalidInput(field="ttlSeconds", problem=f"1 to {TTL_SECONDS_MAX}")
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    brand = await get_brand(tx, actor.brand_id)
    await require_active_member(tx, brand.id, member_id)
    await require_asset(tx, brand.id, asset)
    hold = Hold(
        brand_id=brand.id,
        member_id=member_id,
        asset=asset,
        amount=amount,
        reason=reason,
        held_at=tx.now,
        held_until=tx.now + timedelta(seconds=ttl_seconds),
    )
    accounts = await lock_member_accounts(tx, [(brand.id, member_id)])
    account = accounts.get((brand.id, member_id, asset))
    if account is None:
        raise InsufficientBalance(available=0, wanted=amount)
    parts = await spend_parts(tx, account, amount, local_date(tx.now, brand.timezone))
    book = Book(new_id)
    cause = Cause("HOLD", hold.id, actor.kind.value, actor.id, reason, tx.now)
    spent = await _spent_book(tx, hold)
    book.take(account, spent, parts, SPEND, cause, phase=TransferPhase.PENDING)
    await queries.add_hold(tx, hold)
    await write_members_side(tx, book)
    await audit_log.record(tx, actor, "balance.hold", hold.id, reason, asset=asset, amount=amount)
    await write_brands_side(tx, book)
    return hold


async def get_hold(snapshot: Snapshot, brand_id: UUID, hold_id: UUID) -> Hold:
    """As its row says. Refuses NotFound (hold)."""
    return await get_row(snapshot, Hold, brand_id, hold_id, "hold")


async def capture_hold(
    tx: Tx, actor: Actor, hold_id: UUID, amount: int | None = None, *, book: Book | None = None
) -> Hold:
    """Spend what is held, or ``amount`` of it, soonest expiry first; the rest goes back to its
    lots: the hold, CAPTURED. Also of a member that was frozen meanwhile: what was held is due.
    ``book`` is an empty one, for who wants to see afterwards what moved.

    Refuses NotFound (hold), HoldStateWrong and InvalidInput.
    """
    hold = await get_hold(tx, actor.brand_id, hold_id)
    wanted = hold.amount if amount is None else amount
    if not 1 <= wanted <= hold.amount:
        raise InvalidInput(field="amount", problem=f"1 to {hold.amount}")
    return await _end(tx, actor, hold, HoldStatus.CAPTURED, wanted, book or Book(new_id))


async def release_hold(tx: Tx, actor: Actor, hold_id: UUID) -> Hold:
    """Give what is held back to its lots: the hold, RELEASED. Refuses NotFound (hold) and
    HoldStateWrong."""
    hold = await get_hold(tx, actor.brand_id, hold_id)
    return await _end(tx, actor, hold, HoldStatus.RELEASED, 0, Book(new_id))


async def _end(
    tx: Tx, actor: Actor, seen: Hold, status: HoldStatus, captured: int, book: Book
) -> Hold:
    owner = (seen.brand_id, seen.member_id)
    accounts = await lock_member_accounts(tx, [owner])
    hold = await queries.end_hold(tx, seen.brand_id, seen.id, status, captured)
    if hold is None:
        raise await _why_not(tx, seen, status)
    account = accounts[*owner, hold.asset]
    parts = (await queries.find_parts(tx, [(hold, account)])).get(hold.id, [])
    cause = Cause("HOLD", hold.id, actor.kind.value, actor.id, hold.reason, tx.now)
    spent = await _spent_book(tx, hold)
    _settle(book, account, spent, plan_capture(parts, captured), hold, cause)
    if captured:
        await _extend(tx, book, account)
    await write_members_side(tx, book)
    action = "balance.capture" if captured else "balance.release"
    await audit_log.record(tx, actor, action, hold.id, hold.reason, captured=captured)
    await write_brands_side(tx, book)
    return hold


async def _why_not(tx: Tx, seen: Hold, wanted: HoldStatus) -> Exception:
    """Why a hold could not be ended; RetryTransaction where it could be, by now."""
    hold = await get_hold(tx, seen.brand_id, seen.id)
    status = status_at(hold.status, hold.held_until, tx.now)
    if status is HoldStatus.HELD:
        return RetryTransaction()
    return HoldStateWrong(status=status.value, wanted=wanted.value)


def _settle(
    book: Book,
    account: AccountState,
    spent: AccountState,
    plan: Capture,
    hold: Hold,
    cause: Cause,
) -> None:
    def end(part: HeldPart, *, post: bool) -> None:
        lot = (part.expires_on, part.amount)
        book.settle_taken(account, spent, lot, SPEND, cause, pending_id=part.transfer_id, post=post)

    for part in plan.posted:
        end(part, post=True)
    for part in plan.voided:
        end(part, post=False)
    if plan.split is not None:
        end(plan.split, post=False)
        # Spent when it was held: its lot may be past its date by now.
        then = Cause("HOLD", hold.id, cause.actor_kind, cause.actor_id, cause.reason, hold.held_at)
        book.take(account, spent, [(plan.split.expires_on, plan.taken)], SPEND, then)


async def _extend(tx: Tx, book: Book, account: AccountState) -> None:
    """Spending is activity. Holding is not yet: else a hold let go would have prolonged lots."""
    policy = await require_asset(tx, account.brand_id, account.asset)
    expiry = expiry_from_json(policy.expiry)
    if expiry.is_extended:
        today = local_date(tx.now, (await get_brand(tx, account.brand_id)).timezone)
        book.extend(account, today, expiry.last_day(today))


async def _spent_book(tx: Tx, hold: Hold) -> AccountState:
    books = await brand_books(tx, [hold.brand_id], AccountKind.SPENT)
    return books[hold.brand_id, hold.brand_id, hold.asset]


async def lapse_balance_holds(tx: Tx, limit: int) -> int:
    """Give back what up to ``limit`` holds keep that are over, of all brands: how many it were.
    Those that somebody ends in this very moment are left out."""
    due = await queries.list_due(tx, limit)
    if not due:
        return 0
    accounts = await lock_member_accounts(tx, {(key[0], key[2]) for key in due})
    lapsed = await queries.lapse_holds(tx, [key[:2] for key in due])
    # No member is merged into another while something is held of it: its accounts are these.
    held = [(hold, accounts[hold.brand_id, hold.member_id, hold.asset]) for hold in lapsed]
    book = Book(new_id)
    await _void(tx, book, held)
    await write_members_side(tx, book)
    await write_brands_side(tx, book)
    return len(due)


async def _void(tx: Tx, book: Book, held: Iterable[tuple[Hold, AccountState]]) -> None:
    held = list(held)
    parts = await queries.find_parts(tx, held)
    books = await brand_books(tx, {hold.brand_id for hold, _ in held}, AccountKind.SPENT)
    for hold, account in held:
        cause = Cause("HOLD", hold.id, ActorKind.SYSTEM.value, SYSTEM_ID, hold.reason, tx.now)
        spent = books[hold.brand_id, hold.brand_id, hold.asset]
        _settle(book, account, spent, plan_capture(parts.get(hold.id, []), 0), hold, cause)
