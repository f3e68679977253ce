"""What people may hand us: text that a database or a reader would choke on, and times that are no
instants, are refused here."""

import re
import unicodedata
from datetime import UTC, datetime

from loyalty.errors import InvalidInput

FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(3999, 12, 31, tzinfo=UTC)
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, surrogates, line breaks
_HANDLE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_SPACES = " \u3000\u00a0"
_FORMULA_STARTS = frozenset("=+-@|\t\r\n＝＋－＠")


def is_clean(text: str) -> bool:
    """True without control characters (NUL too), lone surrogates and line separators."""
    return text.isprintable() or not any(
        unicodedata.category(letter) in _REFUSED_CATEGORIES for letter in text
    )


def checked_text(text: str, field: str, *, length_max: int) -> str:
    """The text, trimmed: 1 to ``length_max`` clean characters, or InvalidInput."""
    trimmed = text.strip(_SPACES) if len(text) <= 2 * length_max + 100 else text
    if not 1 <= len(trimmed) <= length_max:
        raise InvalidInput(field=field, problem=f"1 to {length_max} characters")
    if not is_clean(trimmed):
        raise InvalidInput(field=field, problem="control characters are not allowed")
    return trimmed


def for_spreadsheet(text: str) -> str:
    """A field that no spreadsheet takes for a formula and no terminal for a command."""
    visible = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return f"'{visible}" if text.strip(_SPACES)[:1] in _FORMULA_STARTS else visible


def check_label(code: str, field: str, *, length_max: int) -> None:
    """Refuses InvalidInput unless it is a code that people give to things and read again."""
    if not 1 <= len(code) <= length_max or not all(c.isalnum() or c in "-_." for c in code):
        problem = f"1 to {length_max} letters, digits, hyphens or dots"
        raise InvalidInput(field=field, problem=problem)


def check_handle(code: str, field: str) -> None:
    """Refuses InvalidInput unless it is a code that programs write: plain, small, no spaces."""
    if not _HANDLE.fullmatch(code):
        problem = "a small letter, then up to 39 of a-z, 0-9, dashes and underscores"
        raise InvalidInput(field=field, problem=problem)


def checked_instant(at: datetime | None, field: str) -> datetime | None:
    """A time that somebody named, in UTC. Refuses InvalidInput for one without an offset, and for
    one outside FIRST_INSTANT to LAST_INSTANT: in every time zone there is a day around it."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise InvalidInput(field=field, problem="needs a time zone offset")
    if not FIRST_INSTANT <= at <= LAST_INSTANT:
        raise InvalidInput(field=field, problem="out of range")
    return at.astimezone(UTC)
