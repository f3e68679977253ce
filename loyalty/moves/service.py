"""Verbs of moves: value goes from one member to another, in one step or in many linked ones."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from loyalty.actor import Actor
from loyalty.assets.service import list_assets, require_asset
from loyalty.clock import local_date
from loyalty.db import Tx
from loyalty.errors import InvalidInput, NotFound
from loyalty.ids import new_id
from loyalty.ledger.rules import Book, Cause, Movement
from loyalty.ledger.service import (
    REASON_LENGTH_MAX,
    check_amount,
    find_free_lots,
    lock_member_accounts,
    write_members_side,
)
from loyalty.members.rules import check_active
from loyalty.members.service import list_members_by_ids
from loyalty.moves.rules import LEGS_MAX, Leg, MoveWorld, check_sides, named
from loyalty.text import checked_text


async def move_balance(
    tx: Tx,
    actor: Actor,
    *,
    from_member_id: UUID,
    to_member_id: UUID,
    asset: str,
    amount: int,
    reason: str,
    timezone: str,
    command_id: UUID,
    book: Book | None = None,
) -> list[Movement]:
    """Move spendable value from one member to another of the brand, soonest expiry first.

    Refuses InsufficientBalance, SameAccount, NotFound (asset) and InvalidInput. The members are
    known to exist; dates of lots are kept, so that nobody's points live longer by being moved.
    """
    leg = Leg(from_member_id, to_member_id, asset, amount)
    check_sides(leg)
    check_amount(amount)
    await require_asset(tx, actor.brand_id, asset)
    cause = _cause(tx, actor, reason, command_id)
    today = local_date(tx.now, timezone)
    world = await _load(tx, actor.brand_id, [leg], cause, today, book)
    moved = world.move(leg)
    await write_members_side(tx, world.book)
    return moved


async def move_balances(
    tx: Tx,
    actor: Actor,
    legs: Sequence[Leg],
    *,
    reason: str,
    timezone: str,
    command_id: UUID,
    book: Book | None = None,
) -> list[list[Movement]]:
    """Move value between members, all of up to LEGS_MAX legs or none, in their order: what one leg
    brings the next may pass on. The transfers of each leg. ``book`` is an empty one, for who wants
    to see afterwards what moved.

    Refuses what ``move_balance`` does, and NotFound (member), MemberFrozen and MemberClosed, each
    with ``leg`` in its details: the failing one, counted from 0.
    """
    brand_id = actor.brand_id
    if not 1 <= len(legs) <= LEGS_MAX:
        raise InvalidInput(field="legs", problem=f"1 to {LEGS_MAX}")
    cause = _cause(tx, actor, reason, command_id)
    assets = {asset.code for asset in await list_assets(tx, brand_id)}
    ids = {id for leg in legs for id in (leg.from_member_id, leg.to_member_id)}
    members = {row.id: row for row in await list_members_by_ids(tx, brand_id, sorted(ids))}
    for leg_no, leg in enumerate(legs):
        with named(leg_no):
            check_active(members.get(leg.from_member_id))
            check_active(members.get(leg.to_member_id))
            check_sides(leg)
            check_amount(leg.amount, f"legs[{leg_no}].amount")
            if leg.asset not in assets:
                raise NotFound(noun="asset")
    world = await _load(tx, brand_id, legs, cause, local_date(tx.now, timezone), book)
    moved = []
    for leg_no, leg in enumerate(legs):
        with named(leg_no):
            moved.append(world.move(leg))
    await write_members_side(tx, world.book)
    return moved


def _cause(tx: Tx, actor: Actor, reason: str, command_id: UUID) -> Cause:
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    return Cause("OPERATOR", command_id, actor.kind.value, actor.id, reason, tx.now)


async def _load(
    tx: Tx,
    brand_id: UUID,
    legs: Sequence[Leg],
    cause: Cause,
    on: date,
    book: Book | None = None,
) -> MoveWorld:
    owners = {(brand_id, id) for leg in legs for id in (leg.from_member_id, leg.to_member_id)}
    accounts = await lock_member_accounts(tx, owners)
    book = book or Book(new_id)
    lots = await find_free_lots(tx, book, accounts.values(), on)
    return MoveWorld(brand_id, accounts, lots, book, cause, on)
