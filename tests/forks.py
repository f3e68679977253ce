"""``loyalty`` commands in processes of their own that start at once: forked from a process that has
read the whole program already, as starting Python hundreds of times would be most of the tests.

Run as a script it is that process. It is asked through a socket, a JSON object each time, and ends
with it; what it has started is killed with it.
"""

import atexit
import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from loyalty.db import Database
from server.cli import COMMANDS, main
from tests.child import PR_SET_PDEATHSIG

REQUEST_BYTES_MAX = 1 << 20
ROOT = Path(__file__).parents[1]


class Forked:
    """One process, as ``subprocess.Popen`` has it."""

    def __init__(self, forks: "Forks", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forks = forks

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._forks.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("loyalty", timeout)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """Starts ``loyalty`` commands of the engine as it is found on a ``PYTHONPATH``, else as it is
    here. What Python reads at its start is read by the process that forks."""

    def __init__(self, python_path: str = "") -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._parent = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.forks", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, (python_path, str(ROOT)))),
            },
            start_new_session=True,
        )
        theirs.close()

    def __enter__(self) -> "Forks":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
        self._parent.wait()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path,
        outputs: tuple[int, int],
    ) -> Forked:
        """``loyalty`` with these arguments, in a session of its own; ``outputs`` are the file
        descriptors of its standard output and error."""
        wanted = {"arguments": list(arguments), "environment": dict(environment), "cwd": str(cwd)}
        return Forked(self, int(self.ask(wanted, outputs)))

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            answer = self._socket.recv(REQUEST_BYTES_MAX)
        assert answer, "the process that forks has ended"
        return json.loads(answer)


@cache
def _forks_on(python_path: str) -> Forks:
    forks = Forks(python_path)
    atexit.register(forks.close)
    return forks


def forks_for(environment: Mapping[str, str]) -> Forks:
    """Those of this process of the tests, for commands in such an environment."""
    return _forks_on(environment.get("PYTHONPATH", ""))


def start_command(
    arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
) -> Forked:
    """``loyalty`` with these arguments, beside us; both outputs go to ``log``, where it works."""
    folder = Path(log.name).parent
    outputs = (log.fileno(), log.fileno())
    return forks_for(environment).start(arguments, environment, folder, outputs)


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """``loyalty`` with these arguments to its end, whatever its code."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        descriptors = (output.fileno(), error.fileno())
        process = forks_for(environment).start(arguments, environment, cwd, descriptors)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = []
        for file in (output, error):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["loyalty", *arguments], code, *texts)


# --- the process that forks --------------------------------------------------------------------


def _read_the_program() -> None:
    gc.disable()
    for module_name, _ in COMMANDS.values():
        import_module(module_name)
    import_module("server.asgi")
    Database("postgresql://nobody@nowhere/nothing")  # reads the driver
    gc.enable()
    gc.freeze()


def _become(wanted: dict[str, Any], descriptors: Sequence[int], parent: int) -> None:
    """What a process is that was started by itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the tests ended first")
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, number in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["cwd"])
    sys.argv = ["loyalty", *wanted["arguments"]]


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def fork_on_demand(asked: socket.socket) -> bool:
    """Answer until the tests end. True in a process that was forked: it is to go on as what was
    asked for."""
    own = os.getpid()
    while True:
        request, descriptors, _, _ = socket.recv_fds(asked, REQUEST_BYTES_MAX, 2)
        if not request:
            return False
        wanted = json.loads(request)
        if "poll" in wanted:
            asked.send(json.dumps(_ended(wanted["poll"])).encode())
            continue
        pid = os.fork()
        if pid == 0:
            asked.close()
            _become(wanted, descriptors, own)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        asked.send(json.dumps(pid).encode())


if __name__ == "__main__":
    _read_the_program()
    if fork_on_demand(socket.socket(fileno=int(sys.argv[1]))):
        main()
