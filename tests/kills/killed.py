"""Workers that are killed in the middle of what they do."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import SQLModel, func, select

from loyalty.db import Database
from tests.child import start_child, stop_child
from tests.kills.holding import process_is_gone


@dataclass(frozen=True)
class KilledWorker:
    """Starts workers (``module``, a script that is given the database's address), and kills them
    before they have done ``rows`` rows."""

    module: str
    environment: dict[str, str]
    log_path: Path
    rows: int

    async def kill_after(self, db: Database, counted: tuple[type[SQLModel], str], n: int) -> None:
        """SIGKILL one as soon as so many rows have this column."""
        model, column = counted
        with self.log_path.open("ab") as log:
            process = start_child(
                [sys.executable, "-m", self.module, db.url],
                log=log,
                environment=self.environment,
            )
            try:
                while await count(db, model, column) < n:
                    assert process.poll() is None, "it ended before it could be killed"
            finally:
                code = stop_child(process, signal.SIGKILL, seconds=10)
        assert code == -signal.SIGKILL
        await process_is_gone(db.url)
        assert n <= await count(db, model, column) < self.rows, "not in the middle"


async def count(db: Database, model: type[SQLModel], column: str) -> int:
    async with db.snapshot() as snapshot:
        counted = await snapshot.session.exec(
            select(func.count(getattr(model, column))).select_from(model)
        )
        return counted.one()
