"""Sortable ids. UUIDv7, made by whoever starts the action."""

from binascii import b2a_base64
from collections.abc import Callable
from uuid import UUID

from uuid_utils import uuid7

from loyalty.statements import DriverUUID


def new_id() -> UUID:
    """A new UUIDv7: unique, and later ids of one process sort after earlier ones.

    Of the driver's class, as are those it reads: the same values, hashed and compared in C.
    """
    made: UUID = DriverUUID(uuid7().bytes)
    return made


def read_id(written: str) -> UUID:
    """An id that was written as hex, of the class of ``new_id``; ValueError or TypeError if it is
    none."""
    read: UUID = DriverUUID(written)
    return read


def namer(type_name: str) -> Callable[[UUID], str]:
    """``global_id`` for the rows of one type."""
    prefix = f"{type_name}:"

    def name(id: UUID) -> str:
        return b2a_base64((prefix + id.hex).encode(), newline=False).decode()

    return name


def global_id(type_name: str, id: UUID) -> str:
    """How a row is named outside, whatever tells of it: base64 of ``Type:hex``."""
    return namer(type_name)(id)
