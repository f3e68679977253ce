"""A worker that does nothing but bring raffles to their end, a few rows a transaction. Run as a
script with the database's address; it ends when there is nothing to do."""

import asyncio
import sys

from loyalty.crypto import Keyring
from loyalty.db import Database
from rewards.raffles.drawing import take_step
from tests.databases import MASTER_KEY

ROWS_EACH = 2
PAUSE_SECONDS = 0.02
"""So that there is time to kill it in the middle of its work."""


async def finish(db: Database, keyring: Keyring, pause_seconds: float = 0) -> None:
    """Take steps until there are none left."""
    while True:
        if await db.in_transaction(take_step, keyring, ROWS_EACH, set()) is None:
            return
        await asyncio.sleep(pause_seconds)


async def work(url: str) -> None:
    db = Database(url)
    try:
        await finish(db, Keyring(bytes.fromhex(MASTER_KEY)), PAUSE_SECONDS)
    finally:
        await db.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
