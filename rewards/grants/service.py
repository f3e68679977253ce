"""Open a world of grants, and write what was decided in it.

One global order of locks, by table and then by key: members and their accounts first, claims and
events after, and the brand's hottest rows (counters, budgets, issuance) last.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from loyalty import outbox
from loyalty.brands.service import get_brand
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.models import TransferPhase
from loyalty.ledger.rules import Book
from loyalty.products.service import products_by_id
from rewards.campaigns import service as campaigns
from rewards.coupons import service as coupons
from rewards.grants import queries
from rewards.grants.rules import (
    BrandConfiguration,
    CounterKey,
    GrantWorld,
    LockedState,
    StockKey,
)
from tiers.ladders.service import current_ladders
from tiers.standings import service as standings


async def load_configuration(snapshot: Snapshot, brand_id: UUID) -> BrandConfiguration:
    """Everything rules need to know of a brand. Read inside one snapshot or transaction."""
    brand = await get_brand(snapshot, brand_id)
    live = await campaigns.live_campaigns(snapshot, brand_id)
    return BrandConfiguration(
        id=brand.id,
        revision=brand.revision,
        timezone=brand.timezone,
        points_valid_months=brand.points_valid_months,
        campaigns=live,
        ladders=await current_ladders(snapshot, brand_id),
        products=await products_by_id(snapshot, brand_id),
        coupon_templates=await coupons.templates_by_id(
            snapshot, brand_id, live.coupon_template_ids()
        ),
    )


def empty_world(tx: Tx, brands: dict[UUID, BrandConfiguration]) -> GrantWorld:
    """A world that knows its brands and nobody yet."""
    return GrantWorld(
        now=tx.now,
        new_id=new_id,
        new_coupon_code=coupons.new_code,
        book=Book(new_id),
        brands=brands,
    )


async def load_members_side(
    tx: Tx, world: GrantWorld, members: Iterable[tuple[UUID, UUID]]
) -> None:
    """Lock the accounts of (brand_id, member_id) pairs, then read what only that lock protects."""
    pairs = sorted(set(members))
    world.accounts = await ledger.lock_member_accounts(tx, pairs)
    world.ranks = await standings.find_ranks(tx, pairs)


async def load_brands_side(
    tx: Tx,
    world: GrantWorld,
    campaign_keys: Iterable[tuple[UUID, UUID]],
    counter_keys: Iterable[CounterKey],
    stock_keys: Collection[StockKey] = (),
) -> None:
    """Read issuance accounts, budgets, counters and the stock of coupons: unlocked, guarded when
    they are written. Where no campaign gives coupons, nothing is asked of them."""
    world.issuance = await ledger.issuance_accounts(tx, world.brands)
    world.budgets = await campaigns.find_budgets(tx, campaign_keys)
    world.counters = await campaigns.find_counters(tx, counter_keys)
    if stock_keys:
        world.stock = await coupons.find_stock(tx, stock_keys)


async def load_locked(tx: Tx, world: GrantWorld, keys: Iterable[tuple[UUID, str]]) -> None:
    """Read the locked rewards that wait for (brand_id, unlock_key) pairs."""
    pairs = sorted(set(keys))
    if not pairs:
        return
    for row in await tx.fetch(queries.FIND_LOCKED, keys=pairs):
        state = LockedState(*row)
        world.locked.setdefault((state.brand_id, state.unlock_key), []).append(state)


async def write_members_side(tx: Tx, world: GrantWorld) -> None:
    """Write what belongs to members: accounts, lots, transfers, locked rewards, standings,
    coupons."""
    await ledger.write_members_side(tx, world.book)
    await _write_locked(tx, world)
    await standings.write_rises(tx, world.rises)
    await coupons.write_coupons(tx, world.coupons)
    await outbox.emit(tx, world.facts)


async def write_brands_side(tx: Tx, world: GrantWorld) -> None:
    """Write the hottest rows, after everything else: counters, budgets, stock, issuance."""
    await campaigns.write_counters(tx, world.counter_moves)
    await campaigns.write_budgets(
        tx, {key: (move.spent, move.reserved) for key, move in world.budget_moves.items()}
    )
    await coupons.take_stock(tx, world.stock_moves)
    await ledger.write_brands_side(tx, world.book)


def _locked_row(state: LockedState, world: GrantWorld) -> tuple[object, ...]:
    status, resolved_by_id = _locked_end(state)
    return (
        state.brand_id,
        state.id,
        state.member_id,
        state.campaign_id,
        state.asset,
        state.amount,
        state.unlock_key,
        status,
        resolved_by_id,
        world.now,
    )


def _locked_end(state: LockedState) -> tuple[str, UUID | None]:
    if state.resolved_by is None:
        return "LOCKED", None
    posted = state.resolved_by.phase == TransferPhase.POST.value
    return ("UNLOCKED" if posted else "VOIDED"), state.resolved_by.id


async def _write_locked(tx: Tx, world: GrantWorld) -> None:
    states = [state for group in world.locked.values() for state in group]
    new = [_locked_row(state, world) for state in states if state.is_new]
    if new:
        await tx.fetch(queries.INSERT_LOCKED, rows=new)
    resolved = sorted(
        (state.brand_id, state.id, *_locked_end(state))
        for state in states
        if not state.is_new and state.resolved_by is not None
    )
    if resolved and len(await tx.fetch(queries.RESOLVE_LOCKED, resolved=resolved)) != len(resolved):
        raise RetryTransaction  # another process resolved one of them first
