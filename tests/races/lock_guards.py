"""The guards of locked rewards; as ``guards.py``."""

from tests.races import lock_races, taken_races
from tests.races.guards import ACCOUNT_LOCK, LOTS, NOTHING_NEGATIVE, ONE_END, Edit, Guard

GRANTS_SQL = "rewards/grants/queries.py"
UNLOCKING = "rewards/grants/unlocking.py"

LOCK_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the guarded count of a locked reward",
        "each scan that a locked reward waits for counts, and once",
        lock_races.scans_at_once_all_count,
        (
            ACCOUNT_LOCK,
            Edit(GRANTS_SQL, "        AND locked_rewards.unlock_count = counted.count_read\n", ""),
        ),
        covered_by="the lock on members' accounts",
        size=20,
    ),
    Guard(
        "the guarded end of a locked reward, and the one end of a pending transfer",
        "a locked reward is unlocked or voided, one of it and once",
        lock_races.a_locked_reward_ends_once,
        (
            ACCOUNT_LOCK,
            LOTS,
            Edit(
                GRANTS_SQL,
                "locked_rewards.id = resolved.id AND locked_rewards.status = 'LOCKED'",
                "locked_rewards.id = resolved.id",
            ),
        ),
        (
            ONE_END,
            NOTHING_NEGATIVE,
            "ALTER TABLE lots DROP CONSTRAINT ck_lots_remaining_within_granted",
        ),
        covered_by="each other, the lock on members' accounts, and the lots guard",
        size=20,
    ),
    Guard(
        "what a guide awaits is read under the lock on its buyer's accounts",
        "a guide is paid when the last of what its buyer got is taken",
        taken_races.the_last_that_is_taken_pays_the_guide,
        (
            Edit(
                UNLOCKING,
                "    await load_awaited(tx, world, own, people)\n    return",
                "    return",
            ),
            Edit(
                UNLOCKING,
                "    people = await find_guides(tx, world, own) | own\n",
                "    people = await find_guides(tx, world, own) | own\n"
                "    await load_awaited(tx, world, own, people)\n",
            ),
        ),
        size=20,
    ),
)
