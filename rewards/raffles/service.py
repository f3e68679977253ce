"""The verbs of raffles: announcing one, entering it, cancelling it. What follows its end is in
``drawing.py``.

Whoever enters keeps the raffle as it is until the entry is there, and whoever ends it waits for
them: of every entry it is known whether it takes part. The raffle is locked before accounts are.
"""

import secrets
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.service import assets_by_code
from loyalty.brands.models import Brand
from loyalty.brands.rules import member_dates, member_days_from_json
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import (
    AlreadyExists,
    AssetRetired,
    InsufficientBalance,
    NotFound,
    RaffleEntriesUsedUp,
    RaffleNotForMember,
    RaffleNotOpen,
    RaffleStateWrong,
)
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause
from loyalty.members.models import Member
from loyalty.members.service import enrol
from loyalty.text import checked_text
from rewards.conditions.facts import Facts, calendar_facts, member_facts
from rewards.conditions.rules import ConditionFailed
from rewards.coupons import service as coupons
from rewards.draws.rules import SEED_BYTES, hash_of
from rewards.raffles import queries
from rewards.raffles.models import Raffle, RaffleEntry, RaffleStatus
from rewards.raffles.queries import get_raffle, list_raffles_by_ids
from rewards.raffles.rules import (
    REASON_LENGTH_MAX,
    RaffleDefinition,
    assets_named,
    audience_of,
    budgets_to_json,
    check_coupons,
    check_definition,
    coupons_at_most,
    table_to_json,
    worst_case,
)
from tiers.ladders.service import current_ladders
from tiers.standings.service import rank_on

# Other rooms may call this service and never the queries: the last two are the reads they need.
__all__ = [
    "ENTRY",
    "cancel_raffle",
    "create_raffle",
    "enter_raffle",
    "get_raffle",
    "list_raffles_by_ids",
]

ENTRY = "RAFFLE_ENTRY"
"""The kind of cause of what entries cost."""


async def create_raffle(
    tx: Tx, actor: Actor, keyring: Keyring, definition: RaffleDefinition
) -> Raffle:
    """Announce a raffle of the actor's brand, for good, with the hash of its seed: the seed itself
    is made here and sealed, and nobody reads it before the winners are drawn.

    Refuses InvalidInput (with the field's path), NotFound (asset, coupon template), AssetRetired,
    AlreadyExists (code).
    """
    brand = await get_brand(tx, actor.brand_id)
    check_definition(definition, tx.now, brand.prize_ceiling_fen)
    await _require_assets(tx, brand.id, definition)
    await _require_coupons(tx, brand, definition)
    seed = secrets.token_bytes(SEED_BYTES)
    asset, amount = definition.cost or (None, None)
    raffle = Raffle(
        brand_id=brand.id,
        code=definition.code,
        name_zh=definition.name_zh.strip(),
        name_en=definition.name_en.strip(),
        opens_at=definition.opens_at,
        closes_at=definition.closes_at,
        cost_asset=asset,
        cost_amount=amount,
        entries_max=definition.entries_max,
        condition=definition.condition,
        prize_table=table_to_json(definition.table),
        budgets=budgets_to_json(definition.budgets),
        sealed=keyring.seal_seed(brand.id, seed),
        seed_hash=hash_of(seed),
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(raffle):
        raise AlreadyExists(noun="raffle", field="code")
    worst = worst_case(definition.table)
    await audit_log.record(tx, actor, "raffle.create", raffle.id, code=raffle.code, worst=worst)
    return await get_raffle(tx, brand.id, raffle.id)


async def _require_assets(tx: Tx, brand_id: UUID, definition: RaffleDefinition) -> None:
    assets = await assets_by_code(tx, brand_id)
    named = assets_named(definition)
    if named - set(assets):
        raise NotFound(noun="asset")
    for asset in sorted(named):
        if assets[asset].status != AssetStatus.ACTIVE:
            raise AssetRetired(asset=asset)


async def _require_coupons(tx: Tx, brand: Brand, definition: RaffleDefinition) -> None:
    """There are as many as any pool may win, on the day on which winners are drawn."""
    ids = sorted(coupons_at_most(definition.table))
    if not ids:
        return
    templates = await coupons.templates_by_id(tx, brand.id, ids)
    if set(ids) - set(templates):
        raise NotFound(noun="coupon template")
    stock = await coupons.find_stock(tx, [(brand.id, id) for id in ids])
    left = {template_id: left for (_, template_id), left in stock.items()}
    on = local_date(definition.closes_at, brand.timezone)
    check_coupons(definition.table, templates, left, on)


# --- entering ----------------------------------------------------------------------------------


async def enter_raffle(tx: Tx, actor: Actor, raffle_id: UUID) -> RaffleEntry:
    """One more entry of the calling member, paid at once, soonest expiry first.

    Refuses what ``members.enrol`` refuses, NotFound (raffle), RaffleNotOpen, RaffleNotForMember,
    RaffleEntriesUsedUp, InsufficientBalance; raises RetryTransaction when another entry of the
    member came first.
    """
    member = await enrol(tx, actor)
    brand = await get_brand(tx, actor.brand_id)
    # Whoever comes late does not keep it from being closed.
    _refuse_closed(await get_raffle(tx, brand.id, raffle_id), tx.now, brand.timezone)
    raffle = await queries.keep_raffle(tx, brand.id, raffle_id)
    if raffle is None:
        raise NotFound(noun="raffle")
    _refuse_closed(raffle, tx.now, brand.timezone)
    if raffle.condition is not None:
        facts = await _facts_of(tx, brand, member)
        if not _holds(raffle.condition, facts):
            raise RaffleNotForMember()
    entered = await queries.count_entries(tx, brand.id, raffle.id, member.id)
    if entered >= raffle.entries_max:
        raise RaffleEntriesUsedUp(entries_max=raffle.entries_max)
    entry = RaffleEntry(
        brand_id=brand.id,
        raffle_id=raffle.id,
        member_id=member.id,
        number=entered + 1,
        entrant_id=member.id,
        created_at=tx.now,
    )
    book = await _pay(tx, actor, raffle, entry, brand.timezone)
    if not await tx.insert_if_absent(entry):
        raise RetryTransaction  # another entry of this member came first
    await ledger.write_brands_side(tx, book)
    return entry


async def _pay(tx: Tx, actor: Actor, raffle: Raffle, entry: RaffleEntry, timezone: str) -> Book:
    """What an entry costs; the brand's side is still to be written. A member that pays nothing is
    kept from being merged meanwhile all the same."""
    book = Book(new_id)
    owner = (entry.brand_id, entry.member_id)
    if raffle.cost_asset is None or raffle.cost_amount is None:
        await ledger.lock_member_accounts(tx, [owner])
        return book
    cause = Cause(ENTRY, entry.id, actor.kind.value, actor.id, f"raffle {raffle.code}", tx.now)
    today = local_date(tx.now, timezone)
    asset = raffle.cost_asset
    try:
        await ledger.spend_balance(tx, book, owner, asset, raffle.cost_amount, cause, today)
    except InsufficientBalance as short:
        raise InsufficientBalance(asset=asset, **short.details) from short
    await ledger.write_members_side(tx, book)
    return book


def _refuse_closed(raffle: Raffle, now: datetime, timezone: str) -> None:
    reason = None
    if raffle.status == RaffleStatus.CANCELLED:
        reason = "CANCELLED"
    elif now < raffle.opens_at:
        reason = "NOT_YET"
    elif now >= raffle.closes_at or raffle.status != RaffleStatus.OPEN:
        reason = "OVER"
    if reason is not None:
        opens_at, closes_at = (
            at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")
            for at in (raffle.opens_at, raffle.closes_at)
        )
        raise RaffleNotOpen(reason=reason, opens_at=opens_at, closes_at=closes_at)


async def _facts_of(tx: Tx, brand: Brand, member: Member) -> Facts:
    """What the condition of a raffle may read of a member, now."""
    ladder = (await current_ladders(tx, brand.id)).get(member.role)
    rank = await rank_on(tx, brand.id, member.id, local_date(tx.now, brand.timezone))
    known = ladder is not None and rank <= ladder.top
    days = member_dates(member_days_from_json(brand.member_days))
    return {
        "member": member_facts(
            role=member.role,
            is_new=member.enrolled_at == tx.now,
            invited_by_id=member.invited_by_id,
            joined_at=member.enrolled_at,
            birthday=member.birthday,
            at=tx.now,
            timezone=brand.timezone,
        ),
        "tier": {"rank": rank, "code": ladder.level(rank).code if ladder and known else ""},
        "calendar": calendar_facts(tx.now, brand.timezone, days),
    }


def _holds(condition: str, facts: Facts) -> bool:
    try:
        return audience_of(condition).holds(facts)
    except ConditionFailed:
        return False  # on these facts it says nothing, and so does not hold


# --- cancelling --------------------------------------------------------------------------------


async def cancel_raffle(tx: Tx, actor: Actor, raffle_id: UUID, reason: str) -> Raffle:
    """End a raffle whose winners are not drawn yet. What its entries cost goes back into the lots
    it came from, by and by.

    Refuses NotFound, InvalidInput and RaffleStateWrong.
    """
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    raffle = await queries.lock_raffle(tx, actor.brand_id, raffle_id)
    if raffle is None:
        raise NotFound(noun="raffle")
    if raffle.status not in (RaffleStatus.OPEN, RaffleStatus.CLOSED):
        raise RaffleStateWrong(status=raffle.status, wanted=RaffleStatus.CANCELLED.value)
    values = {
        "status": RaffleStatus.CANCELLED.value,
        "reason": reason,
        "cancelled_at": tx.now,
        "progress_id": None,
    }
    await queries.change_raffle(tx, raffle, values)
    await audit_log.record(tx, actor, "raffle.cancel", raffle.id, reason)
    return await get_raffle(tx, actor.brand_id, raffle_id)
