"""Start a process that cannot outlive us, whatever ends us.

Run as a script, this file becomes the wanted program, after asking the kernel to end it with its
parent (Linux) and, where wanted, after becoming another user.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

PR_SET_PDEATHSIG = 1


def start_child(
    command: Sequence[str | Path],
    *,
    log: IO[bytes],
    environment: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    ends_by: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` with both outputs in ``log``; ``user`` is (uid, gid).

    In a session of its own: Ctrl-C reaches the tests only, and they end what they started.
    """
    uid, gid = user or (-1, -1)
    launcher = [sys.executable, "-I", __file__, os.getpid(), ends_by.value, uid, gid]
    return subprocess.Popen(
        [str(part) for part in (*launcher, *command)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        cwd=cwd,
        start_new_session=True,
    )


class Process(Protocol):
    """What is asked of a ``Popen``, and of what stands for one."""

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...

    def kill(self) -> None: ...


def stop_child(process: Process, by: signal.Signals, seconds: float) -> int:
    """Signal it and wait, with SIGKILL in the end; its return code."""
    if process.poll() is None:
        process.send_signal(by)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _become(parent: int, ends_by: int, uid: int, gid: int, command: list[str]) -> None:
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ends_by)
        if os.getppid() != parent:
            sys.exit("the tests ended first")
    # Started in the background, a shell has us ignore Ctrl-C; the child must not inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    parent, ends_by, uid, gid = (int(word) for word in sys.argv[1:5])
    _become(parent, ends_by, uid, gid, sys.argv[5:])
