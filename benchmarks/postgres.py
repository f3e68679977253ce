"""A real PostgreSQL 18 for one bench run, with full durability, from the wheel of the tests."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.child import start_child, stop_child
from tests.postgresql_server import free_port, wheel_bin

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
"""Where databases live during a run: on the disk of the repository, ignored by git."""

BIN = wheel_bin()
USER_WHEN_ROOT = "nobody"  # PostgreSQL refuses to run as root
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 60
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
    def copy_of(self, template: str) -> Iterator[str]:
        """The URL of a fresh copy named ``copied``, its statistics taken; dropped afterwards."""
        url = self.create_database("copied", template=template)
        try:
            self.execute("ANALYZE", "CHECKPOINT", database="copied")
            yield url
        finally:
            self.drop_database("copied")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server on the repository's disk; stop it and remove its data at the end."""
    user = pwd.getpwnam(USER_WHEN_ROOT) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_place(user is not None)))
    sockets = Path(tempfile.mkdtemp(prefix="bench-"))  # socket paths must be short
    programs = BIN
    if user is not None:
        programs = _hand_over(user, folder, sockets)
    process = None
    try:
        uid_gid = (user.pw_uid, user.pw_gid) if user else None
        _initialise(programs, folder, uid_gid)
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = start_child(
                _command(programs, folder, sockets, port),
                log=log,
                user=uid_gid,
                ends_by=signal.SIGINT,  # fast shutdown
                cwd=folder,
            )
        postgres = Postgres(sockets, port, "")
        _wait_until_ready(postgres, process, folder / "log")
        _assert_durable(postgres)
        version = postgres.execute("SHOW server_version")[0][0]
        yield Postgres(sockets, port, version)
    finally:
        if process is not None:
            stop_child(process, signal.SIGINT, STOP_SECONDS_MAX)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def _place(as_root: bool) -> Path:
    """A folder on the repository's disk that the server's user can get to."""
    WORK.mkdir(parents=True, exist_ok=True)
    for place in (WORK, Path("/var/tmp"), Path(tempfile.gettempdir())):
        on_same_disk = place.stat().st_dev == ROOT.stat().st_dev
        if on_same_disk and (not as_root or _is_open(place)):
            return place
    raise NotDurable(f"no folder on the disk of {ROOT} that {USER_WHEN_ROOT} can reach")


def _is_open(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _hand_over(user: pwd.struct_passwd, folder: Path, sockets: Path) -> Path:
    """Give the folders to the server's user, and programs that it can run; where those are."""
    programs = BIN
    if not _is_open(BIN):
        shutil.copytree(BIN.parent, folder / "install", symlinks=True)
        programs = folder / "install" / "bin"
    for path in (folder, sockets):
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o755)
    return programs


def _initialise(programs: Path, folder: Path, user: tuple[int, int] | None) -> None:
    uid, gid = user or (None, None)
    subprocess.run(
        [
            *(str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres"),
            *("--auth=trust", "--encoding=UTF8", "--locale=C"),
        ],
        check=True,
        capture_output=True,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
        cwd=folder,
    )


def _command(programs: Path, folder: Path, sockets: Path, port: int) -> list[str]:
    settings = {
        **SETTINGS,
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(sockets),
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(folder / "data"), *arguments]


def _wait_until_ready(postgres: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            postgres.execute("SELECT 1")
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from error
            time.sleep(0.1)


def _assert_durable(postgres: Postgres) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if (value := postgres.execute(f"SHOW {name}")[0][0]) != "on":
            raise NotDurable(f"{name} = {value}")
