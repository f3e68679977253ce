"""The guards of merges; as ``guards.py``."""

from tests.races import merge_races
from tests.races.guards import LEDGER_SQL, SCANS_SQL, Edit, Guard

MEMBERS = "loyalty/members/service.py"

MERGE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the closed accounts of a merged member",
        "nothing comes to who was merged",
        merge_races.whoever_is_merged_is_paid_as_the_other,
        (
            Edit(
                LEDGER_SQL,
                "if row[-1] is not None and (account",
                "if False and row[-1] is not None and (account",
            ),
        ),
        size=20,
    ),
    Guard(
        "the lock on members that have no account",
        "a newcomer is not merged while it earns for the first time",
        merge_races.newcomers_are_merged_with_what_they_earn,
        (
            Edit(
                MEMBERS,
                "if members and await queries.keep_members(tx, members):",
                "if False and await queries.keep_members(tx, members):",
            ),
        ),
        size=20,
    ),
    Guard(
        "the inviter of an invitation that is accepted",
        "who is brought by a merged member is brought by the other",
        merge_races.whom_a_merged_guide_brings_is_brought_by_the_other,
        (Edit(SCANS_SQL, "        AND invitations.inviter_id = accepted.inviter_id\n", ""),),
        size=20,
    ),
)
