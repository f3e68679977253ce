"""The verbs of adjustments: put a balance right at once, or propose it to a second operator."""

from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.adjustments import queries
from loyalty.adjustments.models import Adjustment, AdjustmentStatus
from loyalty.assets.models import AssetDefinition, AssetStatus
from loyalty.assets.rules import expiry_from_json
from loyalty.assets.service import require_asset
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import (
    AdjustmentStateWrong,
    AssetRetired,
    InsufficientBalance,
    InvalidInput,
    SecondOperatorNeeded,
)
from loyalty.ids import new_id
from loyalty.keyed import get_row
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.ledger.service import (
    AMOUNT_MAX,
    REASON_LENGTH_MAX,
    brand_books,
    lock_accounts_and_debts,
    spend_parts,
    write_brands_side,
    write_members_side,
)
from loyalty.members.service import require_active_member
from loyalty.text import checked_text

BALANCE_MAX = 10**18


async def adjust_balance(
    tx: Tx,
    actor: Actor,
    *,
    member_id: UUID,
    asset: str,
    amount: int,
    reason: str,
    book: Book | None = None,
) -> Adjustment:
    """Give a member so much of an asset, or take it (below zero): APPLIED at once up to the
    asset's ``adjustment_limit``, above it PROPOSED.

    What is given is good as long as what is earned today, and repays what the member owes first;
    what is taken comes from the lots that expire soonest. ``book`` is an empty one, for who wants
    to see afterwards what moved. Refuses NotFound (member, asset),
    MemberFrozen, MemberClosed, AssetRetired (of what is to be given), InsufficientBalance and
    InvalidInput.
    """
    if not 1 <= abs(amount) <= AMOUNT_MAX:
        too_much = f"more than {AMOUNT_MAX}, or as much below zero"
        problem = too_much if amount else "nothing would move"
        raise InvalidInput(field="amount", problem=problem)
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    policy = await _check(tx, actor.brand_id, member_id, asset, amount)
    limit = policy.adjustment_limit
    is_applied = limit is None or abs(amount) <= limit
    status = AdjustmentStatus.APPLIED if is_applied else AdjustmentStatus.PROPOSED
    adjustment = Adjustment(
        brand_id=actor.brand_id,
        member_id=member_id,
        asset=asset,
        amount=amount,
        status=status.value,
        reason=reason,
        proposed_by_id=actor.id,
        proposed_at=tx.now,
        decided_at=tx.now if is_applied else None,
    )
    if not is_applied:
        await tx.add(adjustment)
        await _log(tx, actor, "adjustment.propose", adjustment, reason)
        return adjustment
    owner = (actor.brand_id, member_id)
    locked = await lock_accounts_and_debts(tx, [owner])
    book = await _booked(tx, actor, adjustment, policy, *locked, book or Book(new_id))
    await tx.add(adjustment)
    await write_members_side(tx, book)
    await _log(tx, actor, "adjustment.apply", adjustment, reason)
    await write_brands_side(tx, book)
    return adjustment


async def get_adjustment(snapshot: Snapshot, brand_id: UUID, adjustment_id: UUID) -> Adjustment:
    """Refuses NotFound (adjustment)."""
    return await get_row(snapshot, Adjustment, brand_id, adjustment_id, "adjustment")


async def approve_adjustment(
    tx: Tx, actor: Actor, adjustment_id: UUID, *, book: Book | None = None
) -> Adjustment:
    """Apply what another operator has proposed: the adjustment, APPLIED. Refuses NotFound
    (adjustment), AdjustmentStateWrong, SecondOperatorNeeded, and what ``adjust_balance`` does."""
    seen = await get_adjustment(tx, actor.brand_id, adjustment_id)
    locked = await lock_accounts_and_debts(tx, [(seen.brand_id, seen.member_id)])
    adjustment = await _decide(tx, actor, seen, AdjustmentStatus.APPLIED, None)
    policy = await _check(
        tx, seen.brand_id, adjustment.member_id, adjustment.asset, adjustment.amount
    )
    book = await _booked(tx, actor, adjustment, policy, *locked, book or Book(new_id))
    await write_members_side(tx, book)
    await _log(tx, actor, "adjustment.approve", adjustment, adjustment.reason)
    await write_brands_side(tx, book)
    return adjustment


async def reject_adjustment(tx: Tx, actor: Actor, adjustment_id: UUID, reason: str) -> Adjustment:
    """Turn down what another operator has proposed: the adjustment, REJECTED. Refuses NotFound
    (adjustment), AdjustmentStateWrong, SecondOperatorNeeded and InvalidInput."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    seen = await get_adjustment(tx, actor.brand_id, adjustment_id)
    adjustment = await _decide(tx, actor, seen, AdjustmentStatus.REJECTED, reason)
    await _log(tx, actor, "adjustment.reject", adjustment, reason)
    return adjustment


async def _check(
    tx: Tx, brand_id: UUID, member_id: UUID, asset: str, amount: int
) -> AssetDefinition:
    await require_active_member(tx, brand_id, member_id)
    policy = await require_asset(tx, brand_id, asset)
    if amount > 0 and policy.status == AssetStatus.RETIRED.value:
        raise AssetRetired(asset=asset)
    return policy


async def _decide(
    tx: Tx, actor: Actor, seen: Adjustment, status: AdjustmentStatus, reason: str | None
) -> Adjustment:
    is_decided = await queries.decide(tx, seen, status, actor.id, reason)
    adjustment = await get_adjustment(tx, seen.brand_id, seen.id)
    if is_decided:
        return adjustment
    if adjustment.status != AdjustmentStatus.PROPOSED.value:
        raise AdjustmentStateWrong(status=adjustment.status, wanted=status.value)
    if adjustment.proposed_by_id == actor.id:
        raise SecondOperatorNeeded()
    raise RetryTransaction  # its member was merged into another in this very moment


async def _booked(
    tx: Tx,
    actor: Actor,
    adjustment: Adjustment,
    policy: AssetDefinition,
    has: dict[tuple[UUID, UUID, str], AccountState],
    owes: dict[tuple[UUID, UUID, str], AccountState],
    book: Book,
) -> Book:
    """The adjustment's transfers, of accounts that are locked."""
    brand_id, asset = adjustment.brand_id, adjustment.asset
    key = (brand_id, adjustment.member_id, asset)
    today = local_date(tx.now, (await get_brand(tx, brand_id)).timezone)
    cause = Cause(
        "ADJUSTMENT", adjustment.id, actor.kind.value, actor.id, adjustment.reason, tx.now
    )
    account = has.get(key)
    if adjustment.amount < 0:
        if account is None:
            raise InsufficientBalance(available=0, wanted=-adjustment.amount)
        parts = await spend_parts(tx, account, -adjustment.amount, today)
        reversed_ = await brand_books(tx, [brand_id], AccountKind.REVERSED)
        book.take(account, reversed_[brand_id, brand_id, asset], parts, TransferKind.ADJUST, cause)
        return book
    if account is None:
        account = AccountState(brand_id, new_id(), adjustment.member_id, asset, is_new=True)
    if account.balance + adjustment.amount > BALANCE_MAX:
        raise InvalidInput(field="amount", problem=f"no balance passes {BALANCE_MAX}")
    expiry = expiry_from_json(policy.expiry)
    until = expiry.last_day(today)
    if expiry.is_extended and not account.is_new:
        book.extend(account, today, until)
    issuance = await brand_books(tx, [brand_id], AccountKind.ISSUANCE)
    book.credit(
        issuance[brand_id, brand_id, asset],
        account,
        adjustment.amount,
        cause,
        campaign_id=None,
        expires_on=until,
        owed=owes.get(key),
        kind=TransferKind.ADJUST.value,
    )
    return book


async def _log(tx: Tx, actor: Actor, action: str, adjustment: Adjustment, reason: str) -> None:
    await audit_log.record(
        tx,
        actor,
        action,
        adjustment.id,
        reason,
        member=adjustment.member_id.hex,
        asset=adjustment.asset,
        amount=adjustment.amount,
    )
