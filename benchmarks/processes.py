"""Servers as real processes: `loyalty serve`, the twin, the bare ping."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.postgres import ROOT, WORK
from tests.child import start_child, stop_child
from tests.postgresql_server import free_port

LOYALTY = Path(sys.executable).with_name("loyalty")
SERVE = [str(LOYALTY), "serve", "--host", "127.0.0.1", "--port", "{port}"]
READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
LOOK_SECONDS = 0.02
UVICORN = [
    sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools",
    "--no-access-log", "--log-level", "warning", "--lifespan", "on",
]  # fmt: skip
"""The settings that `loyalty serve` runs its own uvicorn with."""


class DidNotStart(Exception):
    """A server did not answer in time; the message carries its log."""


def run_loyalty(environment: dict[str, str], *arguments: str) -> str:
    """Run one `loyalty` command to its end; its output. Fails the bench when it fails."""
    done = subprocess.run(
        [str(LOYALTY), *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DidNotStart(f"loyalty {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def run_and_watch(environment: dict[str, str], *arguments: str) -> tuple[str, int]:
    """Run one `loyalty` command to its end; its output, and the most memory it held, in bytes.

    The kernel's own account of an ended child (``ru_maxrss``) begins with what its parent held, as
    a child is a copy of it before it becomes the command: so the child's high-water mark is looked
    at while it runs. It never falls, so the last look is the one that counts.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    path, log_path = (WORK / f"{arguments[0]}.{kind}" for kind in ("out", "log"))
    peak_bytes = 0
    with path.open("wb") as output, log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(LOYALTY), *arguments],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=log,
        )
        while process.poll() is None:
            peak_bytes = max(peak_bytes, _high_water_bytes(process.pid))
            time.sleep(LOOK_SECONDS)
    if process.returncode != 0:
        raise DidNotStart(f"loyalty {' '.join(arguments)}:\n{log_path.read_text()[-4000:]}")
    return path.read_text(), peak_bytes


def _high_water_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0  # it has just ended


@contextmanager
def serving(command: list[str], environment: dict[str, str], name: str) -> Iterator[int]:
    """Start a server with ``{port}`` filled in; its port, once it takes connections.

    The environment is all that the server gets.
    """
    port = free_port()

    def listens() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            return False

    with running([part.format(port=port) for part in command], environment, name, listens):
        yield port


@contextmanager
def running(
    command: list[str], environment: dict[str, str], name: str, is_ready: Callable[[], bool]
) -> Iterator[None]:
    """Start a process and wait until it is ready; it must not end before we end it."""
    WORK.mkdir(parents=True, exist_ok=True)
    log_path = WORK / f"{name}.log"
    with log_path.open("wb") as log:
        process = start_child(command, log=log, environment=environment, cwd=ROOT)
    try:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{name}:\n{log_path.read_text()[-4000:]}")
            time.sleep(0.05)
        yield
        if process.poll() is not None:
            raise DidNotStart(f"{name} died:\n{log_path.read_text()[-4000:]}")
    finally:
        stop_child(process, signal.SIGTERM, STOP_SECONDS_MAX)
