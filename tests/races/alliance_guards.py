"""The guards of agreements; as ``guards.py``."""

from tests.races import alliance_races
from tests.races.guards import Edit, Guard

ALLIANCES_SQL = "rewards/alliances/queries.py"

ALLIANCE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the lock on both copies of an agreement",
        "what both sides have signed is in force, also when they sign at once",
        alliance_races.two_brands_agree_once,
        (Edit(ALLIANCES_SQL, "        .with_for_update()\n", ""),),
        size=20,
    ),
    Guard(
        "one live agreement of a pair",
        "two brands that propose at once have one agreement",
        alliance_races.two_brands_agree_once,
        (),
        ("DROP INDEX uq_agreements_live",),
        size=20,
    ),
)
