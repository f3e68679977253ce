"""``loyalty ledger``: what expires, and what the books say."""

import time
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from loyalty import audit_log
from loyalty.actor import system_actor
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database, Tx
from loyalty.ledger.expiry import CHUNK_LOTS, Swept, sweep_chunk
from server.console import err, read_settings, say, with_database

app = typer.Typer(help="What members have, and the brand's books (账本).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Brand = Annotated[str, typer.Option(help="The brand's slug.")]


@app.callback()
def _group() -> None:
    """What members have, and the brand's books (账本)."""


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
