"""``loyalty tiers``."""

import time
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database, Tx
from server.console import err, read_settings, say, with_database
from tiers.standings.reevaluation import Chunk, begin_runs, find_open_run, re_evaluate_chunk

app = typer.Typer(help="Tiers (会员等级).", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]

CHUNK_STANDINGS = 2_000


@app.callback()  # with one command and no callback, typer would drop the group's name
def _group() -> None:
    """Tiers (会员等级)."""


@app.command("re-evaluate")
def re_evaluate(
    brand: Annotated[str, typer.Option(help="The brand's slug.")], as_json: AsJson = False
) -> None:
    """Look at every standing whose day has come, and go on with what a worker has left undone.

    Workers do this at each brand's local midnight; after an import of old purchases it need not be
    waited for. Stopped anywhere, run it again: it goes on where it was.
    """
    settings = read_settings()
    began = time.perf_counter()

    async def work(database: Database) -> list[Chunk]:
        async with database.snapshot() as snapshot:
            brand_id = (await get_brand_by_slug(snapshot, brand)).id
        await database.in_transaction(begin_runs, brand_id, again=True)
        ended: dict[str, Chunk] = {}

        async def next_chunk(tx: Tx) -> Chunk | None:
            run = await find_open_run(tx, brand_id)
            return None if run is None else await re_evaluate_chunk(tx, run, CHUNK_STANDINGS)

        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("Re-evaluating", total=None)
            while (chunk := await database.in_transaction(next_chunk)) is not None:
                ended[chunk.name] = chunk
                progress.update(
                    task,
                    description=chunk.name,
                    completed=chunk.rows_done,
                    total=chunk.rows_total,
                )
        return list(ended.values())

    runs = with_database(settings, work)
    done, moved = sum(run.rows_done for run in runs), sum(run.rows_moved for run in runs)
    result = {
        "runs": [
            {"name": run.name, "done": run.rows_done, "moved": run.rows_moved} for run in runs
        ],
        "done": done,
        "moved": moved,
        "seconds": round(time.perf_counter() - began, 3),
    }
    say(result, as_json, f"Standings looked at: {done}; moved to another level: {moved}.")
