"""Real servers: the command people type, in processes that tests may kill (tests/forks.py)."""

import http.client
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from tests.child import stop_child
from tests.forks import Forked, Forks, forks_for
from tests.postgresql_server import free_port

READY_SECONDS_MAX = 30
LOYALTY = Path(sys.executable).with_name("loyalty")


class ServerFailed(Exception):
    """The server ended, or never became ready; the message ends with its log."""


class ServerProcess:
    """One ``loyalty serve``. ``url`` is its root, without a slash at the end."""

    def __init__(self, process: Forked, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_ready(self) -> None:
        """Until ``GET /healthz`` answers 200; ServerFailed if it never will."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not self._is_healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"exit code {self.process.poll()}\n{self.log_text()[-4000:]}")
            time.sleep(0.05)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def log_text(self) -> str:
        """All it wrote so far, both outputs."""
        return self.log.read_text(errors="replace")

    def kill(self) -> int:
        """SIGKILL, at once; the return code."""
        return stop_child(self.process, signal.SIGKILL, seconds=10)

    def terminate(self) -> int:
        """SIGTERM, and wait for its orderly end; the return code."""
        return stop_child(self.process, signal.SIGTERM, seconds=20)


class ServerFactory:
    """Starts servers on one test's database: any number, side by side or one after another; of
    the engine as it is here, or of the copy of ``forks``."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], forks: Forks | None = None
    ) -> None:
        self._forks = forks
        self._folder = folder
        self._environment = dict(environment)
        self._started: list[tuple[ServerProcess, IO[bytes]]] = []

    def __call__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> ServerProcess:
        """Start one with more ``arguments`` and variables; ``ready=False`` does not wait for it."""
        port = free_port()
        path = self._folder / f"server-{len(self._started) + 1}.log"
        log = path.open("wb")
        said = {**self._environment, **(environment or {})}
        process = (self._forks or forks_for(said)).start(
            ["serve", "--host", "127.0.0.1", "--port", str(port), *arguments],
            said,
            self._folder,
            (log.fileno(), log.fileno()),
        )
        server = ServerProcess(process, port, path)
        self._started.append((server, log))
        if ready:
            server.wait_ready()
        return server

    def stop_all(self) -> None:
        for server, log in self._started:
            server.kill()
            log.close()


def environment_for(database_url: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Our own variables and nothing of the developer's own ``LOYALTY_*``."""
    inherited = {name: value for name, value in os.environ.items() if "LOYALTY_" not in name}
    return {**inherited, **secrets, "LOYALTY_DATABASE_URL": database_url}


@pytest.fixture
def command_env(database_url: str, secrets_env: dict[str, str]) -> dict[str, str]:
    """The environment of any ``loyalty`` command on this test's database."""
    return environment_for(database_url, secrets_env)


@pytest.fixture
def server_process(tmp_path: Path, command_env: dict[str, str]) -> Iterator[ServerFactory]:
    """Call it to start a real server on this test's database; all are ended with the test."""
    factory = ServerFactory(tmp_path, command_env)
    yield factory
    factory.stop_all()
