"""``loyalty demo``."""

from pathlib import Path
from typing import Annotated

import typer

from server.demo import run_demo


def demo(
    exit_after: Annotated[
        bool, typer.Option("--exit", help="End after the show instead of serving on.")
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="Where the database and the QR pictures go; made anew each time.")
    ] = Path("demo-output"),
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
) -> None:
    """Show the main job: one scan pays two people, over real HTTP, and the books agree."""
    raise typer.Exit(run_demo(folder, port=port, keep_serving=not exit_after))
