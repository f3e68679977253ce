"""Members' tiers as they were before an instant, for what is folded over them again."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from loyalty.clock import local_date
from loyalty.db import Snapshot
from tiers.standings.folding import MemberTier
from tiers.standings.loading import TierRules, read_tiers
from tiers.standings.rewinding_queries import FIND_HELD_BEFORE
from tiers.standings.rules import Held


async def tiers_before(
    snapshot: Snapshot,
    brand_id: UUID,
    rules: TierRules,
    member_ids: Collection[UUID],
    before: datetime,
) -> dict[UUID, MemberTier]:
    """What members held, their growth and their qualifying days, by id: under today's ladder, as
    earned, with no date at which it ends. Grants by hand and dates of expiry are not kept apart in
    history, so they are left out. A few statements."""
    if not member_ids:
        return {}
    keys = [(brand_id, member_id) for member_id in sorted(member_ids)]
    first_day = local_date(before, rules.timezone)
    tiers = await read_tiers(snapshot, brand_id, rules, member_ids, first_day)
    held = {
        row[0]: (row[1], row[2])
        for row in await snapshot.fetch(FIND_HELD_BEFORE, keys=keys, before=before)
    }
    found = {}
    for tier in tiers:
        rank, growth = held[tier.member_id]
        found[tier.member_id] = replace(
            tier,
            held=Held(earned_rank=rank),
            balance=growth,
            days={day: amount for day, amount in tier.days.items() if day < first_day},
        )
    return found
