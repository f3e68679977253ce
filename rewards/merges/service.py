"""The verb of merges: two members become one (会员合并)."""

from dataclasses import dataclass
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.ages.service import join_ages
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import SameAccount
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import Book, Cause
from loyalty.members import service as members
from loyalty.members.models import Member
from loyalty.text import checked_text
from rewards.activities.service import note_members
from rewards.merges import queries
from rewards.merges.models import MemberMerge
from rewards.merges.rules import (
    AccountsByKey,
    MergeWorld,
    MovedAsset,
    check_nothing_held,
    check_pair,
    move_everything,
)
from tiers.standings.folding import TierEvent
from tiers.standings.service import merge_tiers

CAUSE_KIND = "MERGE"


@dataclass(frozen=True, slots=True)
class Merged:
    """What went from one member to the other: by asset, and how many coupons and locked rewards."""

    merge_id: UUID
    into_member_id: UUID
    assets: dict[str, MovedAsset]
    coupons: int
    locked_rewards: int


async def merge_members(
    tx: Tx, actor: Actor, *, from_member_id: UUID, into_member_id: UUID, reason: str
) -> Merged:
    """Let one member of the actor's brand take the place of another of the same role: it gets
    everything of it that is good, and its identity acts as this member from now on. What was past
    its date stays and expires there; so does history: scans, purchases, orders, notifications. Caps
    and limits go on counting each by itself.

    Refuses SameAccount, NotFound, MemberFrozen, MemberClosed (merged already), RolesDiffer,
    BalanceHeld (it lapses by itself in minutes) and InvalidInput.
    """
    reason = checked_text(reason, "reason", length_max=ledger.REASON_LENGTH_MAX)
    if from_member_id == into_member_id:
        raise SameAccount()
    brand = await get_brand(tx, actor.brand_id)
    await members.begin_merge(tx, brand.id, from_member_id, into_member_id)
    source, target, has, owes = await _lock_pair(tx, brand.id, from_member_id, into_member_id)
    check_nothing_held(source.id, has)
    merge = MemberMerge(
        brand_id=brand.id,
        id=new_id(),
        from_member_id=source.id,
        into_member_id=target.id,
        reason=reason,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        created_at=tx.now,
    )
    await tx.add(merge)
    world = await _load(tx, merge, has, owes, brand.timezone)
    move_everything(world)
    await ledger.write_members_side(tx, world.book)
    if not await queries.lock_anew(tx, brand.id, target.id, world.locked_anew):
        raise RetryTransaction
    merged = TierEvent(tx.now, CAUSE_KIND, merge.id)
    await merge_tiers(
        tx, brand.id, from_id=source.id, into_id=target.id, merge=merged, book=world.book
    )
    coupons = await queries.move_possessions(tx, brand.id, source.id, target.id)
    await members.close_member(tx, source, target)
    await join_ages(tx, brand.id, target.identity_id)
    await ledger.close_accounts(tx, (brand.id, source.id))
    await audit_log.record(
        tx, actor, "member.merge", source.id, reason, merge=merge.id.hex, into=target.id.hex
    )
    await note_members(tx, [(brand.id, target.id)])  # what both did may complete a task
    await ledger.write_brands_side(tx, world.book)
    return Merged(merge.id, target.id, world.moved, coupons, len(world.locked_anew))


async def _lock_pair(
    tx: Tx, brand_id: UUID, from_id: UUID, into_id: UUID
) -> tuple[Member, Member, AccountsByKey, AccountsByKey]:
    """Both members with their accounts: nothing comes to them or goes until this is over.

    Who has accounts is worked on under their lock, who has none yet under that of its row. Both
    are taken here, and accounts that were opened in between are a reason to begin anew.
    """
    owners = [(brand_id, from_id), (brand_id, into_id)]
    # Whether one of them is merged is asked below, when the answer cannot change any more.
    locked = await ledger.lock_accounts_and_debts(tx, owners, closed_owners=owners)
    rows = {row.id: row for row in await members.lock_members(tx, brand_id, [from_id, into_id])}
    check_pair(rows[from_id], rows[into_id])
    now = await ledger.lock_accounts_and_debts(tx, owners, new_owners=owners)
    if [side.keys() for side in now] != [side.keys() for side in locked]:
        raise RetryTransaction
    return rows[from_id], rows[into_id], *now


async def _load(
    tx: Tx, merge: MemberMerge, has: AccountsByKey, owes: AccountsByKey, timezone: str
) -> MergeWorld:
    book = Book(new_id)
    today = local_date(tx.now, timezone)
    brand_id, source_id = merge.brand_id, merge.from_member_id
    cause = Cause(
        CAUSE_KIND, merge.id, merge.actor_kind, merge.actor_id, merge.reason, merge.created_at
    )
    return MergeWorld(
        brand_id,
        source_id,
        merge.into_member_id,
        book,
        has,
        owes,
        await ledger.issuance_accounts(tx, [brand_id]),
        await ledger.find_free_lots(tx, book, has.values(), today),
        await queries.list_waiting(tx, brand_id, source_id),
        cause,
        today,
    )
