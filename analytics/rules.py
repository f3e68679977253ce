"""Where an instant falls in a brand's calendar, and scans counted by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.clock import day_start, first_id_at
from loyalty.outbox import Leased

RollupRow = tuple[UUID, date, int, UUID, int, int, int]
"""brand_id, scanned_on, hour, product_id, scans, first_scans, paid_scans."""

ID_SLACK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One calendar day somewhere: from ``starts_at`` until just before ``ends_at``, both UTC; 23
    to 25 hours where clocks change. Rows made in it have ids from ``id_from`` to ``id_to``."""

    starts_at: datetime
    ends_at: datetime
    id_from: UUID
    id_to: UUID


def local_day(on: date, timezone: str) -> LocalDay:
    """The day ``on`` in a brand's time zone.

    Our ids are UUIDv7: they begin with the time at which a server made them, so a day of rows is
    a range of the primary key. That clock is not the one that ``created_at`` was read from (the
    database's), nor was it read at the same moment: the range is wider by an hour at both ends,
    and whoever uses it asks for the exact time as well.
    """
    starts_at = day_start(on, timezone)
    ends_at = day_start(on + timedelta(days=1), timezone)
    return LocalDay(
        starts_at, ends_at, first_id_at(starts_at - ID_SLACK), first_id_at(ends_at + ID_SLACK)
    )


def count_by_hour(events: Iterable[Leased], timezones: Mapping[UUID, str]) -> list[RollupRow]:
    """Scans (``scan.recorded``) by brand, local day, local hour and product, in the order of the
    rollups' key. The hour that a change of clocks repeats counts both times.

    Raises KeyError or ValueError when an event is not what its topic promises.
    """
    zones = {brand_id: ZoneInfo(timezone) for brand_id, timezone in timezones.items()}
    counts: dict[tuple[UUID, date, int, UUID], list[int]] = {}
    for event in events:
        local = event.created_at.astimezone(zones[event.brand_id])
        product_id = UUID(hex=event.payload["product_id"])
        key = (event.brand_id, local.date(), local.hour, product_id)
        count = counts.setdefault(key, [0, 0, 0])
        count[0] += 1
        count[1] += bool(event.payload["first"])
        count[2] += bool(event.payload["paid"])
    return [
        (*key, scans, first_scans, paid_scans)
        for key, (scans, first_scans, paid_scans) in sorted(counts.items())
    ]
