"""``loyalty sandbox``: brands to try the partners' API with."""

from dataclasses import asdict
from typing import Annotated

import typer

from loyalty.db import Database
from server.console import keyring_of, read_settings, say, with_database
from server.sandbox import Sandbox, found_sandbox

app = typer.Typer(help="Sandboxes for partners' integrators.", no_args_is_help=True)


@app.command("create")
def create(
    slug: Annotated[str, typer.Argument(help="Of the host; its partner is SLUG-partner.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> None:
    """Make two brands with test data that have agreed on coupons, and a key for the partner's
    systems. Keys and PINs are shown once."""
    settings = read_settings()
    keyring = keyring_of(settings)

    async def work(database: Database) -> Sandbox:
        return await database.in_transaction(found_sandbox, keyring, slug)

    made = with_database(settings, work)
    tills = "\n".join(
        f"Till of {till.brand}: {till.key}, clerk {till.clerk_number}, PIN {till.pin}"
        for till in made.tills
    )
    text = (
        f"Host {made.host}, partner {made.partner}, agreement {made.agreement_id},"
        f" template {made.template_id}.\nMembers of the host: {', '.join(made.phones)}."
        f"\n{tills}\nThe partner's key: {made.partner_key}"
    )
    say(asdict(made), as_json, text)
