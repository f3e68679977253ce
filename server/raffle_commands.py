"""``loyalty verify-raffles``."""

from dataclasses import asdict
from typing import Annotated

import typer

from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.ledger.audit_raffle_winners import NoSuchBrand, RaffleReport, verify_raffles
from server.console import Exit, err, fail, out, read_settings, say, with_database


def verify(
    brand: Annotated[str | None, typer.Option(help="Only this brand, by its slug.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Compute the winners of every drawn raffle again, read-only (验证开奖). Exit code 6 if
    anything is broken."""
    settings = read_settings()

    async def work(database: Database) -> RaffleReport:
        with err.status("Computing the winners again"):
            return await verify_raffles(database, brand)

    try:
        report = with_database(settings, work)
    except NoSuchBrand as error:
        raise fail(f"There is no brand {error}.", Exit.REFUSED) from None
    if as_json:
        say({"at": utc_now().isoformat(), **asdict(report)}, True, "")
    else:
        for example in report.examples:
            out.print(f"[red]{example}[/red]")
        out.print(
            f"{report.winners:,} winners among {report.entries:,} entries of {report.raffles:,}"
            f" raffles computed again, {report.waiting:,} are not drawn."
            f" 已复算{report.raffles:,}个抽奖。"
        )
        out.print(
            f"[red]{report.broken:,} broken. 开奖不符。[/red]"
            if report.broken
            else "[green]All winners are as the seeds and the tables say. 开奖相符。[/green]"
        )
    if report.broken:
        raise typer.Exit(int(Exit.AUDIT_BROKEN))
