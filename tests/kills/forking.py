"""Real ``loyalty worker`` processes, any number, each with a log of its own."""

import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.forks import Forked, start_command

WORKING = '"working"'
GONE_SECONDS_MAX = 10


class Worker:
    """One worker process and what it wrote."""

    def __init__(self, process: Forked, log: Path) -> None:
        self._process = process
        self.log = log

    def is_there(self) -> bool:
        return self._process.poll() is None

    def says(self, word: str) -> bool:
        return word in self.log.read_text()

    def works(self) -> bool:
        """Whether it has begun."""
        return self.says(WORKING)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; it is gone afterwards."""
        self._process.kill()
        self._process.wait(GONE_SECONDS_MAX)


class WorkerForks:
    """Starts workers, any number, one after another or side by side."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.started: list[Worker] = []
        self._folder = folder
        self._environment = {**environment, "LOYALTY_LOG_FORMAT": "json"}

    def __enter__(self) -> "WorkerForks":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        for each in self.started:
            if each.is_there():
                each.kill()

    def start(self) -> Worker:
        """One more; it may take a moment until it works."""
        path = self._folder / f"worker-{len(self.started) + 1}.log"
        with path.open("ab") as log:
            started = Worker(start_command(["worker"], self._environment, log), path)
        self.started.append(started)
        return started
