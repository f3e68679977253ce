"""The guards of boxes; as ``guards.py``."""

from tests.races import box_races
from tests.races.guards import Edit, Guard

CODES_SQL = "loyalty/codes/queries.py"

BOX_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the lock on the series of who packs boxes",
        "a bottle is in one box",
        box_races.a_bottle_is_packed_once,
        (
            Edit(
                CODES_SQL,
                "        .with_for_update()\n        .execution_options(populate_existing=True)\n",
                "        .execution_options(populate_existing=True)\n",
            ),
        ),
        size=40,
    ),
)
