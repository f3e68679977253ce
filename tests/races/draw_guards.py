"""The guards of draws; as ``guards.py``."""

from tests.races import draw_races
from tests.races.guards import CAMPAIGNS_SQL, Edit, Guard

_UNGUARDED = Edit(
    CAMPAIGNS_SQL, "WHERE cap_counters.used + excluded.used <= excluded.times_max", "WHERE true"
)
_UNCHECKED = "ALTER TABLE cap_counters DROP CONSTRAINT ck_cap_counters_within_times_max"

DRAW_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the guarded count of a prize's stock, and its check",
        "no more pieces of a prize are given than there are",
        draw_races.the_last_piece_of_a_prize_is_given_once,
        (_UNGUARDED,),
        (_UNCHECKED,),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the guarded count of a prize's day, and its check",
        "no more pieces of a prize are given on a day than its quota",
        draw_races.a_days_quota_of_a_prize_is_kept,
        (_UNGUARDED,),
        (_UNCHECKED,),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
)
