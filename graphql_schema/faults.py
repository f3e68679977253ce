"""Faults: what goes to ``errors[]``. Refusals are answers and never come here.

A Fault carries a stable code and a message for the caller. Whatever else a resolver raises is
ours: the caller sees "Internal error" and an id, and the log has the same id with the traceback.
"""

import re
import traceback
from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import uuid4

from graphql import GraphQLError
from structlog.typing import FilteringBoundLogger

INTERNAL_MESSAGE = "Internal error"
_MESSAGE_CHARS_MAX = 500
_CAUSES_MAX = 5
# Phones and sign-in codes; e-mails; item codes, tokens, keys and hashes.
_PERSONAL = re.compile(r"\+?\d[\d -]{3,}\d|\S+@\S+|[A-Za-z0-9+/=_.-]{20,}")


class Fault(Exception):
    """The base of all faults. ``code`` ends up in ``errors[].extensions.code``."""

    code: ClassVar[str] = "FAULT"
    default_message: ClassVar[str] = "The request failed."

    def __init__(self, message: str | None = None, **extensions: Any) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        # graphql-core copies an original error's ``extensions`` to the error it reports.
        self.extensions: dict[str, Any] = {"code": self.code, **extensions}


class Unauthenticated(Fault):
    """Nobody is signed in, and this field needs somebody."""

    code = "UNAUTHENTICATED"
    default_message = "Please sign in."


class Forbidden(Fault):
    """Somebody is signed in, and may not do this."""

    code = "FORBIDDEN"
    default_message = "You may not do this."


class Invalid(Fault):
    """The request does not make sense as it is: a bad cursor, a page of 1,000, NUL in a string."""

    code = "INVALID"
    default_message = "The request is not valid."


class Throttled(Fault):
    """Too many requests; ``retryAfterSeconds`` says when to come back."""

    code = "THROTTLED"
    default_message = "Too many requests. Please slow down."

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(retryAfterSeconds=wait_seconds)
        self.wait_seconds = wait_seconds


class PersistedQueryNotFound(Fault):
    """No trusted document has this hash."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    default_message = "There is no trusted document with this id."


class TrustedDocumentsOnly(Fault):
    """This server runs registered documents and nothing else."""

    code = "TRUSTED_DOCUMENTS_ONLY"
    default_message = "This server accepts trusted documents only."


class CostExceeded(Fault):
    """The operation asks for more than one request may."""

    code = "COST_EXCEEDED"

    def __init__(self, cost: int, cost_max: int) -> None:
        message = f"This operation costs {cost}; at most {cost_max} is allowed."
        super().__init__(message, cost=cost, maximumCost=cost_max)


def format_errors(
    errors: Iterable[GraphQLError | Fault], log: FilteringBoundLogger
) -> list[dict[str, Any]]:
    """The ``errors`` of a reply. Faults and GraphQL's own errors are shown, all else is masked."""
    return [_format(error, log) for error in errors]


def _format(error: GraphQLError | Fault, log: FilteringBoundLogger) -> dict[str, Any]:
    if isinstance(error, Fault):
        return {"message": error.message, "extensions": error.extensions}
    shown: dict[str, Any] = {"message": error.message}
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    cause = root_cause(error)
    # Without a path nothing was resolved yet: what a scalar says about a variable is for the
    # caller, whatever class of exception it was.
    if cause is None or isinstance(cause, Fault) or error.path is None:
        shown["extensions"] = {"code": Invalid.code, **(error.extensions or {})}
        return shown
    error_id = str(uuid4())
    log.error("internal_error", error_id=error_id, path=error.path, exception=describe(cause))
    shown["message"] = INTERNAL_MESSAGE
    shown["extensions"] = {"code": "INTERNAL", "id": error_id}
    return shown


def root_cause(error: GraphQLError) -> Exception | None:
    """What was raised under a GraphQLError, or None if GraphQL itself raised it."""
    cause: Exception | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def describe(error: BaseException) -> str:
    """An exception and its causes for the log, without locals and without personal data.

    An exception's text may quote what a caller sent (a driver's quotes whole statements), so
    whatever looks like a phone, an address, a code or a token is struck out.
    """
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < _CAUSES_MAX:
        frames = "".join(
            f"  {frame.filename}:{frame.lineno} {frame.name}\n"
            for frame in traceback.extract_tb(current.__traceback__)
        )
        text = _PERSONAL.sub("***", str(current)[:_MESSAGE_CHARS_MAX])
        parts.append(f"{frames}{type(current).__qualname__}: {text}")
        current = current.__cause__ or current.__context__
    return "\ncaused by\n".join(parts)
