"""The facts that conditions may read: declared here, listed in docs/conditions.md, and how those of
an event are put together from plain values."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.actor import MemberRole
from loyalty.brands.rules import NO_MEMBER_DATES, MemberDates
from loyalty.clock import local_date
from loyalty.codes.models import CodeKind
from rewards.campaigns.models import EventKind
from rewards.event_types.models import FieldKind
from rewards.event_types.rules import INT_MAX as CUSTOM_INT_MAX
from rewards.gifts.rules import birthdays_on

Value = bool | int | float | str | datetime | list[str]
Facts = Mapping[str, Mapping[str, Value]]
"""An event's facts: by root, then by name. ``{"member": {"isNew": True}}``"""


class Kind(StrEnum):
    """What a value is, of facts and of everything made of them."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact. ``events``: those that have it. ``values``: all it can be, or else ``low`` to
    ``high``, both included; a string without ``values`` may be anything. A list is one of texts,
    each of which may be anything."""

    kind: Kind
    description: str
    events: frozenset[EventKind]
    values: tuple[Value, ...] = ()
    low: Value | None = None
    high: Value | None = None


_ALL = frozenset(EventKind)
_SCAN = frozenset({EventKind.SCAN})
_PURCHASE = frozenset({EventKind.PURCHASE})
_CLIENT = frozenset({EventKind.SCAN, EventKind.CHECK_IN})
_ACTION = frozenset({EventKind.ACTION, EventKind.FOLLOWED})
_TIER = frozenset({EventKind.TIER_REACHED})
_TASK = frozenset({EventKind.TASK_COMPLETED})
_SURVEY = frozenset({EventKind.SURVEY_ANSWERED})
_REFERRAL = frozenset({EventKind.REFERRAL})
_CUSTOM = frozenset({EventKind.CUSTOM})
_INT_MAX = 2**53
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2999, 12, 31, tzinfo=UTC)


def _bool(description: str, events: frozenset[EventKind] = _ALL) -> FactSpec:
    return FactSpec(Kind.BOOL, description, events, (False, True))


def _int(
    description: str,
    events: frozenset[EventKind] = _ALL,
    low: int = 0,
    high: int = _INT_MAX,
) -> FactSpec:
    return FactSpec(Kind.INT, description, events, low=low, high=high)


def _text(
    description: str, events: frozenset[EventKind] = _ALL, values: tuple[str, ...] = ()
) -> FactSpec:
    return FactSpec(Kind.STRING, description, events, values)


def _texts(description: str, events: frozenset[EventKind] = _ALL) -> FactSpec:
    return FactSpec(Kind.LIST, description, events)


REGION = "event.region"
SEGMENTS = "segment.codes"
ITEM_SCANS = "item.scans"
FACTS: Mapping[str, FactSpec] = {
    "event.kind": _text("What happened.", values=tuple(EventKind)),
    "event.at": FactSpec(
        Kind.TIMESTAMP,
        "When it happened; of a purchase of which only the day is known, that day's noon.",
        _ALL,
        low=EARLIEST,
        high=LATEST,
    ),
    "event.scene": _text("Where in the client it happened, as the client says; or empty.", _CLIENT),
    "event.located": _bool("Whether the client says where it is.", _SCAN),
    "event.latitude": FactSpec(
        Kind.DOUBLE, "In degrees; 0 if not located.", _SCAN, low=-90.0, high=90.0
    ),
    "event.longitude": FactSpec(
        Kind.DOUBLE, "In degrees; 0 if not located.", _SCAN, low=-180.0, high=180.0
    ),
    REGION: _text(
        "The code of the brand's region that this is in (docs/regions.md); or empty.",
        _SCAN | _PURCHASE,
    ),
    "event.amountFen": _int("What was spent.", _PURCHASE),
    "event.quantity": _int("How many pieces were bought.", _PURCHASE),
    "event.source": _text("Who told of it.", _PURCHASE, values=("TILL", "ORDER", "IMPORT")),
    "event.place": _text("The code of the place where it was bought; or empty.", _PURCHASE),
    "event.action": _text("What the member did, as it was reported.", _ACTION),
    "event.level": _text("The code of the level that was reached.", _TIER),
    "event.rank": _int("The rank of the level that was reached.", _TIER, high=1000),
    "event.fromRank": _int("The rank of the level held before.", _TIER, high=1000),
    "event.task": _text("The code of the task that was completed.", _TASK),
    "event.survey": _text("The code of the survey that was answered.", _SURVEY),
    "event.firstAct": _text(
        "What the referred member did first.", _REFERRAL, values=("SCAN", "PURCHASE")
    ),
    "product.sku": _text("The scanned product's SKU.", _SCAN),
    "product.gtin": _text("The scanned product's GTIN-14; or empty.", _SCAN),
    "product.skus": _texts(
        "The SKUs of what was bought, as the purchase's lines tell; none where it has no lines.",
        _PURCHASE,
    ),
    "item.serial": _int("The item's serial number in its batch.", _SCAN),
    ITEM_SCANS: _int("How often this code was scanned before; 0 the first time.", _SCAN),
    "batch.number": _int("The code batch's number.", _SCAN),
    "batch.kind": _text("Where the code is printed.", _SCAN, values=tuple(CodeKind)),
    "member.role": _text("The role of who scans or buys.", values=tuple(MemberRole)),
    "member.isNew": _bool("Whether this very event made the member."),
    "member.isInvited": _bool("Whether somebody invited the member."),
    "member.daysSinceJoined": _int("Local days since the member was made; 0 on that day."),
    "member.isBirthday": _bool("Whether the member told us that this day is its birthday."),
    "tier.rank": _int("The rank of the member's level; 0 is the lowest.", high=1000),
    "tier.code": _text("The code of the member's level; empty where its role has no ladder."),
    SEGMENTS: _texts("The codes of the brand's segments that the member is in."),
    "counters.memberToday": _int(
        "Events of this local day for which this campaign has paid this member, this one left out."
    ),
    "counters.memberTotal": _int(
        "Events for which this campaign has paid this member, this one left out."
    ),
    "calendar.date": _text("The local day, as 2026-11-09."),
    "calendar.year": _int("The local year.", low=1970, high=2999),
    "calendar.month": _int("The local month.", low=1, high=12),
    "calendar.day": _int("The local day of the month.", low=1, high=31),
    "calendar.weekday": _int("The local day of the week: Monday is 1, Sunday 7.", low=1, high=7),
    "calendar.hour": _int("The local hour.", low=0, high=23),
    "calendar.minute": _int("The local minute.", low=0, high=59),
    "calendar.memberDay": _bool("Whether the local day is one of the brand's member days."),
}
"""By dotted name. Local: in the brand's time zone, at the event's time."""

CUSTOM = "custom"
"""The root of what a custom event's payload says: the fields of its type."""
ROOTS = frozenset({CUSTOM, *(name.partition(".")[0] for name in FACTS)})
MEMBER_TODAY = "counters.memberToday"
MEMBER_TOTAL = "counters.memberTotal"


_ABSENT: Mapping[FieldKind, Value] = {
    FieldKind.STRING: "",
    FieldKind.INT: 0,
    FieldKind.BOOL: False,
}


def custom_specs(fields: Iterable[tuple[str, str]]) -> dict[str, FactSpec]:
    """``custom.*`` of a type with these fields, each with its kind."""
    specs = {}
    for name, kind in fields:
        told = f"The field {name}; {_ABSENT[FieldKind(kind)]!r} where it is left out."
        if kind == FieldKind.BOOL:
            spec = _bool(told, _CUSTOM)
        elif kind == FieldKind.INT:
            spec = _int(told, _CUSTOM, -CUSTOM_INT_MAX, CUSTOM_INT_MAX)
        else:
            spec = _text(told, _CUSTOM)
        specs[f"{CUSTOM}.{name}"] = spec
    return specs


def custom_facts(
    fields: Iterable[tuple[str, str]], payload: Mapping[str, Value]
) -> dict[str, Value]:
    """``custom.*`` of a payload."""
    return {name: payload.get(name, _ABSENT[FieldKind(kind)]) for name, kind in fields}


class LazyFacts(Mapping[str, Mapping[str, Value]]):
    """An event's facts, each root put together when it is first asked for."""

    __slots__ = ("_builders", "_built")

    def __init__(self, builders: Mapping[str, Callable[[], Mapping[str, Value]]]) -> None:
        self._builders = builders
        self._built: dict[str, Mapping[str, Value]] = {}

    def __getitem__(self, root: str) -> Mapping[str, Value]:
        built = self._built.get(root)
        if built is None:
            built = self._built[root] = self._builders[root]()
        return built

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


def member_facts(
    *,
    role: str,
    is_new: bool,
    invited_by_id: UUID | None,
    joined_at: datetime | None,
    birthday: str | None,
    at: datetime,
    timezone: str,
) -> dict[str, Value]:
    """``member.*``; ``birthday`` as ``MM-DD``, ``joined_at`` None for one made by this event."""
    today = local_date(at, timezone)
    joined_on = today if joined_at is None else local_date(joined_at, timezone)
    return {
        "role": role,
        "isNew": is_new,
        "isInvited": invited_by_id is not None,
        "daysSinceJoined": max(0, (today - joined_on).days),
        "isBirthday": birthday in birthdays_on(today),
    }


def calendar_facts(
    at: datetime, timezone: str, member_dates: MemberDates = NO_MEMBER_DATES
) -> Mapping[str, Value]:
    """``calendar.*`` of an instant in a time zone, for a brand with these member days."""
    return _calendar(at.replace(second=0, microsecond=0), timezone, member_dates)


@lru_cache(maxsize=256)
def _calendar(minute: datetime, timezone: str, member_dates: MemberDates) -> Mapping[str, Value]:
    local = minute.astimezone(ZoneInfo(timezone))
    day: date = local.date()
    return {
        "date": day.isoformat(),
        "year": day.year,
        "month": day.month,
        "day": day.day,
        "weekday": day.isoweekday(),
        "hour": local.hour,
        "minute": local.minute,
        "memberDay": member_dates.has(day),
    }
