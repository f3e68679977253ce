"""``loyalty outbox``: what waits, what is dead, and trying that again."""

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from loyalty import audit_log, outbox
from loyalty.actor import system_actor
from loyalty.brands.service import get_brand_by_slug, list_brands
from loyalty.db import Database, RetryTransaction, Snapshot, Tx
from loyalty.outbox import OutboxEvent, State
from server.console import Exit, fail, out, read_settings, say, with_database

app = typer.Typer(help="Facts for workers (发件箱).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Slug = Annotated[str | None, typer.Option("--brand", help="Only this brand, by its slug.")]


class NotDead(Exception):
    """Ids that are no dead letters; nothing was done."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a line shows. Who is concerned is told by id alone; payloads stay where they are."""

    id: str
    brand: str
    topic: str
    subject_id: str
    state: State
    attempts: int
    failures: int
    created_at: str
    due_at: str
    last_error: str | None


@app.command("list")
def list_(
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters (死信).")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Only what is still tried.")] = False,
    brand: Slug = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    as_json: AsJson = False,
) -> None:
    """Facts that are not delivered, the oldest 1,000: dead letters and pending ones."""
    if dead and pending:
        raise fail(
            "Either --dead or --pending; without both, all that is not delivered.", Exit.USAGE
        )
    state: State | None = "dead" if dead else "pending" if pending else None

    async def work(database: Database) -> list[_Row]:
        async with database.snapshot() as snapshot:
            slugs = {each.id: each.slug for each in await list_brands(snapshot)}
            brand_id = await _brand_id(snapshot, brand)
            events = await outbox.list_events(snapshot, state, brand_id=brand_id, topic=topic)
        return [_row(event, slugs[event.brand_id]) for event in events]

    rows = with_database(read_settings(), work)
    if as_json:
        say({"events": [asdict(row) for row in rows]}, True, "")
    elif rows:
        out.print(_table(rows))
    else:
        out.print("Nothing. 没有未送达的事件。", highlight=False)


@app.command()
def retry(
    event_ids: Annotated[
        list[UUID] | None, typer.Argument(metavar="[EVENT_ID]...", help="Dead letters.")
    ] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead letter.")] = False,
    brand: Slug = None,
    as_json: AsJson = False,
) -> None:
    """Try dead letters again, now and with all attempts before them. Written to the audit log."""
    ids = set(event_ids or ())
    if bool(ids) == all_dead:
        raise fail("Name events by id, or --all-dead.", Exit.USAGE)

    async def work(database: Database) -> dict[str, Any]:
        return await database.in_transaction(_retry, ids if ids else None, brand)

    try:
        done = with_database(read_settings(), work)
    except NotDead as error:
        raise fail(f"No dead letter, hence nothing was done: {error}", Exit.REFUSED) from None
    say(done, as_json, f"{done['retried']:,} dead letters are due now. 已重新排队。")


async def _retry(tx: Tx, ids: set[UUID] | None, brand: str | None) -> dict[str, Any]:
    found = await outbox.find_dead(
        tx, ids=sorted(ids) if ids is not None else None, brand_id=await _brand_id(tx, brand)
    )
    missing = (ids or set()) - {event_id for _, event_id, _ in found}
    if missing:
        raise NotDead(", ".join(sorted(map(str, missing))))
    by_brand = sorted(found)
    retried = await outbox.retry(tx, [(brand_id, event_id) for brand_id, event_id, _ in by_brand])
    if retried != len(found):
        raise RetryTransaction  # somebody else retries them just now
    for brand_id, dead in groupby(by_brand, key=lambda each: each[0]):
        topics = Counter(topic for _, _, topic in dead)
        await audit_log.record(tx, system_actor(brand_id), "outbox.retry", brand_id, topics=topics)
    return {"retried": retried}


async def _brand_id(snapshot: Snapshot, slug: str | None) -> UUID | None:
    return None if slug is None else (await get_brand_by_slug(snapshot, slug)).id


def _row(event: OutboxEvent, slug: str) -> _Row:
    return _Row(
        str(event.id),
        slug,
        event.topic,
        str(event.subject_id),
        "dead" if event.dead_at else "pending",
        event.attempts,
        event.failures,
        event.created_at.isoformat(),
        event.due_at.isoformat(),
        event.last_error,
    )


def _table(rows: list[_Row]) -> Table:
    table = Table(title="Outbox 发件箱", title_justify="left")
    table.add_column("Event", no_wrap=True)
    for heading in ("Brand", "Topic", "State", "Attempts", "Failures", "Created", "Due"):
        table.add_column(heading)
    table.add_column("Last error", overflow="fold")
    for row in rows:
        state = f"[red]{row.state}[/red]" if row.state == "dead" else row.state
        cells = (row.id, row.brand, row.topic, state, str(row.attempts), str(row.failures))
        times = (at[:19].replace("T", " ") for at in (row.created_at, row.due_at))
        table.add_row(*cells, *times, escape(row.last_error or ""))
    return table
