"""``python -m server.demo_child PARENT_PID ARGUMENTS``: a ``loyalty`` command that ends with the
process that started it, whatever ends that."""

import ctypes
import os
import signal
import sys

from server.cli import main

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel to be ended with the parent (Linux; elsewhere only the parent sees to it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("the demo ended first")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    sys.argv = ["loyalty", *sys.argv[2:]]
    main()
