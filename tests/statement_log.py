"""What the database is told, to count it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from loyalty.db import Tx


@asynccontextmanager
async def statements_told(tx: Tx) -> AsyncIterator[list[str]]:
    """What the driver is told to run on this transaction's connection."""
    told: list[str] = []
    connection = await tx.session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if tx.dialect == "sqlite":
        await driver.set_trace_callback(told.append)
        yield told
        await driver.set_trace_callback(None)
    else:

        def note(record: Any) -> None:
            told.append(record.query)

        with driver.query_logger(note):
            yield told
            await asyncio.sleep(0)  # the last one is noted a moment later
