"""Relay connections over keysets, and global ids: written once, for every noun.

    codec = Cursor(datetime, UUID)                 # what the rows are ordered by
    page = page_of(codec, first, after, last, before)
    rows = await list_members(snap, ..., start=page.start, limit=page.limit, backward=page.backward)
    return connection_of(rows, page, codec, key=lambda row: (row.created_at, row.id))

The query orders by the key, ascending or descending as the list reads; ``backward`` turns that
order round and ``start`` is the key to begin after in the direction of travel (None at the end
of the list). It fetches ``limit`` rows, one more than the page, to know whether there is more.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry

from graphql_schema.faults import Invalid
from loyalty.ids import global_id

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
_CURSOR_CHARS_MAX = 512
_GLOBAL_ID_CHARS_MAX = 128
_GLOBAL_ID = re.compile(r"([A-Z][A-Za-z0-9_]{0,62}):([0-9a-f]{32})")

T = TypeVar("T")
Row = TypeVar("Row")
Key = tuple[Any, ...]


# --- global ids --------------------------------------------------------------------------------


def encode_id(type_name: str, id: UUID) -> strawberry.ID:
    """The global id of a node: base64 of ``Type:hex``."""
    return strawberry.ID(global_id(type_name, id))


def find_id(text: str) -> tuple[str, UUID] | None:
    """The type name and id in a global id; None for what we never gave out."""
    if len(text) > _GLOBAL_ID_CHARS_MAX:
        return None
    try:
        decoded = base64.b64decode(text.encode(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    match = _GLOBAL_ID.fullmatch(decoded)
    if match is None or encode_id(match[1], UUID(match[2])) != text:
        return None
    return match[1], UUID(match[2])


def decode_id(text: str) -> tuple[str, UUID]:
    """Like ``find_id``; raises the Fault INVALID."""
    found = find_id(text)
    if found is None:
        raise Invalid("This is not an id.")
    return found


def find_id_of(type_name: str, text: str) -> UUID | None:
    """The id in a global id of this type; None for any other, so that it can be "not found"."""
    found = find_id(text)
    return found[1] if found is not None and found[0] == type_name else None


# --- cursors -----------------------------------------------------------------------------------


class Cursor:
    """Opaque cursors over a key of these kinds: UUID, int, str, date, datetime (UTC)."""

    def __init__(self, *kinds: type) -> None:
        unknown = [kind for kind in kinds if kind not in _CODERS]
        if unknown or not kinds:
            raise TypeError(f"no cursor over {unknown or 'nothing'}")
        self._kinds = kinds
        self._coders = [_CODERS[kind] for kind in kinds]

    def encode(self, key: Key) -> str:
        values = [to(value) for (to, _), value in zip(self._coders, key, strict=True)]
        return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()

    def decode(self, text: str) -> Key:
        """The key; raises the Fault INVALID for anything that ``encode`` did not make."""
        try:
            if len(text) > _CURSOR_CHARS_MAX:
                raise ValueError("too long")
            padded = text.encode() + b"=" * (-len(text) % 4)
            values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not isinstance(values, list):
                raise TypeError("not a list")
            key = tuple(of(value) for (_, of), value in zip(self._coders, values, strict=True))
            if self.encode(key) != text:
                raise ValueError("not as we write it")
        except (ValueError, TypeError, OverflowError) as error:
            raise Invalid("This is not a cursor of this list.") from error
        return key


def _int(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("not a whole number of 64 bits")
    return value


def _str(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise ValueError("not a text")
    return value


def _instant(value: Any) -> datetime:
    return datetime.fromisoformat(_str(value)).astimezone(UTC)


_CODERS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    UUID: (lambda value: value.hex, lambda value: UUID(hex=_str(value))),
    int: (int, _int),
    str: (str, _str),
    date: (lambda value: value.isoformat(), lambda value: date.fromisoformat(_str(value))),
    datetime: (lambda value: value.astimezone(UTC).isoformat(), _instant),
}


# --- pages -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """What to fetch: ``limit`` rows (one more than ``size``) from ``start`` on."""

    size: int
    start: Key | None
    backward: bool

    @property
    def limit(self) -> int:
        return self.size + 1


def page_of(
    cursor: Cursor,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> Page:
    """Relay's arguments as a Page. Forward by first/after or backward by last/before, not both."""
    backward = last is not None or before is not None
    if backward and (first is not None or after is not None):
        raise Invalid("Use first and after, or last and before.")
    size = last if backward else first
    if size is None:
        size = PAGE_SIZE_DEFAULT
    if not 1 <= size <= PAGE_SIZE_MAX:
        raise Invalid(f"A page has 1 to {PAGE_SIZE_MAX} items.")
    start = before if backward else after
    return Page(size, None if start is None else cursor.decode(start), backward)


@strawberry.type
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type
class Connection(Generic[T]):
    """A page of a list. ``nodes`` are the rows; ``edges`` add a cursor to each."""

    nodes: list[T]
    page_info: PageInfo
    cursor_at: strawberry.Private[Callable[[Any], str]]

    @strawberry.field
    def edges(self) -> list[Edge[T]]:
        return [Edge(node=row, cursor=self.cursor_at(row)) for row in self.nodes]


def connection_of(
    rows: Sequence[Row], page: Page, cursor: Cursor, key: Callable[[Row], Key]
) -> Connection[Row]:
    """A Connection of rows as fetched: up to ``page.limit``, in the direction of travel."""
    more = len(rows) > page.size
    nodes = list(rows[: page.size])
    if page.backward:
        nodes.reverse()
    continued = page.start is not None

    def cursor_at(row: Row) -> str:
        return cursor.encode(key(row))

    page_info = PageInfo(
        has_next_page=continued if page.backward else more,
        has_previous_page=more if page.backward else continued,
        start_cursor=cursor_at(nodes[0]) if nodes else None,
        end_cursor=cursor_at(nodes[-1]) if nodes else None,
    )
    return Connection(nodes=nodes, page_info=page_info, cursor_at=cursor_at)
