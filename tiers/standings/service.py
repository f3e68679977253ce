"""Verbs of standings. What events do to them is in ``folding.py``."""

from datetime import date
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput, LevelByInvitation, NotFound
from loyalty.ids import new_id
from loyalty.ledger.models import Asset
from loyalty.ledger.rules import Book
from loyalty.ledger.service import lock_member_accounts
from loyalty.text import checked_text
from tiers.ladders.rules import LadderView
from tiers.ladders.service import current_ladders
from tiers.standings import queries
from tiers.standings.folding import (
    MemberTier,
    TierEvent,
    catch_up,
    let_go,
    put_grant,
    put_held,
)
from tiers.standings.loading import BrandTiers, load_tiers, read_tiers, write_tiers
from tiers.standings.models import Basis, Standing
from tiers.standings.rules import TierGrant, better_of

LAST_DAY = date(2999, 12, 31)
"""A grant ends, if it ends, in a time that calendars reach beyond."""
REASON_LENGTH_MAX = 500
"""Of what an operator says about a grant."""


async def brand_tiers(snapshot: Snapshot, brand_id: UUID) -> BrandTiers:
    """A brand's time zone and newest ladders. Refuses NotFound (brand)."""
    brand = await get_brand(snapshot, brand_id)
    return BrandTiers(brand.timezone, await current_ladders(snapshot, brand_id), brand.revision)


# --- grants ------------------------------------------------------------------------------------


async def grant_tier(
    tx: Tx,
    actor: Actor,
    *,
    member_id: UUID,
    rank: int,
    until: date,
    reason: str,
) -> MemberTier:
    """Let a member hold a level to a last good day, whatever it earns; it goes on earning beneath.
    A grant replaces the one before.

    Refuses NotFound (member, ladder, level), LevelByInvitation, and InvalidInput for a day that is
    over or no reason.
    """
    return await _put_grant(
        tx, actor, member_id, rank, Basis.GRANTED, until, reason, action="grantTier"
    )


async def invite_to_tier(
    tx: Tx,
    actor: Actor,
    *,
    member_id: UUID,
    rank: int,
    until: date | None,
    reason: str,
) -> MemberTier:
    """Let a member hold a level that is by invitation only; ``until`` None: until the invitation is
    taken back. It replaces a grant. Refuses as ``grant_tier`` does."""
    return await _put_grant(
        tx, actor, member_id, rank, Basis.INVITED, until, reason, action="inviteToTier"
    )


async def end_tier_grant(tx: Tx, actor: Actor, *, member_id: UUID, reason: str) -> MemberTier:
    """Take back a grant or an invitation: the member holds what it has earned. Refuses NotFound
    (member, tier grant) and InvalidInput for no reason."""
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    tier, today = await _lock_tier(tx, actor.brand_id, member_id)
    if tier.held.grant is None:
        raise NotFound(noun="tier grant")
    put_grant(tier, None, today, tx.now, new_id, note=reason)
    await write_tiers(tx, [tier])
    await audit_log.record(tx, actor, "endTierGrant", member_id, reason)
    return tier


async def _put_grant(
    tx: Tx,
    actor: Actor,
    member_id: UUID,
    rank: int,
    kind: Basis,
    until: date | None,
    reason: str,
    *,
    action: str,
) -> MemberTier:
    reason = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    tier, today = await _lock_tier(tx, actor.brand_id, member_id)
    if tier.ladder is None:
        raise NotFound(noun="ladder")
    if not 1 <= rank <= tier.ladder.top:
        raise NotFound(noun="level")
    if tier.ladder.level(rank).invitation_only != (kind is Basis.INVITED):
        raise LevelByInvitation(level=tier.ladder.level(rank).code)
    if until is not None and until < today:
        raise InvalidInput(field="until", problem="is over")
    if until is not None and until > LAST_DAY:
        raise InvalidInput(field="until", problem=f"{LAST_DAY} at the latest")
    grant = TierGrant(rank, kind, until, reason)
    put_grant(tier, grant, today, tx.now, new_id, note=reason)
    await write_tiers(tx, [tier])
    await audit_log.record(
        tx, actor, action, member_id, reason, rank=rank, until=until.isoformat() if until else None
    )
    return tier


async def _lock_tier(tx: Tx, brand_id: UUID, member_id: UUID) -> tuple[MemberTier, date]:
    """A member's tier as it is today; its accounts are locked, so no event goes on meanwhile."""
    rules = await brand_tiers(tx, brand_id)
    today = local_date(tx.now, rules.timezone)
    await lock_member_accounts(tx, [(brand_id, member_id)])
    tiers = await load_tiers(tx, {brand_id: rules}, [(brand_id, member_id, today)])
    if not tiers:
        raise NotFound(noun="member")
    tier = tiers[brand_id, member_id]
    catch_up(tier, today, new_id)
    return tier, today


# --- two members become one --------------------------------------------------------------------


async def merge_tiers(
    tx: Tx, brand_id: UUID, *, from_id: UUID, into_id: UUID, merge: TierEvent, book: Book
) -> None:
    """Give one member's qualifying days and standing to another of its role: the better standing
    stays, days add up, and what they earn together counts at once. ``merge`` is what is behind the
    changes, and ``book`` what it moved.

    The caller has locked both members' accounts and moved their growth. A ladder that counts
    something else later on finds the history of both.
    """
    rules = {brand_id: await brand_tiers(tx, brand_id)}
    today = local_date(tx.now, rules[brand_id].timezone)
    old_key, key = (brand_id, from_id), (brand_id, into_id)
    tiers = await load_tiers(tx, rules, [(*old_key, today), (*key, today)])
    for tier in tiers.values():
        catch_up(tier, today, new_id)
    better = better_of(tiers[old_key].held, tiers[key].held)
    let_go(tiers[old_key], merge, new_id)
    await write_tiers(tx, tiers.values(), _counting(book, tiers[old_key].ladder))
    await tx.fetch(queries.MOVE_DAYS, into_id=into_id, brand_id=brand_id, from_id=from_id)
    await tx.fetch(queries.CLEAR_MEMBER, brand_id=brand_id, member_id=from_id)
    kept = (await load_tiers(tx, rules, [(*key, today)]))[key]
    put_held(kept, better, today, merge, new_id)
    await write_tiers(tx, [kept], _counting(book, kept.ladder))


def _counting(book: Book, ladder: LadderView | None) -> Book:
    """What moved of the asset that a ladder counts, if it counts one."""
    counted = Book(new_id)
    policy = ladder.policy if ladder else None
    asset = Asset.GROWTH if policy is None or policy.counts_balance else policy.metric_asset
    counted.movements += [move for move in book.movements if move.credit.asset == asset]
    return counted


async def rank_on(snapshot: Snapshot, brand_id: UUID, member_id: UUID, day: date) -> int:
    """The rank at which a member stands on a local day, today or later: also where nobody has
    looked at its standing since it was due. One statement, and some more then."""
    key = (brand_id, member_id)
    standing = await snapshot.session.get(Standing, key, populate_existing=True)
    if standing is None:
        return 0
    if standing.due_on is None or standing.due_on > day:
        return standing.rank
    rules = await brand_tiers(snapshot, brand_id)
    [tier] = await read_tiers(snapshot, brand_id, rules, [member_id], day)
    catch_up(tier, day, new_id)
    return tier.rank
