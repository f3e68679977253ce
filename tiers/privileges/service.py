"""Verbs of privileges: using what is counted."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from loyalty.db import Snapshot, Tx
from loyalty.errors import PrivilegeUsedUp
from tiers.privileges import queries
from tiers.privileges.rules import Privilege, period_key

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
