"""``loyalty wechat``: the mini-programs (小程序) by which people sign in."""

import os
import sys
from typing import Annotated

import typer

from loyalty.access.queries import list_wechat_apps
from loyalty.access.service import add_wechat_app, remove_wechat_app
from loyalty.actor import system_actor
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database
from server.console import Exit, fail, keyring_of, read_settings, say, with_database

app = typer.Typer(help="WeChat mini-programs (小程序) of a brand.", no_args_is_help=True)

SECRET_VARIABLE = "LOYALTY_WECHAT_SECRET"

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
AppId = Annotated[str, typer.Argument(help="The mini-program's AppID: wx...")]
Slug = Annotated[str, typer.Option("--brand", help="The brand's slug.")]


@app.command("add")
def add(app_id: AppId, brand: Slug, as_json: AsJson = False) -> None:
    """Let people sign in by a mini-program.

    Its AppSecret is asked for, or read from LOYALTY_WECHAT_SECRET or from standard input: never
    from the command line, which others on the host can see.
    """
    settings = read_settings()
    keyring = keyring_of(settings)
    secret = _secret()

    async def work(database: Database) -> dict[str, str]:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
        made = await database.in_transaction(
            add_wechat_app, system_actor(found.id), keyring, app_id, secret
        )
        return {"app_id": made.app_id}

    made = with_database(settings, work)
    say(made, as_json, f"People may sign in by {made['app_id']}.")


def _secret() -> str:
    secret = os.environ.get(SECRET_VARIABLE)
    if secret is None and sys.stdin.isatty():
        secret = str(typer.prompt("AppSecret", hide_input=True, err=True))
    elif secret is None:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise fail(f"Give the AppSecret on standard input or in {SECRET_VARIABLE}.", Exit.USAGE)
    return secret


@app.command("list")
def list_all(brand: Slug, as_json: AsJson = False) -> None:
    """The brand's mini-programs; their secrets are never shown."""
    settings = read_settings()

    async def work(database: Database) -> list[dict[str, str]]:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
            apps = await list_wechat_apps(snapshot, found.id)
        return [{"app_id": app.app_id, "added_at": app.created_at.isoformat()} for app in apps]

    apps = with_database(settings, work)
    lines = [f"{app['app_id']}  added {app['added_at']}" for app in apps]
    say({"apps": apps}, as_json, "\n".join(lines) or f"{brand} has no mini-program.")


@app.command("remove")
def remove(app_id: AppId, brand: Slug, as_json: AsJson = False) -> None:
    """Nobody signs in by a mini-program from now on. To change its secret: remove it, add it."""
    settings = read_settings()

    async def work(database: Database) -> None:
        async with database.snapshot() as snapshot:
            found = await get_brand_by_slug(snapshot, brand)
        await database.in_transaction(remove_wechat_app, system_actor(found.id), app_id)

    with_database(settings, work)
    say({"app_id": app_id}, as_json, f"Nobody signs in by {app_id} any more.")
