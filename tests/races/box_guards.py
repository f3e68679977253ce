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
    Guard(
        "the guarded count of a box",
        "each scanned bottle of a box counts, and once",
        box_races.every_bottle_of_a_box_counts,
        (
            Edit(
                "rewards/grants/queries.py",
                "SELECT brand_id, box_item_no, counted_read FROM {read})",
                "SELECT brand_id, box_item_no, counted_read FROM {read}) OR true",
            ),
        ),
        size=60,
    ),
)
