"""What the database is told, to count it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from loyalty.db import Tx


class Told(list[str]):
    """Statements, each by itself also where several went in one go; in ``ways`` goes."""

    ways = 0

    def note(self, text: str) -> None:
        self.ways += 1
        self += _parts(text)


_BEGINS = re.compile(
    r"(?:WITH |, )q\d+ AS \(|(?: UNION ALL )?SELECT \d+, ROW\((?:q\d+\.\*|count\(\*\))\) FROM "
)


def _parts(text: str) -> list[str]:
    if "SELECT 0, ROW(" not in text:
        return [text]
    parts = (part.strip() for part in _BEGINS.split(text))
    return [part for part in parts if part and not re.fullmatch(r"q\d+", part)]


@asynccontextmanager
async def statements_told(tx: Tx) -> AsyncIterator[Told]:
    """What the driver is told to run on this transaction's connection."""
    told = Told()
    connection = await tx.session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if tx.dialect == "sqlite":
        await driver.set_trace_callback(told.note)
        yield told
        await driver.set_trace_callback(None)
    else:

        def note(record: Any) -> None:
            told.note(record.query)

        with driver.query_logger(note):
            yield told
            await asyncio.sleep(0)  # the last one is noted a moment later
