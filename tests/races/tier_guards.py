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
    Guard(
        "the ladder that is kept while standings are moved by it",
        "nobody is moved by a ladder that another one has followed",
        tier_races.all_are_carried_to_a_new_ladder,
        (
            Edit(
                "tiers/standings/queries.py",
                "{shared:b brands ON b.id = rules.brand_id AND b.revision = rules.revision}",
                "{each:b brands ON b.id = rules.brand_id}",
            ),
            Edit(
                "tiers/standings/loading.py",
                "if row[17] != brands[row[0]].revision:",
                "if False and row[17] != brands[row[0]].revision:",
            ),
        ),
        covered_by="the brand's revision, asked again once the accounts are locked",
        size=20,
    ),
)
