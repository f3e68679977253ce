"""The guards of netting; as ``guards.py``."""

from tests.races import netting_races
from tests.races.guards import Edit, Guard

UNLOCKED = Edit(
    "rewards/clearing/queries.py", "{locked:p clearing_positions", "{each:p clearing_positions"
)

NETTING_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the lock on the positions of a netting run",
        "a netting run that all approve is posted, once, also when they do so at once",
        netting_races.netted_once,
        (UNLOCKED,),
        size=20,
    ),
    Guard(
        "one open netting run of a pair",
        "what two brands owe each other is netted once, also when several propose it at once",
        netting_races.netted_once,
        (UNLOCKED,),
        ("DROP INDEX uq_netting_legs_open",),
        covered_by="the lock on the positions of a netting run",
        size=20,
    ),
)
