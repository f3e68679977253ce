"""Verbs of privileges: using what is counted."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.clock import local_date
from loyalty.db import Snapshot, Tx
from loyalty.errors import NotFound, PrivilegeUsedUp
from loyalty.ids import new_id
from loyalty.ledger.service import lock_member_accounts
from loyalty.members.service import require_active_member
from tiers.privileges import queries
from tiers.privileges.rules import Privilege, PrivilegeKind, live, period_key
from tiers.standings.folding import catch_up
from tiers.standings.loading import load_tiers, write_tiers
from tiers.standings.service import brand_tiers

UseKey = tuple[UUID, str, str]
"""(member_id, privilege's code, period key)"""


async def count_use(
    tx: Tx, brand_id: UUID, member_id: UUID, privilege: Privilege, on: date
) -> None:
    """Count one use on a local day; PrivilegeUsedUp when the period's quota is used up."""
    key = period_key(privilege.quota_period, on)
    row = (brand_id, member_id, privilege.code, key, 1, privilege.quota_count)
    if not await tx.fetch(queries.COUNT_USES, rows=[row]):
        raise PrivilegeUsedUp(privilege=privilege.code, times_max=privilege.quota_count)


async def find_uses(
    snapshot: Snapshot, brand_id: UUID, member_ids: Iterable[UUID]
) -> dict[UseKey, int]:
    """How often members have used what, by period."""
    members = sorted((brand_id, member_id) for member_id in set(member_ids))
    rows = await snapshot.fetch(queries.FIND_USES, members=members)
    return {(member_id, code, key): used for member_id, code, key, used in rows}


def left_of(uses: dict[UseKey, int], member_id: UUID, privilege: Privilege, on: date) -> int | None:
    """How often a privilege may still be used in the period of a day; None without quota."""
    if privilege.quota_count is None:
        return None
    key = (member_id, privilege.code, period_key(privilege.quota_period, on))
    return max(0, privilege.quota_count - uses.get(key, 0))


async def first_with_something_left(
    snapshot: Snapshot, brand_id: UUID, member_id: UUID, privileges: Sequence[Privilege], on: date
) -> Privilege | None:
    """The first of several like privileges that is not used up on a day; one without a quota costs
    no statement."""
    if not privileges:
        return None
    if privileges[0].quota_count is None:
        return privileges[0]
    uses = await find_uses(snapshot, brand_id, [member_id])
    return next((each for each in privileges if left_of(uses, member_id, each, on) != 0), None)


async def use_privilege(tx: Tx, actor: Actor, member_id: UUID, code: str) -> int | None:
    """Count one use of a PERK of the level that a member holds now: how many are left in this
    period, None without quota.

    Refuses NotFound (member, privilege), MemberFrozen, MemberClosed and PrivilegeUsedUp.
    """
    member = await require_active_member(tx, actor.brand_id, member_id)
    await lock_member_accounts(tx, [(actor.brand_id, member.id)])
    rules = await brand_tiers(tx, actor.brand_id)
    on = local_date(tx.now, rules.timezone)
    tier = (await load_tiers(tx, {actor.brand_id: rules}, [(actor.brand_id, member.id, on)]))[
        actor.brand_id, member.id
    ]
    catch_up(tier, on, new_id)
    granted = live(tier.level.privileges if tier.level else (), PrivilegeKind.PERK, on)
    privilege = next((each for each in granted if each.code == code), None)
    if privilege is None:
        raise NotFound(noun="privilege")
    await count_use(tx, actor.brand_id, member.id, privilege, on)
    await write_tiers(tx, [tier])
    await audit_log.record(tx, actor, "privilege.use", member.id, privilege=code)
    return left_of(await find_uses(tx, actor.brand_id, [member.id]), member.id, privilege, on)
