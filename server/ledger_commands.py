"""``loyalty ledger``: what expires, and what the books say."""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from graphql_schema.pagination import find_id_of
from loyalty import audit_log
from loyalty.actor import system_actor
from loyalty.assets.models import Asset
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput, NotFound
from loyalty.ledger.expiry import CHUNK_LOTS, Swept, sweep_chunk
from loyalty.ledger.history import EntryFilter, UnspentCredit, booked_on, books_between
from loyalty.ledger.history import explain as trace
from loyalty.ledger.models import TransferKind
from loyalty.members.queries import get_member
from server.console import Exit, err, fail, out, read_settings, say, with_database
from server.statement_csv import (
    BOOK_COLUMNS,
    BrandCalendar,
    book_row,
    brand_books,
    brand_entries,
    member_statement,
)

Export = tuple[str, UUID, AsyncIterator[bytes]]
"""What is exported, of whom or what, and its pieces."""

Exporting = Callable[[Database, BrandCalendar], Awaitable[Export]]

app = typer.Typer(help="What members have, and the brand's books (账本).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Brand = Annotated[str, typer.Option(help="The brand's slug.")]


async def _begin_sweep(tx: Tx, slug: str, limit: int) -> Swept:
    actor = system_actor((await get_brand_by_slug(tx, slug)).id)
    swept = await sweep_chunk(tx, actor.brand_id, limit, again=True)
    await audit_log.record(tx, actor, "ledger.expire", swept.run_id, on=swept.swept_on.isoformat())
    return swept


async def _go_on(tx: Tx, slug: str, limit: int) -> Swept:
    return await sweep_chunk(tx, (await get_brand_by_slug(tx, slug)).id, limit)


@app.command()
def expire(
    brand: Brand,
    chunk: Annotated[int, typer.Option(min=1, help="Lots in one transaction.")] = CHUNK_LOTS,
    as_json: AsJson = False,
) -> None:
    """Expire what is left in lots past their last day, by the brand's calendar. The worker does it
    by itself soon after midnight. Stopped anywhere, run it again: it goes on."""

    async def work(database: Database) -> dict[str, Any]:
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        began = time.perf_counter()
        expired = 0
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("Expiring", total=None)
            swept = await database.in_transaction(_begin_sweep, brand, chunk)
            while True:
                expired += swept.expired_now
                progress.update(task, completed=swept.lots_seen, total=swept.lots_past)
                if swept.is_finished:
                    break
                swept = await database.in_transaction(_go_on, brand, chunk)
        return {
            "brand": brand,
            "on": swept.swept_on.isoformat(),
            "lots_seen": swept.lots_seen,
            "lots_expired": expired,
            "seconds": round(time.perf_counter() - began, 3),
        }

    done = with_database(read_settings(), work)
    text = (
        f"{done['lots_expired']:,} lots expired, of {done['lots_seen']:,} past their last day on"
        f" {done['on']}. 已过期处理。"
    )
    say(done, as_json, text)


# --- statements --------------------------------------------------------------------------------

Member = Annotated[str, typer.Option(help="The member's id, as the API tells it or as a UUID.")]
From = Annotated[str | None, typer.Option("--from", help="First day, by the brand's calendar.")]
Until = Annotated[str | None, typer.Option("--until", help="Last day, included.")]
File = Annotated[
    Path, typer.Option(help="Where to write; - for standard output. Never overwrites.")
]


async def _calendar(database: Database, slug: str) -> BrandCalendar:
    async with database.snapshot() as snapshot:
        brand = await get_brand_by_slug(snapshot, slug)
    return BrandCalendar(brand.id, brand.timezone)


async def _member(database: Database, brand_id: UUID, text: str) -> UUID:
    try:
        id = find_id_of("Member", text) or UUID(text)
    except ValueError:
        raise NotFound(noun="member") from None
    async with database.snapshot() as snapshot:
        return (await get_member(snapshot, brand_id, id)).id


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field=field, problem="a day: 2026-11-09") from None


def _days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    return (
        None if first is None else _day(first, "from"),
        None if last is None else _day(last, "until"),
    )


async def _note(tx: Tx, brand_id: UUID, what: str, subject_id: UUID) -> None:
    """What leaves the house in bulk is on record."""
    await audit_log.record(tx, system_actor(brand_id), f"ledger.export_{what}", subject_id)


def _export(brand: str, file: Path, as_json: bool, work: Exporting) -> None:
    """Run one export into a file, which is there once it is whole, or to standard output."""

    async def write(database: Database, sink: IO[bytes]) -> int:
        calendar = await _calendar(database, brand)
        what, subject_id, pieces = await work(database, calendar)
        lines = -1  # the columns' names
        async for piece in pieces:
            lines += piece.count(b"\n")
            sink.write(piece)
        sink.flush()
        await database.in_transaction(_note, calendar.brand_id, what, subject_id)
        return lines

    settings = read_settings()
    if str(file) == "-":
        with_database(settings, lambda database: write(database, sys.stdout.buffer))
        return
    try:
        with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as part:
            lines = with_database(settings, lambda database: write(database, part))
            file.hardlink_to(part.name)
    except OSError as error:
        raise fail(f"Cannot write {file}: {error.strerror}", Exit.FAILED) from None
    say({"file": str(file), "lines": lines}, as_json, f"{lines:,} lines in {file}")


@app.command()
def statement(
    member: Member,
    brand: Brand,
    file: File,
    asset: Annotated[str | None, typer.Option(help="Only this asset.")] = None,
    kind: Annotated[list[TransferKind] | None, typer.Option(help="Only these kinds.")] = None,
    first: From = None,
    last: Until = None,
    as_json: AsJson = False,
) -> None:
    """Write a member's entries and balances as CSV (对账单)."""

    async def work(database: Database, calendar: BrandCalendar) -> Export:
        member_id = await _member(database, calendar.brand_id, member)
        since, until = booked_on(*_days(first, last), calendar.timezone, ("from", "until"))
        wanted = EntryFilter(asset, tuple(each.value for each in kind or ()), since, until)
        pieces = member_statement(database, calendar, member_id, wanted)
        return "statement", member_id, pieces

    _export(brand, file, as_json, work)


@app.command()
def entries(
    brand: Brand,
    file: File,
    first: Annotated[str, typer.Option("--from", help="First day, by the brand's calendar.")],
    last: Annotated[str, typer.Option("--until", help="Last day, included.")],
    as_json: AsJson = False,
) -> None:
    """Write all transfers of a brand as CSV (流水)."""

    async def work(database: Database, calendar: BrandCalendar) -> Export:
        days = _day(first, "from"), _day(last, "until")
        return "entries", calendar.brand_id, brand_entries(database, calendar, *days)

    _export(brand, file, as_json, work)


@app.command()
def books(
    brand: Brand,
    first: From = None,
    last: Until = None,
    file: Annotated[
        Path | None, typer.Option(help="Write CSV there instead; - for standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the brand issued and what became of it, from one of its days to another (发行与负债)."""
    if file is not None:

        async def work(database: Database, calendar: BrandCalendar) -> Export:
            days = _days(first, last)
            return "books", calendar.brand_id, brand_books(database, calendar, *days)

        _export(brand, file, as_json, work)
        return

    async def read(database: Database) -> list[dict[str, Any]]:
        calendar = await _calendar(database, brand)
        since, until = booked_on(*_days(first, last), calendar.timezone, ("from", "until"))
        async with database.snapshot() as snapshot:
            found = await books_between(snapshot, calendar.brand_id, since, until)
        return [dict(zip(BOOK_COLUMNS, book_row(*stages), strict=True)) for stages in found]

    rows = with_database(read_settings(), read)
    if as_json:
        say({"brand": brand, "from": first, "until": last, "books": rows}, True, "")
        return
    table = Table(title="Books 账簿", title_justify="left")
    for name in BOOK_COLUMNS:
        table.add_column(name, justify="left" if name == "asset" else "right")
    for row in rows:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else v for v in row.values()))
    out.print(table if rows else "Nothing was booked. 没有流水。")


@app.command()
def explain(
    member: Member,
    brand: Brand,
    asset: Annotated[str, typer.Option(help="Of which asset.")] = Asset.POINTS.value,
    as_json: AsJson = False,
) -> None:
    """Where what a member has came from (来源追溯): the credits that are not spent yet, soonest
    expiry first, however much has moved."""

    async def read(database: Database) -> list[dict[str, Any]]:
        calendar = await _calendar(database, brand)
        member_id = await _member(database, calendar.brand_id, member)
        async with database.snapshot() as snapshot:
            found = await trace(
                *(snapshot, calendar.brand_id, member_id, asset), movements_max=sys.maxsize // 2
            )
        return [_credit_row(part) for part in found.credits] if found else []

    rows = with_database(read_settings(), read)
    if as_json:
        say({"brand": brand, "member": member, "asset": asset, "credits": rows}, True, "")
        return
    table = Table(title=f"{asset} 来源", title_justify="left")
    for name in ("unspent", "of", "until", "kind", "cause", "cause_id", "occurred_at", "reason"):
        table.add_column(name)
    for row in rows:
        table.add_row(*(escape(str(value)) for value in list(row.values())[:8]))
    out.print(table if rows else "Nothing. 无余额。")


def _credit_row(part: UnspentCredit) -> dict[str, Any]:
    cause = part.cause
    return {
        "unspent": part.amount,
        "of": part.credit.amount,
        "until": "locked" if part.locked else part.expires_on.isoformat(),
        "kind": cause.kind,
        "cause": cause.cause_kind,
        "cause_id": str(cause.cause_id),
        "occurred_at": cause.occurred_at.isoformat(timespec="seconds"),
        "reason": cause.reason,
        "entry_id": str(part.credit.id),
        "campaign_id": None if cause.campaign_id is None else str(cause.campaign_id),
        "moved_by_id": None if part.moved is None else str(part.moved.id),
    }
