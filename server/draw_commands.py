"""``loyalty verify-draws``."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer

from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.errors import InvalidInput
from loyalty.ledger.audit_draw_receipts import DrawReport, NothingToVerify, verify_draws
from server.console import Exit, err, fail, out, read_settings, say, with_database


def verify(
    brand: Annotated[str | None, typer.Option(help="Only this brand, by its slug.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only this campaign, by its code.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First local day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last local day, included.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Compute every draw again whose day's seed is revealed, read-only (验证抽奖). Exit code 6 if
    anything is broken."""
    settings = read_settings()

    async def work(database: Database) -> DrawReport:
        days = (_day(first, "from"), _day(last, "to"))
        with err.status("Computing the draws again"):
            return await verify_draws(database, brand, campaign, *days)

    try:
        report = with_database(settings, work)
    except NothingToVerify as error:
        raise fail(f"There is {error}.", Exit.REFUSED) from None
    if as_json:
        say({"at": utc_now().isoformat(), **asdict(report)}, True, "")
    else:
        for example in report.examples:
            out.print(f"[red]{example}[/red]")
        out.print(
            f"{report.receipts:,} draws of {report.days:,} revealed days computed again,"
            f" {report.waiting:,} wait for their seeds. 已复算{report.receipts:,}次抽奖。"
        )
        out.print(
            f"[red]{report.broken:,} broken. 抽奖不符。[/red]"
            if report.broken
            else "[green]Every draw is as its seed and its rules say. 抽奖相符。[/green]"
        )
    if report.broken:
        raise typer.Exit(int(Exit.AUDIT_BROKEN))


def _day(text: str | None, field: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field=field, problem="a day: 2026-11-09") from None
