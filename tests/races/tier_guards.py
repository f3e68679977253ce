"""The guard of standings; as ``guards.py``."""

from tests.races import tier_races
from tests.races.guards import ACCOUNT_LOCK, Edit, Guard

TIER_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the revision of a standing",
        "each level is reached once, and nothing granted is lost",
        tier_races.each_level_is_reached_once,
        (
            ACCOUNT_LOCK,
            Edit(
                "tiers/standings/queries.py",
                "standings.member_id, standings.revision) IN (\n"
                "        SELECT held.brand_id, held.member_id, held.revision FROM",
                "standings.member_id) IN (\n        SELECT held.brand_id, held.member_id FROM",
            ),
        ),
        covered_by="the lock on members' accounts",
        size=20,
    ),
)
