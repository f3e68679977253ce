"""Open a world of grants, and write what was decided in it.

One global order of locks, by table and then by key: members and their accounts first, claims and
events after, and the brand's hottest rows (counters, budgets, issuance) last.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

import orjson

from loyalty import outbox
from loyalty.assets.service import assets_by_code
from loyalty.brands.rules import member_dates, member_days_from_json
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book
from loyalty.products.service import products_by_id
from loyalty.regions.service import regions_of
from loyalty.reversals.rules import Credited
from loyalty.reversals.service import find_credits
from loyalty.segments.service import find_codes
from loyalty.withholdings import service as withholdings
from rewards.campaigns import service as campaigns
from rewards.campaigns.models import UnlockKind
from rewards.conditions.facts import SEGMENTS
from rewards.coupons import service as coupons
from rewards.draws.rules import MEMBER_COUNTER
from rewards.grants import queries
from rewards.grants.models import Bonus, LockedReward
from rewards.grants.stacking import told
from rewards.grants.world import (
    BrandConfiguration,
    CounterKey,
    GrantWorld,
    LockedState,
    StockKey,
)
from tiers.ladders.service import current_ladders
from tiers.standings.loading import load_tiers, write_tiers


class ConfigurationCache(dict[UUID, BrandConfiguration]):
    """Brands' configurations, held between transactions, and what opens the seeds of their draws:
    without ``keyring`` no campaign with a draw runs."""

    def __init__(self, keyring: Keyring | None = None) -> None:
        super().__init__()
        self.keyring = keyring


async def load_configuration(snapshot: Snapshot, brand_id: UUID) -> BrandConfiguration:
    """Everything rules need to know of a brand. Read inside one snapshot or transaction."""
    brand = await get_brand(snapshot, brand_id)
    live = await campaigns.live_campaigns(snapshot, brand_id)
    awaited = await campaigns.kinds_awaited(snapshot, brand_id)
    return BrandConfiguration(
        id=brand.id,
        revision=brand.revision,
        timezone=brand.timezone,
        assets=await assets_by_code(snapshot, brand_id),
        campaigns=live,
        ladders=await current_ladders(snapshot, brand_id),
        products=await products_by_id(snapshot, brand_id),
        coupon_templates=await coupons.templates_by_id(
            snapshot, brand_id, live.coupon_template_ids()
        ),
        asks_segments=live.reads(SEGMENTS),
        has_scan_locks=UnlockKind.NEXT_SCAN in awaited,
        has_inner_locks=UnlockKind.INNER_SCAN in awaited,
        has_box_locks=UnlockKind.BOX_BOTTLES in awaited,
        has_taken_gates=UnlockKind.TAKEN in awaited,
        member_dates=member_dates(member_days_from_json(brand.member_days)),
        withholding=await withholdings.terms_of(snapshot, brand),
        regions=await regions_of(snapshot, brand_id) if live.asks_where() else (),
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
    tx: Tx,
    world: GrantWorld,
    members: Iterable[tuple[UUID, UUID]],
    new_members: Collection[tuple[UUID, UUID]] = (),
    first_days: Mapping[tuple[UUID, UUID], date] | None = None,
) -> None:
    """Lock the accounts of (brand_id, member_id) pairs, then read what only that lock protects;
    ``new_members`` were enrolled in this very transaction. ``first_days`` are the local days
    of their first events, where those are not of today. Refuses MemberClosed."""
    pairs = sorted(set(members))
    await lock_members(tx, world, pairs, new_members)
    await load_ranks(tx, world, pairs, first_days)


async def lock_members(
    tx: Tx,
    world: GrantWorld,
    members: Collection[tuple[UUID, UUID]],
    new_members: Collection[tuple[UUID, UUID]] = (),
) -> None:
    """The first half of ``load_members_side``, which the other must follow."""
    world.accounts, world.owed = await ledger.lock_accounts_and_debts(
        tx, members, new_owners=new_members
    )


async def load_ranks(
    tx: Tx,
    world: GrantWorld,
    members: Collection[tuple[UUID, UUID]],
    first_days: Mapping[tuple[UUID, UUID], date] | None = None,
) -> None:
    """The other half of ``load_members_side``."""
    asking = [pair for pair in members if world.brands[pair[0]].asks_segments]
    days = [(*pair, _first_day(tx, world, pair, first_days)) for pair in members]
    tiers = load_tiers(tx, world.brands, days)
    if asking:
        world.tiers, world.segments = await tx.together(tiers, find_codes(tx, asking))
    else:
        world.tiers = await tiers


def _first_day(
    tx: Tx,
    world: GrantWorld,
    pair: tuple[UUID, UUID],
    first_days: Mapping[tuple[UUID, UUID], date] | None,
) -> date:
    today = local_date(tx.now, world.brands[pair[0]].timezone)
    return min(today, (first_days or {}).get(pair, today))


async def load_brands_side(
    tx: Tx,
    world: GrantWorld,
    campaign_keys: Iterable[tuple[UUID, UUID]],
    counter_keys: Iterable[CounterKey],
    stock_keys: Collection[StockKey] = (),
) -> None:
    """Read issuance accounts, budgets, counters and the stock of coupons: unlocked, guarded when
    they are written. Where no campaign gives coupons, nothing is asked of them."""
    asked = [
        ledger.issuance_accounts(tx, world.brands),
        campaigns.find_budgets(tx, campaign_keys),
        campaigns.find_counters(tx, counter_keys),
    ]
    if stock_keys:
        asked.append(coupons.find_stock(tx, stock_keys))
    world.issuance, world.budgets, world.counters, *stock = await tx.together(*asked)
    if stock:
        world.stock = stock[0]


async def load_budgets(
    tx: Tx, world: GrantWorld, campaign_keys: Iterable[tuple[UUID, UUID]]
) -> None:
    """Read the budgets of more (brand_id, campaign_id) pairs, as ``load_brands_side`` does."""
    world.budgets |= await campaigns.find_budgets(tx, campaign_keys)


async def load_locked_by_item(tx: Tx, world: GrantWorld, keys: Iterable[tuple[UUID, str]]) -> None:
    """Read the locked rewards that wait for items' scans: (brand_id, unlock_key) pairs."""
    note_locked(world, await queries.list_locked_by_item(tx, sorted(set(keys))))


async def load_waiting(tx: Tx, world: GrantWorld, keys: Iterable[tuple[UUID, UUID, str]]) -> None:
    """Read the locked rewards that wait for what members do: (brand_id, member_id, unlock_key).
    The members' accounts are locked, and these rewards change only under that lock."""
    note_locked(world, await queries.list_waiting(tx, sorted(set(keys))))


async def load_locked_by_cause(
    tx: Tx, world: GrantWorld, keys: Iterable[tuple[UUID, UUID]]
) -> list[LockedState]:
    """Read what is still locked of what (brand_id, cause_id) scans or purchases granted."""
    return note_locked(world, await queries.list_locked_by_cause(tx, sorted(set(keys))))


async def list_granted_locked(
    tx: Tx, brand_id: UUID, cause_ids: Collection[UUID]
) -> list[LockedReward]:
    """All that scans or purchases ever locked, also what is no longer locked."""
    return await queries.list_granted(tx, brand_id, cause_ids)


async def list_bonuses(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Collection[UUID]
) -> list[Bonus]:
    """What became of the bonus campaigns of scans, purchases or events: each one's by group."""
    return await queries.list_bonuses(snapshot, brand_id, cause_ids)


async def list_granted_credits(
    tx: Tx, brand_id: UUID, member_ids: Collection[UUID], cause_ids: Collection[UUID]
) -> list[Credited]:
    """What events gave to members at once, and what of theirs was locked and unlocked later: maybe
    for others, into whom they were merged by then."""
    locked = await list_granted_locked(tx, brand_id, cause_ids)
    having = {*member_ids, *(reward.member_id for reward in locked)}
    return await find_credits(tx, brand_id, [(id, cause) for id in having for cause in cause_ids])


async def load_locked(
    tx: Tx, world: GrantWorld, keys: Iterable[tuple[UUID, UUID]]
) -> list[LockedState]:
    """Read what is still locked of (brand_id, id) rewards, oldest first."""
    return note_locked(world, await queries.list_locked(tx, sorted(set(keys))))


async def know_templates(tx: Tx, world: GrantWorld) -> None:
    """Learn what coupons that wait are of, where no campaign that runs gives them any more. To be
    asked once all that is locked has been read."""
    unknown: dict[UUID, set[UUID]] = {}
    for state in world.states():
        known = world.brands[state.brand_id].coupon_templates
        if state.template_id is not None and state.template_id not in known:
            unknown.setdefault(state.brand_id, set()).add(state.template_id)
    for brand_id, ids in sorted(unknown.items()):
        found = await coupons.templates_by_id(tx, brand_id, ids)
        world.brands[brand_id].coupon_templates.update(found)


def note_locked(world: GrantWorld, states: Sequence[LockedState]) -> list[LockedState]:
    """What was read; what is known already of whoever awaits a consumer stays as it is."""
    known = {each.id: each for awaited in world.awaited.values() for each in awaited.rewards}
    for state in states:
        if state.id not in known:
            world.locked.setdefault(state.wait_key, []).append(state)
    return [known.get(state.id, state) for state in states]


async def write_members_side(tx: Tx, world: GrantWorld) -> None:
    """Write what belongs to members: accounts, lots, transfers, locked rewards, standings,
    coupons."""
    await ledger.write_members_side(tx, world.book)
    await withholdings.write(tx, world.withheld)
    await _write_locked(tx, world)
    await write_tiers(tx, world.tiers.values(), world.book)
    await coupons.write_coupons(tx, world.coupons)
    await _write_bonuses(tx, world)
    await outbox.emit(tx, world.facts)


async def write_brands_side(tx: Tx, world: GrantWorld) -> None:
    """Write the hottest rows, after everything else: counters, budgets, stock, issuance."""
    world.counted = await campaigns.write_counters(tx, world.counter_moves)
    # Who has no account is locked by none: its draws may have been counted elsewhere meanwhile.
    for key, stands_at in world.counted.items():
        if key[2] == MEMBER_COUNTER and stands_at != world.counters[key]:
            raise RetryTransaction
    await campaigns.write_budgets(
        tx, {key: (move.spent, move.reserved) for key, move in world.budget_moves.items()}
    )
    await coupons.take_stock(tx, world.stock_moves)
    await ledger.write_brands_side(tx, world.book)


def _locked_row(state: LockedState, world: GrantWorld) -> tuple[object, ...]:
    unlock, end_id = state.unlock, state.resolved_by_id
    return (
        state.brand_id,
        state.id,
        state.member_id,
        state.campaign_id,
        state.asset,
        state.amount,
        state.cause_id,
        unlock.kind.value,
        unlock.key,
        state.count,
        unlock.unlocks_at,
        unlock.lapses_at,
        unlock.box_item_no,
        state.status.value,
        end_id,
        world.now if end_id else None,
        world.now,
        state.template_id,
        state.draw_id,
    )


async def _write_bonuses(tx: Tx, world: GrantWorld) -> None:
    rows = [
        (
            brand_id,
            given.cause.id,
            given.campaign.bonus.group,
            given.cause.kind,
            given.campaign.id,
            given.campaign.version_id,
            given.guide.id if given.guide else None,
            given.unpaid.value if given.unpaid else None,
            orjson.dumps(told(given)).decode(),
            world.now,
        )
        for brand_id, given in world.bonuses
        if given.campaign.bonus is not None
    ]
    if rows:
        await tx.write(queries.INSERT_BONUSES, rows=rows)


async def _write_locked(tx: Tx, world: GrantWorld) -> None:
    """Write new locked rewards, and what became of those that were read; RetryTransaction when
    another process was first."""
    new, resolved, counted = [], [], []
    for state in world.states():
        key = (state.brand_id, state.id)
        if state.is_new:
            new.append(_locked_row(state, world))
        elif state.resolved_by_id is not None:
            resolved.append((*key, state.status.value, state.count, state.resolved_by_id))
        elif state.count != state.count_read:
            counted.append((*key, state.count, state.count_read))
    if new:
        await tx.write(queries.INSERT_LOCKED, rows=new)
    if resolved:
        await tx.write(
            queries.RESOLVE_LOCKED, expected=len(resolved), resolved=sorted(resolved), now=tx.now
        )
    if counted:
        await tx.write(queries.COUNT_LOCKED, expected=len(counted), counted=sorted(counted))
