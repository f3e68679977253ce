"""The guard of events; as ``guards.py``."""

from tests.races import event_races
from tests.races.guards import Guard

EVENT_GUARDS: tuple[Guard, ...] = (
    Guard(
        "one event of a kind and reference",
        "an event is recorded and paid once, however often it is told",
        event_races.a_day_is_checked_in_once,
        (),
        ("ALTER TABLE earning_events DROP CONSTRAINT uq_earning_events_brand_id_kind_ref CASCADE",),
    ),
)
