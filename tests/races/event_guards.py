"""The guards of events, and of what members answer; as ``guards.py``."""

from tests.races import event_races, program_races
from tests.races.guards import Guard

ANY_EVENT = "ALTER TABLE earning_events DROP CONSTRAINT uq_earning_events_brand_id_kind_ref CASCADE"

EVENT_GUARDS: tuple[Guard, ...] = (
    Guard(
        "one event of a kind and reference",
        "an event is recorded and paid once, however often it is told",
        event_races.a_day_is_checked_in_once,
        (),
        (ANY_EVENT,),
    ),
    Guard(
        "one answer of a member to a survey",
        "a survey is answered once",
        program_races.a_survey_is_answered_once,
        (),
        (
            "ALTER TABLE survey_answers"
            " DROP CONSTRAINT uq_survey_answers_brand_id_survey_id_member_id CASCADE",
            ANY_EVENT,
        ),
        covered_by="the one event of a kind and reference",
    ),
    Guard(
        "one referral in a life",
        "a newcomer was brought by one, whichever codes it uses at once",
        program_races.a_newcomer_is_referred_once,
        (),
        ("DROP INDEX uq_referrals_once_in_a_life",),
        size=40,
    ),
)
