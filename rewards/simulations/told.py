"""What else came about for members in the last days, as it is on record, read by set."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from loyalty.clock import day_start, first_id_at, local_date
from loyalty.db import Snapshot
from loyalty.keyed import get_row
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import custom_facts
from rewards.event_types.models import EventType
from rewards.event_types.rules import fields_from_json
from rewards.events import sources
from rewards.events.models import EventUnpaidReason
from rewards.events.rules import EventFact
from rewards.gifts.rules import birthdays_on
from rewards.simulations import queries
from rewards.simulations.rules import EVENTS_MAX


@dataclass(frozen=True, slots=True)
class Window:
    """From the beginning of a local day until now, and the ids that were made in it."""

    brand_id: UUID
    begin: datetime
    until: datetime

    @property
    def ids(self) -> dict[str, UUID]:
        """As the queries take them. An event's id is as old as its request: a moment older."""
        slack = timedelta(minutes=1)
        return {
            "brand_id": self.brand_id,
            "first_id": first_id_at(self.begin),
            "last_id": first_id_at(self.until + slack),
        }

    @property
    def period(self) -> dict[str, Any]:
        """As the queries take it that go by time."""
        return {"brand_id": self.brand_id, "begin": self.begin, "until": self.until}


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the past, of whoever its member is by now; whether that was frozen then."""

    fact: EventFact
    is_frozen: bool = False


async def list_told(
    snapshot: Snapshot, timezone: str, tried: LiveCampaign, window: Window
) -> list[Told]:
    """Events of the campaign's kind in the order of time, at most one more than EVENTS_MAX. Those
    that are only recorded where a campaign pays them come of what they come of."""
    if tried.event is EventKind.BIRTHDAY:
        return await _birthdays(snapshot, timezone, window)
    most = {"row_count_max": EVENTS_MAX + 1}
    if tried.event is EventKind.SIGN_UP:
        rows = await snapshot.fetch(queries.LIST_SIGN_UPS, **window.period, **most)
        return [Told(sources.signed_up(member_id, at)) for _, at, member_id in rows]
    if tried.event is EventKind.TIER_REACHED:
        rows = await snapshot.fetch(queries.LIST_LEVELS_REACHED, **window.period, **most)
        return [Told(_reached(*row)) for row in rows]
    return await _recorded(snapshot, tried, window)


def _reached(
    change_id: UUID, at: datetime, member_id: UUID, code: str, rank: int, from_rank: int
) -> EventFact:
    return sources.tier_reached(member_id, change_id.hex, code, rank, from_rank, at)


async def _recorded(snapshot: Snapshot, tried: LiveCampaign, window: Window) -> list[Told]:
    asked = {**window.period, "row_count_max": EVENTS_MAX + 1, "kind": tried.event.value}
    type_id = tried.event_type_id
    kinds: list[tuple[str, str]] = []
    if type_id is None:
        rows = await snapshot.fetch(queries.LIST_EVENTS, **asked)
    else:
        rows = await snapshot.fetch(queries.LIST_CUSTOM_EVENTS, **asked, type_id=type_id)
        type = await get_row(snapshot, EventType, window.brand_id, type_id, "event type")
        kinds = [(each.name, each.kind.value) for each in fields_from_json(type.fields)]
    found = []
    for _, at, member_id, ref, stored, unpaid in rows:
        payload = orjson.loads(stored)
        custom = custom_facts(kinds, payload)
        fact = EventFact(tried.event, ref, member_id, at, payload, type_id, custom)
        found.append(Told(fact, unpaid == EventUnpaidReason.FROZEN))
    return found


async def _birthdays(snapshot: Snapshot, timezone: str, window: Window) -> list[Told]:
    """Of whoever is active and was enrolled by the end of the day, as if its birthday had been
    known then."""
    on = local_date(window.begin, timezone)
    days: dict[str, list[date]] = {}
    while day_start(on, timezone) < window.until:
        for birthday in birthdays_on(on):
            days.setdefault(birthday, []).append(on)
        on += timedelta(days=1)
    rows = await snapshot.fetch(
        queries.LIST_BIRTHDAYS,
        days=[(day,) for day in days],
        brand_id=window.brand_id,
        until=window.until,
        row_count_max=EVENTS_MAX + 1,
    )
    found = []
    for member_id, birthday, joined_at in rows:
        for on in days[birthday]:
            if joined_at < day_start(on + timedelta(days=1), timezone):
                fact = sources.birthday(member_id, on, day_start(on, timezone))
                found.append(Told(fact))
    return sorted(found, key=lambda told: (told.fact.at, told.fact.ref))
