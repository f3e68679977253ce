"""What odds were made of, compared with the rows: times and counters that a receipt names, and the
number of a member's draw. Of what else bonuses read no row tells how it was then (docs/draws.md).

A member's events are settled one after the other, but which of two that are under way at once comes
first their times do not tell: between what was before both and what is after both all is possible.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.db import Snapshot
from loyalty.ledger.audit_draw_limits import CONCURRENT
from loyalty.ledger.audit_draw_rows import NUMBERED, PAID_EVENTS, Brand, Day, Receipt, Version

_COUNTERS = {"counters.memberToday": "DAY", "counters.memberTotal": "CAMPAIGN"}


@dataclass(frozen=True)
class Counted:
    """Of whoever drew on a day, by member: the paid events of the campaign as (told at, time,
    version, whether taken back), and when they drew by a number."""

    events: dict[UUID, list[tuple[datetime, datetime, UUID, bool]]]
    draws: dict[UUID, list[datetime]]


async def read_counted(snap: Snapshot, brand: Brand, day: Day) -> Counted:
    which = {"brand": brand.id, "campaign": day.campaign_id, "on": day.on}
    events: dict[UUID, list[tuple[datetime, datetime, UUID, bool]]] = defaultdict(list)
    for member_id, version_id, told_at, at, is_reversed in await snap.fetch(PAID_EVENTS, **which):
        events[member_id].append((told_at, at, version_id, is_reversed))
    draws: dict[UUID, list[datetime]] = defaultdict(list)
    for member_id, campaign_id, at in await snap.fetch(NUMBERED, **which):
        if campaign_id == day.campaign_id:
            draws[member_id].append(at)
    return Counted(events, draws)


def fact_problems(
    brand: Brand, day: Day, counted: Counted, receipt: Receipt, inputs: dict[str, Any]
) -> Iterator[str]:
    """What a receipt says of the event, the calendar and counters that is not so."""
    facts, counters = inputs.get("facts", {}), inputs.get("counters", {})
    known = _known(brand, receipt)
    for name in sorted(facts.keys() & known.keys()):
        said = facts[name]
        if name == "event.at":
            said = datetime.fromisoformat(said)
        if said != known[name]:
            yield f"{name} was {known[name]}"
    on = receipt.happened_at.astimezone(brand.zone).date().isoformat()
    named = {
        name: ["MEMBER", receipt.member_id.hex, on if window == "DAY" else "ALL"]
        for name, window in _COUNTERS.items()
        if name in facts
    }
    if counters != named:
        yield f"the counters are {named}"
    if day.campaign_id in brand.miscounted:
        return
    for name in sorted(named):
        least, most = _counted(brand, counted, receipt, _COUNTERS[name])
        if not least <= facts[name] <= most:
            yield f"{name} was {least} to {most}"


def _known(brand: Brand, receipt: Receipt) -> dict[str, Any]:
    """The facts that an event's kind and time alone settle."""
    at = receipt.happened_at
    local = at.astimezone(brand.zone)
    return {
        "event.kind": receipt.kind,
        "event.at": at,
        "calendar.date": local.date().isoformat(),
        "calendar.year": local.year,
        "calendar.month": local.month,
        "calendar.day": local.day,
        "calendar.weekday": local.isoweekday(),
        "calendar.hour": local.hour,
        "calendar.minute": local.minute,
    }


def _counted(brand: Brand, counted: Counted, receipt: Receipt, window: str) -> tuple[int, int]:
    """How much of a member's counter there was before a draw, at the least and at the most. What is
    reversed is taken back from it, at some time."""
    least = most = 0
    on = receipt.happened_at.astimezone(brand.zone).date()
    for told_at, at, version_id, is_reversed in counted.events.get(receipt.member_id, ()):
        if window == "DAY" and at.astimezone(brand.zone).date() != on:
            continue
        counts = window in brand.counting[version_id]
        if counts and told_at <= receipt.occurred_at + CONCURRENT:
            most += 1
        if counts and not is_reversed and told_at < receipt.occurred_at - CONCURRENT:
            least += 1
        if is_reversed and not counts:
            least -= 1
    return max(least, 0), most - 1  # this very event is left out


def number_problems(version: Version, counted: Counted, receipt: Receipt) -> Iterator[str]:
    """Whether a draw has a number where a prize is guaranteed, and one that it may have."""
    number = receipt.member_draw_no
    if (number is None) is not (version.draw["guarantee"] is None):
        yield f"memberDrawNo is {number}"
    if number is None:
        return
    times = counted.draws.get(receipt.member_id, [])
    before = sum(at < receipt.occurred_at - CONCURRENT for at in times)
    until = sum(at <= receipt.occurred_at + CONCURRENT for at in times)
    if not before < number <= until:
        yield f"memberDrawNo is {before + 1} to {until}"
