"""What scans left in the database: how the engine, its twin and the floor are shown to be equal."""

import asyncio
import sqlite3
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

Effects = dict[str, int]
"""Rows per table, and sums of the columns scans move: ``{"claims": 2, "lots.remaining": 20}``."""

WRITTEN_LATER = {
    *("alembic_version", "notifications", "scan_rollups", "outbox_deliveries"),
    *("expiry_runs", "re_evaluations", "draw_seeds"),
}
"""What is not the scan's own: the migration mark, and what jobs write afterwards."""

MOVED = {
    "accounts": ("credits_posted", "debits_posted", "credits_pending", "debits_pending"),
    "campaign_budgets": ("spent", "reserved"),
    "cap_counters": ("used",),
    "item_codes": ("scan_count",),
    "lots": ("granted", "remaining"),
    "standings": ("rank",),
    "transfers": ("amount",),
}


class RowsDiffer(Exception):
    """Two that were to write the same did not: comparing their speed would be unfair."""


def effects(url: str) -> Effects:
    """Count what is stored now."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with sqlite3.connect(str(parsed.database)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = [name for (name,) in found if not name.startswith("sqlite_")]
            return dict(
                part
                for table in sorted(set(tables) - WRITTEN_LATER)
                for part in _named(table, connection.execute(_query(table)).fetchone())
            )
    return asyncio.run(_postgresql_effects(url))


async def _postgresql_effects(url: str) -> Effects:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        tables = {row[0] for row in found}
        counted: Effects = {}
        for table in sorted(tables - WRITTEN_LATER):
            counted.update(_named(table, await connection.fetchrow(_query(table))))
        return counted
    finally:
        await connection.close()


def _query(table: str) -> str:
    sums = "".join(f", COALESCE(SUM({column}), 0)" for column in MOVED.get(table, ()))
    return f"SELECT count(*){sums} FROM {table}"


def _named(table: str, row: Any) -> list[tuple[str, int]]:
    names = [table, *(f"{table}.{column}" for column in MOVED.get(table, ()))]
    return [(name, int(value)) for name, value in zip(names, row, strict=True)]


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> Effects:
    """What was added, without what did not change."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def require_equal(wanted: Effects, written: Effects, who: str) -> None:
    """Refuse a comparison of unequal work."""
    if wanted != written:
        names = sorted(
            name for name in wanted | written if wanted.get(name, 0) != written.get(name, 0)
        )
        lines = [
            f"  {name}: engine {wanted.get(name, 0)}, {who} {written.get(name, 0)}"
            for name in names
        ]
        raise RowsDiffer(f"{who} does not write what the engine writes:\n" + "\n".join(lines))
