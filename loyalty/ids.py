"""Sortable ids. UUIDv7, made by whoever starts the action."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A new UUIDv7: unique, and later ids of one process sort after earlier ones."""
    return uuid7()
