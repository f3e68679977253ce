"""Statements and books as CSV (对账单), in pieces, for downloads and the command line alike.

Each page of rows is read in a snapshot of its own: whoever reads slowly keeps no transaction open,
and no more than a page is in memory. UTF-8 with the mark by which spreadsheets know it; times are
the brand's local ones; no field is a formula.
"""

import csv
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.db import Database
from loyalty.ledger import history
from loyalty.ledger.history import EVER, BookOfAsset, BrandEntry, EntryFilter, StatementLine
from loyalty.text import for_spreadsheet
from loyalty.withholdings.queries import list_withheld

PAGE_ROWS = 2_000
BYTE_ORDER_MARK = "\ufeff"
STATEMENT_COLUMNS = (
    *("id", "booked_at", "occurred_at", "asset", "account", "kind", "phase", "amount", "balance"),
    *("expires_on", "cause_kind", "cause_id", "campaign_id", "reason"),
)
BOOK_COLUMNS = ("asset", "opening", "issued", "spent", "expired", "reversed", "closing", "owed")
WITHHOLDING_COLUMNS = (
    *("id", "withheld_at", "member_id", "prize_kind", "prize_id", "credit_id", "gross_fen"),
    *("tax_fen", "net_fen", "returned_fen", "rate_percent", "threshold_fen"),
)
ENTRY_COLUMNS = tuple(field.name for field in fields(BrandEntry))
OPENING, CLOSING = "OPENING", "CLOSING"
"""What the lines are called that tell a balance and are no entries."""
_POSTED = ("POSTED", "POST")
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class BrandCalendar:
    """Whose statement it is, and where its days begin."""

    brand_id: UUID
    timezone: str


def csv_lines(calendar: BrandCalendar, rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows in UTF-8: instants in the calendar's zone, nothing for None, no text a formula."""
    out = StringIO()
    zone = ZoneInfo(calendar.timezone)
    csv.writer(out).writerows([_cell(value, zone) for value in row] for row in rows)
    return out.getvalue().encode()


def _cell(value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    return for_spreadsheet(value) if isinstance(value, str) else str(value)


def csv_head(columns: Iterable[str]) -> bytes:
    """The mark and the names of the columns."""
    return (BYTE_ORDER_MARK + ",".join(columns) + "\r\n").encode()


async def member_statement(
    database: Database, calendar: BrandCalendar, member_id: UUID, wanted: EntryFilter
) -> AsyncIterator[bytes]:
    """A member's entries, oldest first, with the balance after each; before and after them what
    each asset stood at. Of some kinds alone no balance is told: it would not add up."""
    brand_id = calendar.brand_id
    yield csv_head(STATEMENT_COLUMNS)
    balances: dict[str, int] = {}
    if wanted.since > EVER[0]:
        async with database.snapshot() as snapshot:
            stood = await history.list_balances_at(
                snapshot, brand_id, member_id, wanted.since - _INSTANT
            )
        balances = {b.asset: b.balance for b in stood if wanted.asset in (None, b.asset)}
    adds_up = not wanted.kinds
    if adds_up:
        yield csv_lines(calendar, _standing(balances, OPENING, wanted.since))
    start: UUID | None = None
    while True:
        async with database.snapshot() as snapshot:
            lines = await history.list_entries(
                *(snapshot, brand_id, member_id, wanted),
                start=start,
                limit=PAGE_ROWS,
                oldest_first=True,
            )
        yield csv_lines(calendar, (_statement_row(line, balances, adds_up) for line in lines))
        if len(lines) < PAGE_ROWS:
            break
        start = lines[-1].entry.id
    if adds_up:
        yield csv_lines(calendar, _standing(balances, CLOSING, wanted.until))


def _standing(balances: dict[str, int], what: str, at: datetime) -> Iterable[list[Any]]:
    booked_at = at if EVER[0] < at < EVER[1] else None
    for asset, balance in sorted(balances.items()):
        yield [None, booked_at, None, asset, "MAIN", what, None, None, balance, *[None] * 5]


def _statement_row(line: StatementLine, balances: dict[str, int], adds_up: bool) -> list[Any]:
    entry = line.entry
    balance: int | None = None
    if entry.account == "MAIN":
        balance = balances.get(entry.asset, 0)
        balance += entry.amount if entry.phase in _POSTED else 0
        balances[entry.asset] = balance
    return [
        *(entry.id, entry.booked_at, entry.occurred_at, entry.asset, entry.account, entry.kind),
        *(entry.phase, entry.amount, balance if adds_up else None, entry.expires_on),
        *(entry.cause_kind, entry.cause_id, line.campaign_id, entry.reason),
    ]


async def brand_books(
    database: Database, calendar: BrandCalendar, first: date | None, last: date | None
) -> AsyncIterator[bytes]:
    """The brand's books from one of its days to another, both included: what was outstanding, what
    came to it and went, and what is outstanding then. Refuses InvalidInput."""
    since, until = history.booked_on(first, last, calendar.timezone, ("from", "until"))
    async with database.snapshot() as snapshot:
        books = await history.books_between(snapshot, calendar.brand_id, since, until)
    yield csv_head(("from", "until", *BOOK_COLUMNS))
    yield csv_lines(calendar, ((first, last, *book_row(*stages)) for stages in books))


def book_row(before: BookOfAsset, during: BookOfAsset, after: BookOfAsset) -> tuple[str | int, ...]:
    """The books of one asset from a time to another, as BOOK_COLUMNS name them: opening + issued =
    spent + expired + reversed + closing."""
    return (
        *(after.asset, before.outstanding, during.issued, during.spent, during.expired),
        *(during.reversed, after.outstanding, after.owed),
    )


async def brand_entries(
    database: Database, calendar: BrandCalendar, first: date, last: date
) -> AsyncIterator[bytes]:
    """All transfers of the brand that were booked from one of its days to another, both included.
    Refuses InvalidInput."""
    since, until = history.booked_on(first, last, calendar.timezone, ("from", "until"))
    yield csv_head(ENTRY_COLUMNS)
    after: UUID | None = None
    while True:
        async with database.snapshot() as snapshot:
            entries = await history.list_brand_entries(
                snapshot, calendar.brand_id, since, until, after=after, limit=PAGE_ROWS
            )
        yield csv_lines(
            calendar, ([getattr(entry, name) for name in ENTRY_COLUMNS] for entry in entries)
        )
        if len(entries) < PAGE_ROWS:
            break
        after = entries[-1].id


async def brand_withholdings(
    database: Database, calendar: BrandCalendar, first: date | None, last: date | None
) -> AsyncIterator[bytes]:
    """All tax that was withheld of prizes from one of the brand's days to another, both included,
    newest first. Refuses InvalidInput."""
    since, until = history.booked_on(first, last, calendar.timezone, ("from", "until"))
    yield csv_head(WITHHOLDING_COLUMNS)
    before: UUID | None = None
    while True:
        async with database.snapshot() as snapshot:
            rows = await list_withheld(
                snapshot, calendar.brand_id, since, until, before=before, limit=PAGE_ROWS
            )
        names = WITHHOLDING_COLUMNS
        yield csv_lines(calendar, ([getattr(row, name) for name in names] for row in rows))
        if len(rows) < PAGE_ROWS:
            break
        before = rows[-1].id
