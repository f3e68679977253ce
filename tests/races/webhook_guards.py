"""The guards of webhooks, for the list of ``guards.py``."""

from tests.races import webhook_races
from tests.races.guards import Edit, Guard

HOOKS_SQL = "loyalty/webhooks/queries.py"

WEBHOOK_GUARDS = (
    Guard(
        "the lease of an endpoint",
        "of all workers one sends to an endpoint, in order",
        webhook_races.one_worker_has_an_endpoint,
        (
            Edit(
                HOOKS_SQL,
                "            AND (e.leased_until IS NULL OR e.leased_until <= :now)\n"
                "            AND (e.failures > 0)",
                "            AND (e.failures > 0)",
            ),
        ),
    ),
    Guard(
        "the fence of an endpoint's lease",
        "a worker that was paused past its lease records nothing of what it sent",
        webhook_races.one_worker_has_an_endpoint,
        (Edit(HOOKS_SQL, "\n        AND e.lease_token = keys.token}", "}"),),
    ),
)
