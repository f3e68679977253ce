"""The demo's own folder: made by it, marked by it, and the only place where it ever deletes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MARKER = ".loyalty-demo"
MARKER_TEXT = "loyalty demo makes this folder anew each time. Keep nothing of yours in it.\n"

DATABASE = "loyalty.db"
SERVER_LOG = "server.log"
FAULT = "fault.txt"
REJECTED = "purchases.rejected.csv"
LABELS = (
    "label-plum-inner-1.png",
    "label-plum-outer-1.png",
    "label-oolong-inner-1.png",
    "label-oolong-outer-1.png",
)
CODE_FILES = (
    "codes-plum-inner.txt",
    "codes-plum-outer.txt",
    "codes-oolong-inner.txt",
    "codes-oolong-outer.txt",
)
OWN_NAMES = frozenset(
    {
        MARKER,
        DATABASE,
        f"{DATABASE}-wal",
        f"{DATABASE}-shm",
        f"{DATABASE}-journal",
        f"{DATABASE}.secrets.json",
        SERVER_LOG,
        FAULT,
        REJECTED,
        *LABELS,
        *CODE_FILES,
    }
)
"""Every name the demo may write; only these are removed when it starts again."""


class FolderRefused(Exception):
    """The folder cannot be the demo's; ``str()`` says why and what to do. Nothing was touched."""


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """A fresh folder, held for as long as the demo runs. ``started_over``: an earlier demo, of
    this version or another, had left a database there, which is gone."""

    path: Path
    started_over: bool

    def file(self, name: str) -> Path:
        """A file of the demo's by its name."""
        if name not in OWN_NAMES:
            raise KeyError(name)
        return self.path / name


@contextmanager
def claimed_folder(path: Path) -> Iterator[DemoFolder]:
    """A fresh folder at this path; FolderRefused if it holds, or may hold, somebody's files.

    What an earlier demo left there is removed, name by name, and nothing else; nothing of it is
    migrated. A new folder is for its owner alone: codes are worth something.
    """
    folder = path.absolute()
    try:
        _refuse_foreign(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker = os.open(folder / MARKER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise FolderRefused(f"{folder} cannot be used: {error.strerror}.") from None
    try:
        _hold(marker, folder)
        os.ftruncate(marker, 0)
        os.write(marker, MARKER_TEXT.encode())
        try:
            started_over = (folder / DATABASE).exists()
            for name in OWN_NAMES - {MARKER}:
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise FolderRefused(f"{folder} cannot be emptied: {error.strerror}.") from None
        yield DemoFolder(folder, started_over)
    finally:
        os.close(marker)  # lets the next one in


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FolderRefused(f"{folder} is a file. Name another folder with --folder.")
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return
    foreign = sorted(names - OWN_NAMES)
    if MARKER not in names:
        foreign = sorted(names)
    if foreign:
        listed = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise FolderRefused(
            f"{folder} holds what is not the demo's ({listed}).\n"
            "Nothing was touched. Name another folder with --folder."
        )


def _hold(marker: int, folder: Path) -> None:
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise FolderRefused(
            f"Another demo is running in {folder}. Stop it, or name another folder with --folder."
        ) from None
