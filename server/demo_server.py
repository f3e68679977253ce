"""The demo's own server: a real ``loyalty serve`` in a process of its own, on loopback."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx2

from loyalty.crypto import mask_phone
from server.demo_client import connect

READY_SECONDS_MAX = 60
SMS_SECONDS_MAX = 10
STOP_SECONDS_MAX = 10

_LISTENING = re.compile(r"Listening on (http://\S+)/graphql")
_SIGN_IN_CODE = re.compile(r"sign-in code for (\+\d+): (\d{6}) ")


class ServerFailed(Exception):
    """The server did not do what it should; ``str()`` says what, for people."""


class DemoServer:
    """One server process. What it writes goes to ``log``, with phones masked and sign-in codes
    struck out, and to ``echo`` as it came, when that is set."""

    def __init__(self, environment: Mapping[str, str], log: Path, port: int) -> None:
        self._environment = dict(environment)
        self._log = log
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._heard = threading.Condition()
        self._url: str | None = None
        self._codes: dict[str, str] = {}
        self._is_over = False
        self.echo: Callable[[str], None] | None = None

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        if self._url is None:
            raise ServerFailed("The server is not listening yet.")
        return self._url

    def start(self) -> None:
        """Start it; ``wait_until_healthy`` tells when it is there."""
        program = ["-P", "-m", "server.demo_child", str(os.getpid())]
        # A session of its own: Ctrl-C is for us, and we end it in good order.
        self._process = subprocess.Popen(
            [sys.executable, *program, "serve", "--host", "127.0.0.1", "--port", str(self._port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=self._environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="demo-server-log", daemon=True)
        self._reader.start()

    def wait_until_healthy(self) -> None:
        """ServerFailed if it ends first, or takes too long. It says its address before it has
        wired itself, hence the questions."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            with self._heard:
                self._heard.wait_for(lambda: self._url is not None or self._is_over, 1)
                url, is_over = self._url, self._is_over
            if is_over:
                raise ServerFailed(f"The server ended at once: {self.last_line()}")
            if url is not None and _is_healthy(url):
                return
            time.sleep(0.05)
        raise ServerFailed(
            f"The server was not ready within {READY_SECONDS_MAX} s: {self.last_line()}"
        )

    def take_sign_in_code(self, phone: str) -> str:
        """The newest code sent to this phone, once: what its owner reads in the SMS."""
        with self._heard:
            if not self._heard.wait_for(lambda: phone in self._codes, SMS_SECONDS_MAX):
                raise ServerFailed(f"No sign-in code came for {mask_phone(phone)}.")
            return self._codes.pop(phone)

    def wait_until_over(self) -> int:
        """Its return code, once it ends by itself."""
        process = self._running()
        while True:
            try:
                return process.wait(0.5)  # in short bites, so that a signal is heard at once
            except subprocess.TimeoutExpired:
                continue

    def stop(self) -> None:
        """End it and wait for its end. Safe at any time, and twice."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if self._reader is not None:
            self._reader.join(STOP_SECONDS_MAX)

    def last_line(self) -> str:
        """The last thing it said."""
        lines = self._log.read_text(encoding="utf-8").split("\n") if self._log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ServerFailed("The server was never started.")
        return self._process

    def _read(self) -> None:
        stream = self._running().stdout
        if stream is None:
            raise ServerFailed("The server has no output to read.")
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", buffering=1) as log, stream:
            for line in stream:
                log.write(_masked(line))
                self._hear(line)
                if self.echo is not None:
                    self.echo(line.rstrip("\n"))
        with self._heard:
            self._is_over = True
            self._heard.notify_all()

    def _hear(self, line: str) -> None:
        listening, code = _LISTENING.search(line), _SIGN_IN_CODE.search(line)
        with self._heard:
            if listening is not None:
                self._url = listening.group(1)
            if code is not None:
                self._codes[code.group(1)] = code.group(2)
            self._heard.notify_all()


def _is_healthy(url: str) -> bool:
    try:
        with connect(url) as client:
            return client.get("/healthz").is_success
    except httpx2.TransportError:
        return False


def _masked(line: str) -> str:
    return _SIGN_IN_CODE.sub(
        lambda found: f"sign-in code for {mask_phone(found.group(1))}: ****** ", line
    )
