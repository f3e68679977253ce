"""``loyalty migrate`` and ``loyalty audit``."""

from dataclasses import asdict
from typing import Annotated

import typer

from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.ledger.audit import Check, NoSuchBrand, audit
from migrations.runner import upgrade
from server.audit_table import audit_table, verdict_of
from server.console import Exit, err, fail, out, read_settings, run, say, with_database

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def migrate(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema. Safe to run again."""
    settings = read_settings()
    applied = run(upgrade(settings.database_url))
    say(
        {"applied": applied},
        as_json,
        f"Applied: {', '.join(applied)}" if applied else "Nothing to apply: the schema is current.",
    )


def audit_books(
    brand: Annotated[str | None, typer.Option(help="Only this brand, by its slug.")] = None,
    every_check: Annotated[
        bool, typer.Option("--all", help="A row for each check, not for each invariant.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the books against themselves, read-only. Exit code 6 if anything is broken."""
    settings = read_settings()

    async def work(database: Database) -> list[Check]:
        with err.status("Auditing") as status:
            return await audit(database, brand, progress=status.update)

    try:
        checks = with_database(settings, work)
    except NoSuchBrand as error:
        raise fail(f"There is no brand {error}.", Exit.REFUSED) from None
    broken = sum(check.broken for check in checks)
    if as_json:
        listed = [asdict(check) for check in checks]
        say({"at": utc_now().isoformat(), "broken": broken, "checks": listed}, True, "")
    else:
        out.print(audit_table(checks, every_check=every_check))
        out.print(verdict_of(checks))
    if broken:
        raise typer.Exit(int(Exit.AUDIT_BROKEN))
