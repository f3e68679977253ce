"""Pure: what one member has goes to another, in the books. No I/O, no clock, no session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from loyalty.errors import BalanceHeld, RolesDiffer
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.rules import AccountState, Book, Cause, plan_return
from loyalty.members.models import Member
from loyalty.members.rules import check_active

AccountsByKey = dict[tuple[UUID, UUID, str], AccountState]
"""By (brand_id, owner_id, asset)."""


@dataclass(frozen=True, slots=True)
class WaitingCredit:
    """A locked reward of the member that goes, and the cause of its pending transfer, whose id it
    shares."""

    id: UUID
    campaign_id: UUID
    asset: str
    amount: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class LockedAnew:
    """A locked reward that was voided (by the transfer ``voided_by_id``) and locked anew for the
    other member, under ``new_id``."""

    id: UUID
    new_id: UUID
    voided_by_id: UUID


@dataclass(slots=True)
class MovedAsset:
    """Of one asset: ``amount`` that was good went over, as did ``owed``; ``repaid`` of what the
    other one owes by then was repaid from what it has."""

    amount: int = 0
    owed: int = 0
    repaid: int = 0


@dataclass(slots=True)
class MergeWorld:
    """Both members' accounts, locked, and what is known under that lock. ``lots`` are free lots
    that are good on the local day ``on``, by account; ``waiting`` is what waits of ``source_id``.
    """

    brand_id: UUID
    source_id: UUID
    target_id: UUID
    book: Book
    has: AccountsByKey
    owes: AccountsByKey
    issuance: AccountsByKey
    lots: dict[UUID, dict[date, int]]
    waiting: Sequence[WaitingCredit]
    cause: Cause
    on: date
    moved: dict[str, MovedAsset] = field(default_factory=dict)
    locked_anew: list[LockedAnew] = field(default_factory=list)

    def asset(self, code: str) -> MovedAsset:
        return self.moved.setdefault(code, MovedAsset())


def check_pair(source: Member, target: Member) -> None:
    """Refuses MemberFrozen, MemberClosed and RolesDiffer."""
    check_active(source)
    check_active(target)
    if source.role != target.role:
        raise RolesDiffer(role=source.role, other=target.role)


def check_nothing_held(source_id: UUID, has: AccountsByKey) -> None:
    """Refuses BalanceHeld: what is held is captured or let go where it was taken."""
    for (_, owner_id, asset), account in sorted(has.items()):
        if owner_id == source_id and account.held:
            raise BalanceHeld(asset=asset, held=account.held)


def move_everything(world: MergeWorld) -> None:
    """Lots that are good move with their dates, what waits is locked anew, debts move; then what
    is both had and owed is repaid. What is past its date stays, and expires where it is."""
    _move_lots(world)
    for credit in world.waiting:
        _lock_anew(world, credit)
    _move_debts(world)
    _repay(world)


def _move_lots(world: MergeWorld) -> None:
    for asset, account in _of(world, world.has, world.source_id):
        free = world.lots[account.id]
        parts = [(on, amount) for on, amount in sorted(free.items()) if amount]
        if not parts:
            continue
        target = _account(world, world.has, asset, AccountKind.MAIN)
        world.book.move(account, target, parts, world.cause)
        there = world.lots.setdefault(target.id, {})
        for expires_on, amount in parts:
            there[expires_on] = there.get(expires_on, 0) + amount
            world.asset(asset).amount += amount


def _lock_anew(world: MergeWorld, credit: WaitingCredit) -> None:
    """Of what granted it the new one tells as the old one did, so that it is found for that."""
    brand_id, asset = world.brand_id, credit.asset
    issuance = world.issuance[brand_id, brand_id, asset]
    voided = world.book.resolve(
        issuance,
        world.has[brand_id, world.source_id, asset],
        credit.amount,
        world.cause,
        pending_id=credit.id,
        campaign_id=credit.campaign_id,
        expires_on=None,
    )
    again = world.book.lock(
        issuance,
        _account(world, world.has, asset, AccountKind.MAIN),
        credit.amount,
        credit.cause,
        campaign_id=credit.campaign_id,
    )
    world.locked_anew.append(LockedAnew(credit.id, again.id, voided.id))


def _move_debts(world: MergeWorld) -> None:
    for asset, account in _of(world, world.owes, world.source_id):
        if account.balance < 0:
            owed = -account.balance
            target = _account(world, world.owes, asset, AccountKind.RECEIVABLE)
            world.book.post(target, account, owed, TransferKind.MOVE.value, world.cause)
            world.asset(asset).owed = owed


def _repay(world: MergeWorld) -> None:
    for asset, debt in _of(world, world.owes, world.target_id):
        account = world.has.get((world.brand_id, world.target_id, asset))
        if account is None or debt.balance >= 0:
            continue
        lots = world.lots.get(account.id, {})
        parts = plan_return(lots.items(), -debt.balance, world.on, None)
        world.book.take(account, debt, parts, TransferKind.REPAY, world.cause)
        world.asset(asset).repaid = sum(amount for _, amount in parts)


def _of(
    world: MergeWorld, accounts: AccountsByKey, owner_id: UUID
) -> list[tuple[str, AccountState]]:
    """One member's accounts, by asset."""
    found = [(key[2], account) for key, account in accounts.items() if key[1] == owner_id]
    return sorted(found, key=lambda pair: pair[0])


def _account(
    world: MergeWorld, accounts: AccountsByKey, asset: str, kind: AccountKind
) -> AccountState:
    """The other member's account, opened in memory if it does not exist yet."""
    key = (world.brand_id, world.target_id, asset)
    account = accounts.get(key)
    if account is None:
        account = accounts[key] = AccountState(
            world.brand_id,
            world.book.new_id(),
            world.target_id,
            asset,
            kind=kind.value,
            is_new=True,
        )
    return account
