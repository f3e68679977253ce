"""Pure: events that somebody wrote into a CSV file, to be simulated."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid5

from loyalty.actor import MemberRole
from loyalty.clock import local_date
from loyalty.errors import InvalidInput
from loyalty.text import checked_text
from rewards.campaigns.models import EventKind
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import PurchaseFact
from rewards.scans.world import BatchView
from rewards.simulations.crowds import made_up_batches
from rewards.simulations.rules import AMOUNT_FEN_MAX, Happening, PurchaseHappens, ScanHappens

FIRST_LINE = 2
NAME_LENGTH_MAX = 128
_NEEDED = {
    EventKind.SCAN: ("at", "person", "item"),
    EventKind.PURCHASE: ("at", "person", "amount_fen"),
}
_ROLES = frozenset({MemberRole.CONSUMER.value, MemberRole.GUIDE.value})


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
    lines: Iterable[str], event: EventKind, brand_id: UUID, product_id: UUID | None, timezone: str
) -> list[Happening]:
    """Events in the order of time. Columns: ``at`` (ISO 8601 with an offset), ``person``; of scans
    ``item`` and maybe ``role`` (CONSUMER, or GUIDE for a pre-scan at the sale), ``latitude``,
    ``longitude``, ``scene``, ``device``; of purchases ``amount_fen`` and maybe ``quantity``. The
    same name is the same person or item. Refuses InvalidInput that names the line."""
    rows = csv.DictReader(lines)
    missing = [name for name in _NEEDED[event] if name not in (rows.fieldnames or ())]
    if missing:
        raise InvalidInput(field="line 1", problem=f"no column {', '.join(missing)}")
    inner, outer = made_up_batches(brand_id, product_id)
    names = _Names(brand_id, timezone, inner, outer)
    found: list[Happening] = []
    for number, row in enumerate(rows, FIRST_LINE):
        try:
            found.append(_scan(row, names) if event is EventKind.SCAN else _buy(row, names, number))
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
        source=PurchaseSource.TILL,
        identity_id=buyer,
    )
    return PurchaseHappens(at, buyer, fact)


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
