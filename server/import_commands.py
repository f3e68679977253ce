"""``loyalty import``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from loyalty.db import Database
from rewards.purchases.importer import ImportRefused, ImportSummary, import_purchases
from server.console import Exit, err, fail, keyring_of, read_settings, say, with_database

app = typer.Typer(help="Bringing in what happened elsewhere.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.callback()  # with one command and no callback, typer would drop the group's name
def _group() -> None:
    """Bringing in what happened elsewhere."""


@app.command()
def purchases(
    file: Annotated[Path, typer.Argument(help="CSV, UTF-8, with a header line.")],
    brand: Annotated[str, typer.Option(help="The brand's slug.")],
    reject_file: Annotated[
        Path | None,
        typer.Option(help="Where bad rows go; else NAME.rejected.csv beside the file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Post purchases of their own dates: purchase_ref, member_ref, purchased_on, quantity, amount.

    Enrols members, earns points and growth, moves tiers. Stopped anywhere, run it again: it ends
    the same.
    """
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> ImportSummary:
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("Importing", total=None)

            def show(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            return await import_purchases(
                database,
                brand,
                file,
                reject_path=reject_file,
                progress=show,
                keyring=keyring,
            )

    try:
        summary = with_database(settings, work)
    except ImportRefused as error:
        raise fail(str(error), Exit.REFUSED) from None
    text = (
        f"{summary.purchases:,} purchases of {summary.members:,} members,"
        f" {summary.points_granted:,} points granted, {summary.rejected:,} rejected"
    )
    if summary.reject_file is not None:
        text += f" (see {summary.reject_file})"
    say(asdict(summary), as_json, text)
