"""A worker that does nothing but work off issue lists, a few rows a transaction. Run as a script
with the database's address; it ends when there is nothing to do."""

import asyncio
import sys

from loyalty.db import Database
from rewards.issues.lists import work_off

ROWS_EACH = 3
PAUSE_SECONDS = 0.02
"""So that there is time to kill it in the middle of its work."""


async def finish(db: Database, pause_seconds: float = 0) -> None:
    """Work until there is no open list."""
    while True:
        if await db.in_transaction(work_off, ROWS_EACH, set()) is None:
            return
        await asyncio.sleep(pause_seconds)


async def work(url: str) -> None:
    db = Database(url)
    try:
        await finish(db, PAUSE_SECONDS)
    finally:
        await db.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
