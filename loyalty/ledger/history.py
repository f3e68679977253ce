"""Statements (对账): where a balance came from, and the brand's books on a date.

What a member's statements read is in ``history_queries.py``, what the brand's read in
``book_queries.py``; both are re-exported here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from loyalty.clock import day_start
from loyalty.db import Snapshot
from loyalty.errors import InvalidInput
from loyalty.ledger.book_queries import BrandEntry, Flow, list_brand_entries, list_flows
from loyalty.ledger.history_queries import (
    EVER,
    BalanceAt,
    EntryFilter,
    ExpiringLot,
    StatementLine,
    find_main_account,
    list_balances_at,
    list_entries,
    list_expiring_lots,
    list_movements,
    list_prolonged,
    owners_of,
)
from loyalty.ledger.models import AccountKind, TransferKind
from loyalty.ledger.origins import LotMovement, LotProlonged, Tracing, UnspentCredit

__all__ = [
    "EVER",
    "BalanceAt",
    "BookOfAsset",
    "BrandEntry",
    "EntryFilter",
    "ExpiringLot",
    "Explanation",
    "HistoryTooLong",
    "LotMovement",
    "StatementLine",
    "UnspentCredit",
    "booked_on",
    "books_between",
    "explain",
    "list_balances_at",
    "list_brand_entries",
    "list_entries",
    "list_expiring_lots",
]

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9998, 12, 31)
MOVEMENTS_MAX = 100_000
_GIVES_BACK = frozenset({TransferKind.REVERSE, TransferKind.OWE, TransferKind.ADJUST})


class HistoryTooLong(Exception):
    """More has moved on these accounts than is to be traced at once."""


def booked_on(
    first: date | None, last: date | None, timezone: str, fields: tuple[str, str]
) -> tuple[datetime, datetime]:
    """From the first instant of one local day until just before the end of another, both included;
    None leaves that side open. Refuses InvalidInput, by the names of the two fields."""
    for day, field in ((first, fields[0]), (last, fields[1])):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise InvalidInput(field=field, problem=f"a day from {FIRST_DAY} to {LAST_DAY}")
    if first is not None and last is not None and last < first:
        raise InvalidInput(field=fields[1], problem=f"no day before {fields[0]}")
    return (
        EVER[0] if first is None else day_start(first, timezone),
        EVER[1] if last is None else day_start(last + timedelta(days=1), timezone),
    )


# --- where a balance came from -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is left of a member's credits of one asset, in the order of the lots; and whose account
    each of them was made on, by the account's id."""

    account_id: UUID
    credits: list[UnspentCredit]
    owner_of: dict[UUID, UUID]


async def explain(
    snapshot: Snapshot,
    brand_id: UUID,
    owner_id: UUID,
    asset: str,
    *,
    movements_max: int = MOVEMENTS_MAX,
) -> Explanation | None:
    """Trace what a member has of an asset back to the credits that made it, through moves from
    other members too; None when it never had any. Statements: two a link of such moves.

    Raises HistoryTooLong when more than ``movements_max`` movements would have to be looked at.
    """
    account_id = await find_main_account(snapshot, brand_id, owner_id, asset)
    if account_id is None:
        return None
    known: set[UUID] = set()
    new = {account_id}
    movements: list[LotMovement] = []
    prolonged: list[LotProlonged] = []
    while new:
        left = movements_max - len(movements)
        found = await list_movements(snapshot, brand_id, new, left + 1)
        if len(found) > left:
            raise HistoryTooLong
        movements += found
        prolonged += await list_prolonged(snapshot, brand_id, new)
        known |= new
        new = {
            moved.debit_account_id
            for moved in found
            if moved.is_between_members and moved.credit_account_id in new
        } - known
    credits = Tracing(known).fold(movements, prolonged).unspent(account_id)
    made_on = {part.credit.credit_account_id for part in credits}
    return Explanation(account_id, credits, await owners_of(snapshot, brand_id, made_on))


# --- the brand's books -------------------------------------------------------------------------


@dataclass(slots=True)
class BookOfAsset:
    """What the brand issued of an asset, and what became of it: issued = spent + expired +
    reversed + outstanding, in units of the asset. ``outstanding`` is what members and places have,
    less what members owe (``owed``)."""

    asset: str
    issued: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    outstanding: int = 0
    owed: int = 0

    def add(self, flow: Flow) -> None:
        """Count what crossed between those who hold value and the brand."""
        amount = flow.amount
        self.outstanding += amount * (flow.is_in - flow.is_out)
        if flow.kind == TransferKind.OWE:
            self.owed += amount
        elif flow.kind == TransferKind.REPAY:
            self.owed -= amount
        if flow.is_in is flow.is_out:
            return
        if flow.is_in and flow.kind == TransferKind.REVERSE:
            self._give_back(flow.book, amount)
        elif flow.is_in:
            self.issued += amount
        elif flow.kind == TransferKind.EXPIRE:
            self.expired += amount
        elif flow.kind in _GIVES_BACK:
            self.reversed += amount
        else:
            self.spent += amount

    def _give_back(self, book: str, amount: int) -> None:
        if book == AccountKind.EXPIRED:
            self.expired -= amount
        elif book == AccountKind.REVERSED:
            self.reversed -= amount
        else:
            self.spent -= amount


def _books_of(flows: Iterable[Flow]) -> dict[str, BookOfAsset]:
    books: dict[str, BookOfAsset] = {}
    for flow in flows:
        books.setdefault(flow.asset, BookOfAsset(flow.asset)).add(flow)
    return books


async def books_between(
    snapshot: Snapshot, brand_id: UUID, since: datetime, until: datetime
) -> list[tuple[BookOfAsset, BookOfAsset, BookOfAsset]]:
    """The brand's books by asset: as they stood at ``since``, what was booked from then until just
    before ``until``, and as they stood then. Reads all that was ever booked."""
    flows = await list_flows(snapshot, brand_id, since, until)
    before = _books_of(flow for flow in flows if not flow.is_recent)
    during = _books_of(flow for flow in flows if flow.is_recent)
    after = _books_of(flows)
    return [
        (before.get(asset, BookOfAsset(asset)), during.get(asset, BookOfAsset(asset)), book)
        for asset, book in sorted(after.items())
    ]
