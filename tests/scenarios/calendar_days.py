"""Days pass for a scene: its servers and commands, and on PostgreSQL the database, whose clock is
the one that counts there, all go by a clock that the scene sets.

Nothing else is replaced: what days bring about is done by the worker inside the server.
"""

import os
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg

ZONE = ZoneInfo("Asia/Shanghai")
AHEAD = Path(__file__).with_name("ahead")

_GO_BY_OURS = """
DO $$ BEGIN
EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
END $$
"""
_OURS = """
CREATE OR REPLACE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE
AS 'SELECT pg_catalog.now() + interval ''{seconds} seconds'''
"""


class CalendarDays:
    """The clock of one scene on one database; it runs on by itself, from the real time on.

    ``environment`` is for every process of the scene. Open it before the first of them starts.
    """

    def __init__(self, database_url: str, folder: Path) -> None:
        self._database_url = database_url
        self._said = folder / "seconds-ahead"
        self._ahead = timedelta(0)
        self.environment = {
            # In front of what is there: our own code may be told of by it, too.
            "PYTHONPATH": os.pathsep.join(filter(None, (str(AHEAD), os.environ.get("PYTHONPATH")))),
            "SCENE_SECONDS_AHEAD": str(self._said),
            # Whoever has signed in stays so for years.
            "LOYALTY_TOKEN_TTL_SECONDS": str(10 * 366 * 86_400),
        }

    async def open(self) -> None:
        await self._run_ahead(0)
        await self._in_database(_GO_BY_OURS)

    def now(self) -> datetime:
        """What the scene's clock says; the database's may be a little behind it."""
        return datetime.now(ZONE) + self._ahead

    async def go_to(self, on: date, at: time = time(12)) -> None:
        """Let it be that time of that day, where the brand is."""
        wanted = datetime.combine(on, at, ZONE)
        await self._run_ahead(ceil((wanted - datetime.now(UTC)).total_seconds()))

    async def _run_ahead(self, seconds: int) -> None:
        self._ahead = timedelta(seconds=seconds)
        fresh = self._said.with_suffix(".new")
        fresh.symlink_to(str(seconds))
        fresh.replace(self._said)  # somebody always finds one
        await self._in_database(_OURS.format(seconds=seconds))

    async def _in_database(self, sql: str) -> None:
        if not self._database_url.startswith("postgresql"):
            return
        connection = await asyncpg.connect(self._database_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


def next_year() -> int:
    """Scenes with dates play in it: the same on whatever day they are played."""
    return datetime.now(ZONE).year + 1
