"""Real ``loyalty worker`` processes that start at once: forked from a process that has read the
program already, as starting Python fifty times would be most of a test.

Run as a script it is that process: for each line, the path of a log, it forks a worker and answers
with its id. It ends with its standard input, and its workers end with it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from loyalty.db import Database
from server.worker_commands import worker
from tests.child import PR_SET_PDEATHSIG
from tests.house.source import ROOT

GONE_SECONDS_MAX = 10
WORKING = '"working"'


class Worker:
    """One worker process and what it wrote."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log

    def is_there(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def says(self, word: str) -> bool:
        return word in self.log.read_text()

    def works(self) -> bool:
        """Whether it has begun."""
        return self.says(WORKING)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; it is gone afterwards."""
        self.signal(signal.SIGKILL)
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while self.is_there():
            assert time.monotonic() < deadline
            time.sleep(0.002)


class WorkerForks:
    """Starts workers, any number, one after another or side by side."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.started: list[Worker] = []
        self._folder = folder
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "LOYALTY_LOG_FORMAT": "json"},
            cwd=ROOT,
            start_new_session=True,
        )

    def __enter__(self) -> "WorkerForks":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for each in self.started:
            if each.is_there():
                each.kill()
        self._parent.communicate(timeout=GONE_SECONDS_MAX)

    def start(self) -> Worker:
        """One more; it may take a moment until it works."""
        log = self._folder / f"worker-{len(self.started) + 1}.log"
        log.touch()
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.write(f"{log}\n")
        self._parent.stdin.flush()
        started = Worker(int(self._parent.stdout.readline()), log)
        self.started.append(started)
        return started


def _work(log: str) -> NoReturn:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        worker()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def _fork_on_demand() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    Database("postgresql://nobody@nowhere/nothing")  # reads the driver
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _work(line.strip())
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _fork_on_demand()
