"""Installs GraphiQL's files: ``python -m server.graphiql.install``. Needs npm, and only here.

Without npm it says so and ends well: the server has a plain query page of its own.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from server.graphiql import ASSETS, ASSETS_FOLDER, is_installed

_HERE = Path(__file__).resolve().parent
_LOCK_FILES = ("package.json", "package-lock.json")
_STAMP = "package-lock.json"


def main() -> int:
    """0 if GraphiQL is there or cannot be had without npm; 1 if npm failed."""
    lock = (_HERE / _STAMP).read_bytes()
    stamp = ASSETS_FOLDER / _STAMP
    if is_installed() and stamp.is_file() and stamp.read_bytes() == lock:
        return 0
    npm = shutil.which("npm")
    if npm is None:
        sys.stdout.write("npm was not found: /graphql will show its plain query page instead.\n")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in _LOCK_FILES:
            shutil.copy(_HERE / name, temporary)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(command, cwd=temporary, check=False).returncode != 0:
            sys.stderr.write("npm ci failed: /graphql will show its plain query page.\n")
            return 0
        ASSETS_FOLDER.mkdir(parents=True, exist_ok=True)
        for name, source in ASSETS.items():
            shutil.copy(Path(temporary, "node_modules", source), ASSETS_FOLDER / name)
    stamp.write_bytes(lock)
    sys.stdout.write("GraphiQL is installed.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
