"""Pure: from what a row of a file or an operator's report says to a purchase that can be
settled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from loyalty.clock import local_date
from loyalty.errors import InvalidInput, NotFound
from loyalty.places.models import Place
from loyalty.products.models import Product
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import LineFact, PurchaseFact, PurchasePlace, noon_of

COLUMNS = ("purchase_ref", "member_ref", "purchased_on", "quantity", "amount")
REF_LENGTH_MAX = 64
NUMBER_LENGTH_MAX = 20
QUANTITY_MAX = 10**9
AMOUNT_FEN_MAX = 10**11
"""A thousand million units of currency: no purchase, and far from what a balance can hold."""
LINES_MAX = 200
LINE_NO_MAX = 10**6
EARLIEST = date(1900, 1, 1)
_EARLIEST_AT = datetime(1900, 1, 2, tzinfo=UTC)  # in no zone the day before the earliest

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_SPACES = " \u3000\u00a0"


class RejectReason(StrEnum):
    """Why a row is not a purchase: the codes of the reject file."""

    NOT_UTF8 = "NOT_UTF8"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    QUOTES_BROKEN = "QUOTES_BROKEN"
    FIELD_COUNT = "FIELD_COUNT"
    PURCHASE_REF_INVALID = "PURCHASE_REF_INVALID"
    MEMBER_REF_INVALID = "MEMBER_REF_INVALID"
    DATE_INVALID = "DATE_INVALID"
    DATE_IN_FUTURE = "DATE_IN_FUTURE"
    QUANTITY_NOT_A_WHOLE_NUMBER = "QUANTITY_NOT_A_WHOLE_NUMBER"
    QUANTITY_NEGATIVE = "QUANTITY_NEGATIVE"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"
    AMOUNT_NOT_A_NUMBER = "AMOUNT_NOT_A_NUMBER"
    AMOUNT_NEGATIVE = "AMOUNT_NEGATIVE"
    AMOUNT_TOO_PRECISE = "AMOUNT_TOO_PRECISE"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    PURCHASE_REF_CONFLICT = "PURCHASE_REF_CONFLICT"


def read_fact(fields: Sequence[str], today: date) -> PurchaseFact | RejectReason:
    """The purchase that a row's fields (in the order of COLUMNS) tell, or why it is none.

    ``today`` is the brand's. Spaces around a field do not count.
    """
    if len(fields) != len(COLUMNS):
        return RejectReason.FIELD_COUNT
    purchase_ref, member_ref, day, quantity_text, amount_text = (f.strip(_SPACES) for f in fields)
    if not _is_ref(purchase_ref):
        return RejectReason.PURCHASE_REF_INVALID
    if not _is_ref(member_ref):
        return RejectReason.MEMBER_REF_INVALID
    purchased_on = _read_date(day)
    if purchased_on is None:
        return RejectReason.DATE_INVALID
    if purchased_on > today:
        return RejectReason.DATE_IN_FUTURE
    quantity = _read_quantity(quantity_text)
    if isinstance(quantity, RejectReason):
        return quantity
    amount_fen = _read_fen(amount_text)
    if isinstance(amount_fen, RejectReason):
        return amount_fen
    return PurchaseFact(purchase_ref, member_ref, purchased_on, quantity, amount_fen)


def _is_ref(text: str) -> bool:
    return 1 <= len(text) <= REF_LENGTH_MAX and text.isprintable()


def _read_date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= EARLIEST else None


def _read_quantity(text: str) -> int | RejectReason:
    if not _WHOLE.fullmatch(text):
        return RejectReason.QUANTITY_NOT_A_WHOLE_NUMBER
    if text.startswith("-"):
        return RejectReason.QUANTITY_NEGATIVE
    if len(text) > NUMBER_LENGTH_MAX or int(text) > QUANTITY_MAX:
        return RejectReason.QUANTITY_TOO_LARGE
    return int(text)


def _read_fen(text: str) -> int | RejectReason:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return RejectReason.AMOUNT_NOT_A_NUMBER
    if text.startswith("-"):
        return RejectReason.AMOUNT_NEGATIVE
    if len(match[1] or "") > len(".00"):
        return RejectReason.AMOUNT_TOO_PRECISE
    if len(text) > NUMBER_LENGTH_MAX or Decimal(text) * 100 > AMOUNT_FEN_MAX:
        return RejectReason.AMOUNT_TOO_LARGE
    return int(Decimal(text) * 100)


# --- a report through the API --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineReport:
    """A line as it was sent: a product by its id, or anything by its SKU."""

    line_no: int
    quantity: int
    amount_fen: int
    sku: str | None = None
    product_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PurchaseReport:
    """A purchase as it was sent, but for who bought. ``currency`` is the brand's, if named, and
    so is the place."""

    purchase_ref: str
    occurred_at: datetime
    quantity: int
    amount_fen: int
    source: PurchaseSource
    lines: tuple[LineReport, ...] = ()
    currency: str | None = None
    place_id: UUID | None = None


def read_report(
    report: PurchaseReport,
    member_ref: str,
    identity_id: UUID | None,
    products: Mapping[UUID, Product],
    place: Place | None,
    timezone: str,
    now: datetime,
) -> PurchaseFact:
    """The purchase that a report tells; the buyer as in a PurchaseFact, the place as it was found
    (it may have closed since).

    Refuses InvalidInput with the field's path, and NotFound (product) for an id that is none of
    the brand's ``products``; a SKU may be of other goods.
    """
    at = _checked_time(report.occurred_at, now)
    day = local_date(at, timezone)
    _check_number(report.quantity, "quantity", 0, QUANTITY_MAX)
    _check_number(report.amount_fen, "amountFen", 0, AMOUNT_FEN_MAX)
    return PurchaseFact(
        purchase_ref=checked_ref(report.purchase_ref, "purchaseRef"),
        member_ref=member_ref,
        purchased_on=day,
        quantity=report.quantity,
        amount_fen=report.amount_fen,
        at=None if at == noon_of(day, timezone) else at,
        lines=_read_lines(report, products),
        source=report.source,
        identity_id=identity_id,
        place=_as_rules_see(place) if place is not None else None,
    )


def _as_rules_see(place: Place) -> PurchasePlace:
    return PurchasePlace(place.id, place.code, place.latitude, place.longitude)


def checked_ref(text: str, field: str) -> str:
    """An outside reference: 1 to 64 printable characters, or InvalidInput."""
    ref = text.strip(_SPACES)
    if not _is_ref(ref):
        raise InvalidInput(field=field, problem=f"1 to {REF_LENGTH_MAX} printable characters")
    return ref


def _checked_time(at: datetime, now: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(field="occurredAt", problem="needs a time zone offset")
    if at > now:
        raise InvalidInput(field="occurredAt", problem="must not be in the future")
    if at < _EARLIEST_AT:
        raise InvalidInput(field="occurredAt", problem=f"not before {EARLIEST}")
    return at.astimezone(UTC)


def _check_number(number: int, field: str, number_min: int, number_max: int) -> None:
    if not number_min <= number <= number_max:
        raise InvalidInput(field=field, problem=f"a whole number from {number_min} to {number_max}")


def _read_lines(report: PurchaseReport, products: Mapping[UUID, Product]) -> tuple[LineFact, ...]:
    if len(report.lines) > LINES_MAX:
        raise InvalidInput(field="lines", problem=f"at most {LINES_MAX}")
    by_sku = {product.sku: product for product in products.values()}
    lines: dict[int, LineFact] = {}
    for index, sent in enumerate(report.lines):
        path = f"lines[{index}]"
        _check_number(sent.line_no, f"{path}.lineNo", 1, LINE_NO_MAX)
        _check_number(sent.quantity, f"{path}.quantity", 1, QUANTITY_MAX)
        _check_number(sent.amount_fen, f"{path}.amountFen", 0, AMOUNT_FEN_MAX)
        if sent.line_no in lines:
            raise InvalidInput(field=f"{path}.lineNo", problem="more than once in this purchase")
        sku, product_id = _read_goods(sent, path, products, by_sku)
        lines[sent.line_no] = LineFact(
            sent.line_no, sku, product_id, sent.quantity, sent.amount_fen
        )
    if lines and sum(line.amount_fen for line in lines.values()) != report.amount_fen:
        raise InvalidInput(field="amountFen", problem="must be the sum of the lines")
    if lines and sum(line.quantity for line in lines.values()) != report.quantity:
        raise InvalidInput(field="quantity", problem="must be the sum of the lines")
    return tuple(lines[line_no] for line_no in sorted(lines))


def _read_goods(
    sent: LineReport, path: str, products: Mapping[UUID, Product], by_sku: Mapping[str, Product]
) -> tuple[str, UUID | None]:
    """The SKU of a line and the product that it is of, if it is one of the brand's."""
    if (sent.sku is None) == (sent.product_id is None):
        raise InvalidInput(field=path, problem="a sku or a productId")
    if sent.product_id is not None:
        product = products.get(sent.product_id)
        if product is None:
            raise NotFound(noun="product")
        return product.sku, product.id
    sku = checked_ref(sent.sku or "", f"{path}.sku")
    known = by_sku.get(sku)
    return sku, known.id if known else None
