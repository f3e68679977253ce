"""The guards of reversals and of holds; as ``guards.py``."""

from tests.races import ledger_races
from tests.races.guards import ACCOUNT_LOCK, LEDGER_SQL, Edit, Guard

LEDGER_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the guarded count of what was taken back, and its check",
        "no more of a transfer is taken back than it moved",
        ledger_races.a_credit_is_taken_back_up_to_its_amount,
        (
            ACCOUNT_LOCK,
            Edit(
                LEDGER_SQL,
                "WHERE transfer_reversals.reversed + excluded.reversed"
                " <= transfer_reversals.amount",
                "WHERE true",
            ),
        ),
        ("ALTER TABLE transfer_reversals DROP CONSTRAINT ck_transfer_reversals_within_amount",),
        covered_by="each other, and the lock on members' accounts",
    ),
    Guard(
        "the guarded end of a hold",
        "a hold is captured, released or lapses, one of it and once",
        ledger_races.a_hold_ends_once,
        (
            Edit(
                "loyalty/holds/queries.py",
                "id = :id AND status = 'HELD' AND held_until > :now",
                "id = :id AND held_until > :now",
            ),
        ),
    ),
)
