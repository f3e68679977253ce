"""Pure: events that somebody wrote into a CSV file, to be simulated."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID, uuid5

from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.errors import InvalidInput
from loyalty.text import checked_text
from rewards.campaigns.models import EventKind
from rewards.conditions.facts import custom_facts
from rewards.event_types.models import FieldKind
from rewards.event_types.rules import FieldSpec, FieldValue, check_payload
from rewards.events.rules import EventFact
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import LineFact, PurchaseFact, PurchasePlace
from rewards.scans.world import BatchView
from rewards.simulations.crowds import made_up_batches
from rewards.simulations.rules import (
    AMOUNT_FEN_MAX,
    EventHappens,
    Happening,
    PurchaseHappens,
    ScanHappens,
)

FIRST_LINE = 2
_CUSTOM = "custom."
NAME_LENGTH_MAX = 128
_NEEDED = {
    EventKind.SCAN: ("at", "person", "item"),
    EventKind.PURCHASE: ("at", "person", "amount_fen"),
}
_ROLES = frozenset({MemberRole.CONSUMER.value, MemberRole.GUIDE.value})
_TOLD: dict[EventKind, tuple[str, ...]] = {
    EventKind.SIGN_UP: (),
    EventKind.PROFILE_COMPLETED: (),
    EventKind.BIRTHDAY: (),
    EventKind.CHECK_IN: ("scene",),
    EventKind.ACTION: ("action",),
    EventKind.FOLLOWED: ("action",),
    EventKind.REFERRAL: ("firstAct",),
    EventKind.SURVEY_ANSWERED: ("survey",),
    EventKind.TASK_COMPLETED: ("task", "period"),
    EventKind.TIER_REACHED: ("level", "rank", "fromRank"),
}
_NUMBERS = frozenset({"rank", "fromRank"})
"""What members' events tell beside when and of whom; columns of their names."""
_ONCE: dict[EventKind, Callable[[date, Mapping[str, FieldValue]], str]] = {
    EventKind.SIGN_UP: lambda on, told: "",
    EventKind.PROFILE_COMPLETED: lambda on, told: "",
    EventKind.FOLLOWED: lambda on, told: "",
    EventKind.BIRTHDAY: lambda on, told: f"{on.year}",
    EventKind.CHECK_IN: lambda on, told: on.isoformat(),
    EventKind.SURVEY_ANSWERED: lambda on, told: f"{told['survey']}",
    EventKind.TASK_COMPLETED: lambda on, told: f"{told['task']} {told['period']}",
}
"""What makes one the same as an earlier one of the same person; any line of others is one more."""


@dataclass(frozen=True, slots=True)
class CustomType:
    """The registered type of the CUSTOM events that a file tells of."""

    id: UUID
    fields: Sequence[FieldSpec]


@dataclass(slots=True)
class _Names:
    """People and items by the names the file has for them."""

    brand_id: UUID
    timezone: str
    inner: BatchView
    outer: BatchView
    serials: dict[str, int] = field(default_factory=dict)

    def identity(self, name: str) -> UUID:
        return uuid5(self.brand_id, name)

    def serial(self, item: str) -> int:
        return self.serials.setdefault(item, len(self.serials))


def read_events(
    lines: Iterable[str],
    event: EventKind,
    brand_id: UUID,
    product_id: UUID | None,
    timezone: str,
    custom: CustomType | None = None,
) -> list[Happening]:
    """Events in the order of time. Columns: ``at`` (ISO 8601 with an offset), ``person``; of scans
    ``item`` and maybe ``role`` (CONSUMER, or GUIDE for a pre-scan at the sale), ``latitude``,
    ``longitude``, ``scene``, ``device``; of purchases ``amount_fen`` and maybe ``quantity``,
    ``place``, ``latitude``, ``longitude``, ``skus`` (with spaces between); of members' events
    maybe ``role`` and what they tell; of CUSTOM ones, of the type ``custom``, what that has for
    fields, as ``custom.`` and the field's name. The same name is the same person, item or place.
    Refuses InvalidInput that names the line."""
    rows = csv.DictReader(lines)
    needed = _NEEDED.get(event, ("at", "person"))
    missing = [name for name in needed if name not in (rows.fieldnames or ())]
    if missing:
        raise InvalidInput(field="line 1", problem=f"no column {', '.join(missing)}")
    inner, outer = made_up_batches(brand_id, product_id)
    names = _Names(brand_id, timezone, inner, outer)
    found: list[Happening] = []
    for number, row in enumerate(rows, FIRST_LINE):
        try:
            if event is EventKind.SCAN:
                found.append(_scan(row, names))
            elif event is EventKind.PURCHASE:
                found.append(_buy(row, names, number))
            elif custom is not None:
                found.append(_tell_custom(row, names, custom, number))
            else:
                found.append(_tell(row, names, event, number))
        except (ValueError, TypeError, InvalidInput) as wrong:
            raise InvalidInput(field=f"line {number}", problem=str(wrong)) from wrong
    return sorted(found, key=lambda each: each.at)


def _at(row: dict[str, str]) -> datetime:
    at = datetime.fromisoformat(row["at"])
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return at.astimezone(UTC)


def _scan(row: dict[str, str], names: _Names) -> ScanHappens:
    role = row.get("role") or MemberRole.CONSUMER.value
    if role not in _ROLES:
        raise ValueError(f"role: one of {', '.join(sorted(_ROLES))}")
    device = row.get("device") or row["person"]
    return ScanHappens(
        _at(row),
        names.identity(f"{role} {_name(row, 'person')}"),
        role,
        names.inner if role == MemberRole.CONSUMER else names.outer,
        names.serial(_name(row, "item")),
        device,
        _degrees(row.get("latitude"), 90),
        _degrees(row.get("longitude"), 180),
        row.get("scene") or None,
    )


def _buy(row: dict[str, str], names: _Names, number: int) -> PurchaseHappens:
    at, buyer = _at(row), names.identity(_name(row, "person"))
    fact = PurchaseFact(
        purchase_ref=f"{number}",
        member_ref="",
        purchased_on=local_date(at, names.timezone),
        quantity=_count(row.get("quantity") or "1"),
        amount_fen=_count(row["amount_fen"]),
        at=at,
        lines=_lines(row.get("skus") or ""),
        source=PurchaseSource.TILL,
        identity_id=buyer,
        place=_place(row, names),
    )
    return PurchaseHappens(at, buyer, fact)


def _lines(skus: str) -> tuple[LineFact, ...]:
    """What was bought, by SKUs with spaces between them: one of each, at no price of its own."""
    return tuple(LineFact(no, sku, None, 1, 0) for no, sku in enumerate(skus.split(), 1))


def _place(row: dict[str, str], names: _Names) -> PurchasePlace | None:
    code = (row.get("place") or "").strip()
    if not code:
        return None
    return PurchasePlace(
        names.identity(f"place {code}"),
        code,
        _degrees(row.get("latitude"), 90),
        _degrees(row.get("longitude"), 180),
    )


def _tell(row: dict[str, str], names: _Names, event: EventKind, number: int) -> EventHappens:
    role = MemberRole(row.get("role") or MemberRole.CONSUMER)
    at, who = _at(row), names.identity(f"{role} {_name(row, 'person')}")
    told: dict[str, FieldValue] = {
        name: _count(row.get(name) or "0") if name in _NUMBERS else row.get(name) or ""
        for name in _TOLD[event]
    }
    once = _ONCE.get(event)
    which = f"{number}" if once is None else once(local_date(at, names.timezone), told)
    fact = EventFact(event, f"{who.hex}:{which}", who, at, told)
    return EventHappens(at, who, role.value, fact)


def _tell_custom(
    row: dict[str, str], names: _Names, custom: CustomType, number: int
) -> EventHappens:
    """Each line is one more event; an empty field is left out."""
    role = MemberRole(row.get("role") or MemberRole.CONSUMER)
    at, who = _at(row), names.identity(f"{role} {_name(row, 'person')}")
    known = {each.name: each.kind for each in custom.fields}
    told = [
        (name, _read_field(text, known.get(name, FieldKind.STRING)))
        for column, text in row.items()
        if column is not None and text and (name := column.removeprefix(_CUSTOM)) != column
    ]
    payload = check_payload("custom", told, custom.fields)
    facts = custom_facts([(name, kind.value) for name, kind in known.items()], payload)
    fact = EventFact(EventKind.CUSTOM, f"{number}", who, at, payload, custom.id, facts)
    return EventHappens(at, who, role.value, fact)


def _read_field(text: str, kind: FieldKind) -> FieldValue:
    if kind is FieldKind.INT:
        return int(text)
    if kind is FieldKind.BOOL:
        return {"true": True, "false": False}.get(text, text)  # refused by the payload's check
    return text


def _name(row: dict[str, str], column: str) -> str:
    return checked_text(row[column], column, length_max=NAME_LENGTH_MAX)


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= AMOUNT_FEN_MAX:
        raise ValueError(f"0 to {AMOUNT_FEN_MAX}")
    return value


def _degrees(text: str | None, most: int) -> float | None:
    if not text:
        return None
    value = float(text)
    if not -most <= value <= most:  # NaN fails it as well
        raise ValueError("degrees out of range")
    return value
