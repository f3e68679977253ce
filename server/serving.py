"""``loyalty serve``: one server process."""

import asyncio
import signal
import socket
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from loyalty.settings import Settings
from server.asgi import FrontDoor, create_app
from server.console import Exit, err, fail, read_settings, require_schema, run
from server.logs import configure_logs

LISTEN_BACKLOG = 2048


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
