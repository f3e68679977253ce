"""Run as a script: one import in a process that a test may kill.

``importing.py DATABASE_URL SLUG FILE REJECT_FILE BATCH_SIZE GO_FILE`` says ``ready``, waits for
GO_FILE, says ``committed`` after each batch, and ends with the summary as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from loyalty.db import Database
from rewards.purchases.importer import import_purchases


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _run(url: str, slug: str, file: Path, rejects: Path, batch_size: int) -> None:
    db = Database(url)
    summary = await import_purchases(
        db,
        slug,
        file,
        reject_path=rejects,
        batch_size=batch_size,
        progress=lambda done, total: _say("committed"),
    )
    await db.close()
    _say(json.dumps(asdict(summary), default=str))


if __name__ == "__main__":
    url, slug, file, rejects, batch_size, go_file = sys.argv[1:]
    _say("ready")
    while not Path(go_file).exists():
        time.sleep(0.002)
    asyncio.run(_run(url, slug, Path(file), Path(rejects), int(batch_size)))
