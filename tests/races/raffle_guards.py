"""The guards of raffles; as ``guards.py``."""

from tests.races import raffle_races
from tests.races.guards import Edit, Guard

RAFFLES_SQL = "rewards/raffles/queries.py"

RAFFLE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "one entry of a member's number",
        "a member enters a raffle up to its limit",
        raffle_races.a_member_enters_up_to_the_limit,
        (),
        (
            "ALTER TABLE raffle_entries DROP CONSTRAINT"
            " uq_raffle_entries_brand_id_raffle_id_member_id_number",
        ),
    ),
    Guard(
        "the lock on a raffle, and the mark of a winner that is paid",
        "a raffle's winner is paid once",
        raffle_races.winners_are_paid_once,
        (
            Edit(RAFFLES_SQL, "        .with_for_update(skip_locked=True)\n", ""),
            Edit(RAFFLES_SQL, "AND raffle_winners.paid_at IS NULL\n    RETURNING", "RETURNING"),
        ),
        covered_by="each other, and the lease of a periodic job",
        size=12,
    ),
)
