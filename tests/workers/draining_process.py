"""A worker process that tests may kill: says ``ready``, waits for work, drains the outbox in
small batches until it is empty, and says how many events it had.

``python -m tests.workers.draining_process DATABASE_URL BATCH_SIZE [FILE]``. With a file, its
provider appends each message's id to it and holds on to the fifth message until a file of that
name with ``.release`` appears: to be stopped or killed there, outside of any transaction.
"""

import asyncio
import sys
from pathlib import Path

from loyalty.db import Database
from loyalty.notifications.providers import Message, NullProvider
from workers.wiring import make_relay

HELD_MESSAGE = 5
PAUSE_SECONDS = 0.005  # where writers queue by luck, this lets the other processes in


class FileProvider:
    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    async def send(self, message: Message) -> None:
        with self._path.open("a") as file:
            file.write(f"{message.id}\n")
        self._count += 1
        if self._count == HELD_MESSAGE:
            while not self._path.with_suffix(".release").exists():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def drain(url: str, batch_size: int, sent: str | None) -> None:
    db = Database(url)
    relay = make_relay(db, FileProvider(Path(sent)) if sent else NullProvider())
    count = await relay.run_once(batch_size)
    say("ready")
    while not count:
        await asyncio.sleep(PAUSE_SECONDS)
        count = await relay.run_once(batch_size)
    while leased := await relay.run_once(batch_size):
        count += leased
        await asyncio.sleep(PAUSE_SECONDS)
    say(f"drained {count}")
    await db.close()


if __name__ == "__main__":
    asyncio.run(drain(sys.argv[1], int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None))
