"""The command line of the host: ``loyalty --help``."""

import asyncio
import signal
import socket
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.ledger.audit import Check, NoSuchBrand, audit
from loyalty.settings import Settings
from migrations.runner import upgrade
from server import (
    brand_commands,
    code_commands,
    import_commands,
    ledger_commands,
    outbox_commands,
    tier_commands,
    token_commands,
    wechat_commands,
    worker_commands,
)
from server.asgi import FrontDoor, create_app
from server.audit_table import audit_table, verdict_of
from server.console import (
    Exit,
    err,
    fail,
    out,
    read_settings,
    require_schema,
    run,
    say,
    with_database,
)
from server.demo import run_demo
from server.logs import configure_logs

app = typer.Typer(
    name="loyalty",
    help="A member-loyalty engine: one code, two rewards (一码双奖). "
    "Settings come from LOYALTY_* variables; see docs/operations.md.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(brand_commands.app, name="brand")
app.add_typer(brand_commands.operators, name="operator")
app.add_typer(code_commands.app, name="codes")
app.add_typer(import_commands.app, name="import")
app.add_typer(ledger_commands.app, name="ledger")
app.add_typer(outbox_commands.app, name="outbox")
app.add_typer(tier_commands.app, name="tiers")
app.add_typer(wechat_commands.app, name="wechat")
app.command("token")(token_commands.token)
app.command("worker")(worker_commands.worker)

LISTEN_BACKLOG = 2048

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema. Safe to run again."""
    settings = read_settings()
    applied = run(upgrade(settings.database_url))
    say(
        {"applied": applied},
        as_json,
        f"Applied: {', '.join(applied)}" if applied else "Nothing to apply: the schema is current.",
    )


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve the GraphQL API. Without LOYALTY_REDIS_URL the same process drains the outbox."""
    settings = read_settings()
    configure_logs(settings)
    run(require_schema(settings))
    serve_until_stopped(settings, host or settings.host, settings.port if port is None else port)


def serve_until_stopped(settings: Settings, host: str, port: int) -> None:
    """Run one server process; its address is said once it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise fail(f"Cannot listen on {host}:{port}: {error.strerror}", Exit.FAILED) from None
    listener.listen(LISTEN_BACKLOG)  # who comes while we start waits a moment
    err.print(f"Listening on http://{host}:{listener.getsockname()[1]}/graphql", highlight=False)
    config = uvicorn.Config(
        FrontDoor(create_app(settings)),
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=20,
    )
    # uvicorn ends in order at SIGTERM and then raises the signal again for whoever was there
    # before: for a supervisor an orderly end is exit code 0.
    signal.signal(signal.SIGTERM, _end)
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(int(Exit.OK))


@app.command("audit")
def audit_command(
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


@app.command()
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


def main() -> None:
    """The entry point of the ``loyalty`` command."""
    app()
