"""Pure: what a dry run is asked for, and what happens in it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from loyalty.errors import InvalidInput
from rewards.campaigns.models import EventKind
from rewards.campaigns.rules import CampaignDefinition
from rewards.events.rules import EventFact
from rewards.purchases.rules import PurchaseFact
from rewards.scans.world import BatchView
from rewards.simulations.models import SourceKind

PAST_DAYS_MAX = 366
MADE_UP_DAYS_MAX = 366
EVENTS_MAX = 200_000
PEOPLE_MAX = 1_000_000
REGIONS_MAX = 50
WEIGHT_MAX = 10_000
AMOUNT_FEN_MAX = 10**8
PPM = 10**6
SEED_MAX = 2**53
CROWD_KINDS = frozenset({EventKind.SCAN, EventKind.PURCHASE})
"""What a crowd that is made up does."""
DAY_CURVE = (2, 1, 1, 1, 1, 2, 4, 6, 8, 8, 9, 12, 13, 10, 8, 8, 9, 13, 18, 20, 18, 13, 8, 4)
"""Of 197 events, so many in each hour: meals and evenings."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where so large a share of a crowd is, in degrees (WGS 84)."""

    latitude: float
    longitude: float
    weight: int


@dataclass(frozen=True, slots=True)
class Crowd:
    """People who are made up. ``hours``: the weight of each hour of a day. Of the items that are
    scanned, a share was pre-scanned by one of the ``guides``, and a share of the scans is of items
    that were scanned before. Purchases cost ``amount_fen_from`` to ``amount_fen_to``. Some come
    often and many seldom: the nth of N people as often as the (n/N)th root of chance says."""

    people: int
    events_per_day: int
    days: int
    starts_on: date | None = None
    hours: tuple[int, ...] = DAY_CURVE
    guides: int = 0
    pre_scanned_ppm: int = 0
    repeated_ppm: int = 0
    regions: tuple[Region, ...] = ()
    amount_fen_from: int = 1_000
    amount_fen_to: int = 20_000


@dataclass(frozen=True, slots=True)
class Past:
    """What the brand's members did in the last so many days, today included."""

    days: int


Source = Past | Crowd


@dataclass(frozen=True, slots=True)
class ScanHappens:
    """Somebody scans; off the roster in a role that it does not have, frozen as a member that was
    kept from earning, and so its guide."""

    at: datetime
    identity_id: UUID
    role: str
    batch: BatchView
    serial: int
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    scene: str | None = None
    is_on_roster: bool = True
    is_frozen: bool = False
    is_under_age: bool = False
    is_guide_frozen: bool = False


@dataclass(frozen=True, slots=True)
class PurchaseHappens:
    """Somebody buys."""

    at: datetime
    identity_id: UUID
    fact: PurchaseFact


@dataclass(frozen=True, slots=True)
class EventHappens:
    """What else earns comes about for somebody: frozen as a member that was kept from earning."""

    at: datetime
    identity_id: UUID
    role: str
    fact: EventFact
    is_frozen: bool = False


Happening = ScanHappens | PurchaseHappens | EventHappens


def check_source(source: Source, event: EventKind) -> None:
    """Refuses InvalidInput with the field's path."""
    if isinstance(source, Past):
        _within("past.days", source.days, 1, PAST_DAYS_MAX)
        return
    if event not in CROWD_KINDS:
        named = " and ".join(sorted(CROWD_KINDS))
        raise InvalidInput(field="madeUp", problem=f"a crowd does {named} alone: try the past")
    _within("madeUp.people", source.people, 1, PEOPLE_MAX)
    _within("madeUp.days", source.days, 1, MADE_UP_DAYS_MAX)
    most = EVENTS_MAX // source.days * PPM // (PPM + max(source.pre_scanned_ppm, 0))
    _within("madeUp.eventsPerDay", source.events_per_day, 1, most)  # pre-scans come on top
    _within("madeUp.guides", source.guides, 0, source.people)
    _within("madeUp.preScannedPpm", source.pre_scanned_ppm, 0, PPM if source.guides else 0)
    _within("madeUp.repeatedPpm", source.repeated_ppm, 0, PPM)
    if len(source.hours) != 24 or not any(source.hours):
        raise InvalidInput(field="madeUp.hours", problem="24 weights, not all of them 0")
    for hour, weight in enumerate(source.hours):
        _within(f"madeUp.hours[{hour}]", weight, 0, WEIGHT_MAX)
    _check_regions(source.regions)
    _within("madeUp.amountFenFrom", source.amount_fen_from, 0, AMOUNT_FEN_MAX)
    _within("madeUp.amountFenTo", source.amount_fen_to, source.amount_fen_from, AMOUNT_FEN_MAX)
    if source.starts_on is not None and not date(2000, 1, 1) <= source.starts_on <= date(
        2200, 1, 1
    ):
        raise InvalidInput(field="madeUp.startsOn", problem="a day of this time")


def _check_regions(regions: Sequence[Region]) -> None:
    if len(regions) > REGIONS_MAX:
        raise InvalidInput(field="madeUp.regions", problem=f"at most {REGIONS_MAX}")
    for i, region in enumerate(regions):
        _within(f"madeUp.regions[{i}].weight", region.weight, 1, WEIGHT_MAX)
        # NaN fails both comparisons.
        if not (-90 <= region.latitude <= 90 and -180 <= region.longitude <= 180):
            raise InvalidInput(field=f"madeUp.regions[{i}]", problem="degrees out of range")


def _within(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field=field, problem=f"{least} to {most}")


def begun_by(definition: CampaignDefinition, begin: datetime) -> CampaignDefinition:
    """The campaign as if it had begun then, if it begins later: its end and its stages are moved
    along."""
    if definition.starts_at is None or definition.starts_at <= begin:
        return definition
    earlier = definition.starts_at - begin
    draw = definition.draw
    if draw is not None:
        stages = (
            replace(stage, starts_at=stage.starts_at and stage.starts_at - earlier)
            for stage in draw.stages
        )
        draw = replace(draw, stages=tuple(stages))
    ends_at = definition.ends_at and definition.ends_at - earlier
    return replace(definition, starts_at=begin, ends_at=ends_at, draw=draw)


def source_to_json(source: Source) -> dict[str, Any]:
    """As a simulation stores it."""
    if isinstance(source, Past):
        return {"kind": SourceKind.PAST.value, "days": source.days}
    stored = asdict(source)
    stored["starts_on"] = source.starts_on.isoformat() if source.starts_on else None
    return {"kind": SourceKind.MADE_UP.value, **stored}


def source_from_json(stored: dict[str, Any]) -> Source:
    """As ``source_to_json`` stored it."""
    fields = {name: value for name, value in stored.items() if name != "kind"}
    if stored["kind"] == SourceKind.PAST:
        return Past(**fields)
    starts_on = fields.pop("starts_on")
    return Crowd(
        **fields
        | {
            "starts_on": date.fromisoformat(starts_on) if starts_on else None,
            "hours": tuple(fields["hours"]),
            "regions": tuple(Region(**region) for region in fields["regions"]),
        }
    )
