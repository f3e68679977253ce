"""The floor on PostgreSQL: the rows of each scan written by one function inside the server, one
transaction a scan.

What to write lies in tables beforehand, so the clock sees one call, the writing and the commit:
about the fastest that one transaction a scan can be. Rows that all scans write (budgets, what the
brand has issued, stock) are striped, one for each client, as such a design would have to; no two
clients wait for each other's rows. pgbench calls it, as it does TPC-B. Same rows as the engine's
(captured from it, and asserted by every run).
"""

import asyncio
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

import migrations.metadata  # noqa: F401 - all tables
from benchmarks.baselines import transactions_per_second
from benchmarks.capturing import (
    SCHEMA,
    Change,
    Row,
    RowKey,
    WrittenScan,
    apart,
    hot_rows,
    keys_of_tables,
)
from benchmarks.postgres import Postgres
from benchmarks.rows import Effects, difference, effects

CLIENTS = 8
HOT_SHARE = 0.02
"""A guide is paid by one scan in 200; whatever more than one in 50 write is everybody's."""
SCRIPT = f"\\set n :n + 1\nSELECT {SCHEMA}.write_scan(:client_id, :n);\n"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Floor:
    """Scans per second; and what was left in the database by all scans that were captured."""

    per_second: float
    written: Effects


@dataclass(frozen=True, slots=True)
class _Step:
    """One statement of the function, and the rows it reads: each with its client and number."""

    table: str
    is_update: bool
    rows: list[tuple[int, int, str]]
    counted: tuple[str, ...] = ()
    """Columns that are counted up, so that any order comes to the same."""
    put: tuple[str, ...] = ()
    """Columns that are written as they are."""


def measure_floor(postgres: Postgres, url: str, scans: list[WrittenScan]) -> Floor:
    """Write the scans to a fresh copy of the database that they were captured in. Measured is what
    all clients have as many of; the rest is written after it."""
    each = asyncio.run(_prepare(url, scans))
    before = effects(url)
    per_second = _pgbench(postgres, url, each)
    asyncio.run(_write_rest(url, each))
    return Floor(per_second, difference(before, effects(url)))


async def _prepare(url: str, scans: list[WrittenScan]) -> int:
    """Lay out what is to be written; how many scans each client has at least."""
    connection = await asyncpg.connect(url)
    try:
        keys = await keys_of_tables(connection)
        hot = hot_rows(scans, HOT_SHARE)
        parts = apart(scans, hot, CLIENTS)
        stripes = await _stripe(connection, scans, hot)
        steps = _steps(keys, parts, hot, stripes)
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for number, step in enumerate(steps):
            await _stage(connection, keys, number, step)
        await _stage_masks(connection, steps)
        await connection.execute(_function(keys, steps))
        await connection.execute("ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return min(len(part) for part in parts)


async def _stripe(
    connection: Any, scans: list[WrittenScan], hot: set[RowKey]
) -> list[dict[str, str]]:
    """Copies of the hot rows under ids of their own, for each client: ids by ids, each client's."""
    found: dict[RowKey, Row] = {}
    for scan in scans:
        for key in hot & scan.changes.keys():
            before = scan.changes[key].before
            if before is not None:
                found.setdefault(key, before)
    stripes: list[dict[str, str]] = []
    # A stripe's campaign is none: no foreign key is asked for the copies.
    await connection.execute("SET session_replication_role = replica")
    for _ in range(CLIENTS):
        renamed: dict[str, str] = {}
        for (name, _key), row in found.items():
            await connection.execute(
                f"INSERT INTO {name} SELECT * FROM jsonb_populate_record(NULL::{name}, $1)",
                orjson.dumps(_with_ids(row, renamed, make=True)).decode(),
            )
        stripes.append(renamed)
    await connection.execute("SET session_replication_role = origin")
    return stripes


def _with_ids(row: Row, renamed: dict[str, str], *, make: bool = False) -> Row:
    """A row with ids of a stripe in the place of its own, but for the brand's."""
    changed = dict(row)
    for column, value in row.items():
        if column != "brand_id" and isinstance(value, str) and _ID.fullmatch(value):
            if make:
                renamed.setdefault(value, str(uuid4()))
            changed[column] = renamed.get(value, value)
    return changed


def _steps(
    keys: dict[str, list[str]],
    parts: list[list[WrittenScan]],
    hot: set[RowKey],
    stripes: list[dict[str, str]],
) -> list[_Step]:
    """Tables before those that refer to them; rows that a client shares with nobody before those
    that are everybody's in the engine."""
    inserts: dict[str, list[tuple[int, int, str]]] = {}
    updates: dict[str, list[tuple[int, int, Change]]] = {}
    accounts = [_own_ids(hot, renamed) for renamed in stripes]
    for client, part in enumerate(parts):
        for number, scan in enumerate(part):
            for key, change in scan.changes.items():
                if change.before is None:
                    row = _with_ids(change.after, accounts[client])
                    into = inserts.setdefault(key[0], [])
                    into.append((client, number, orjson.dumps(row).decode()))
                else:
                    renamed = stripes[client] if key in hot else {}
                    mine = Change(
                        _with_ids(change.before, renamed), _with_ids(change.after, renamed)
                    )
                    updates.setdefault(key[0], []).append((client, number, mine))
    order = [table.name for table in SQLModel.metadata.sorted_tables]
    hottest = {name for name, _ in hot}
    steps = [_Step(name, False, inserts[name]) for name in order if name in inserts]
    changed = [name for name in order if name in updates]
    changed.sort(key=lambda name: name in hottest)
    return steps + [_update(keys, name, updates[name]) for name in changed]


def _own_ids(hot: set[RowKey], renamed: dict[str, str]) -> dict[str, str]:
    """The new ids of rows that have one: what others refer to them by."""
    own = {key[-1] for _, key in hot if len(key) <= 2}
    return {old: new for old, new in renamed.items() if old in own}


def _update(keys: dict[str, list[str]], name: str, changes: list[tuple[int, int, Change]]) -> _Step:
    moved: dict[str, bool] = {}
    for _, _, change in changes:
        before = change.before or {}
        for column, value in change.after.items():
            if value != before[column]:
                counts = type(value) is int and type(before[column]) is int
                moved[column] = counts and moved.get(column, True)
    counted = tuple(column for column, counts in moved.items() if counts)
    put = tuple(column for column, counts in moved.items() if not counts)
    rows = []
    for client, number, change in changes:
        row = {column: change.after[column] for column in (*keys[name], *put)}
        before = change.before or {}
        row |= {column: change.after[column] - before[column] for column in counted}
        rows.append((client, number, orjson.dumps(row).decode()))
    return _Step(name, True, rows, counted, put)


async def _stage(connection: Any, keys: dict[str, list[str]], number: int, step: _Step) -> None:
    raw, staged = f"{SCHEMA}.raw_{number}", f"{SCHEMA}.step_{number}"
    columns = "r.*"
    if step.is_update:
        names = (*keys[step.table], *step.counted, *step.put)
        columns = ", ".join(f"r.{name}" for name in names)
    await connection.execute(f"CREATE UNLOGGED TABLE {raw} (client int, number int, written text)")
    await connection.copy_records_to_table(f"raw_{number}", schema_name=SCHEMA, records=step.rows)
    await connection.execute(
        f"CREATE UNLOGGED TABLE {staged} AS SELECT w.client AS for_client, w.number AS for_number,"
        f" {columns} FROM {raw} AS w CROSS JOIN LATERAL"
        f" jsonb_populate_record(NULL::{step.table}, w.written::jsonb) AS r;"
        f" CREATE INDEX ON {staged} (for_client, for_number); DROP TABLE {raw}"
    )


async def _stage_masks(connection: Any, steps: Sequence[_Step]) -> None:
    """Which steps each scan needs, so that none of the others is asked."""
    masks: dict[tuple[int, int], int] = {}
    for number, step in enumerate(steps):
        for client, place, _ in step.rows:
            masks[(client, place)] = masks.get((client, place), 0) | 1 << number
    await connection.execute(
        f"CREATE UNLOGGED TABLE {SCHEMA}.scans"
        " (client int, number int, steps bigint, PRIMARY KEY (client, number))"
    )
    records = [(*place, mask) for place, mask in masks.items()]
    await connection.copy_records_to_table("scans", schema_name=SCHEMA, records=records)


def _function(keys: dict[str, list[str]], steps: Sequence[_Step]) -> str:
    body = "\n".join(
        f"IF wanted & {1 << number} <> 0 THEN {_sql(keys, number, step)}; END IF;"
        for number, step in enumerate(steps)
    )
    return f"""
CREATE FUNCTION {SCHEMA}.write_scan(c int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE wanted bigint;
BEGIN
    SELECT steps INTO STRICT wanted FROM {SCHEMA}.scans WHERE client = c AND number = n;
    {body}
END $$
"""


def _sql(keys: dict[str, list[str]], number: int, step: _Step) -> str:
    staged, mine = f"{SCHEMA}.step_{number} AS s", "s.for_client = c AND s.for_number = n"
    if not step.is_update:
        names = list(SQLModel.metadata.tables[step.table].columns.keys())
        picked = ", ".join(f"s.{name}" for name in names)
        into = f"{step.table} ({', '.join(names)})"
        return f"INSERT INTO {into} SELECT {picked} FROM {staged} WHERE {mine}"
    written = [f"{name} = t.{name} + s.{name}" for name in step.counted]
    written += [f"{name} = s.{name}" for name in step.put]
    same = " AND ".join(f"t.{name} = s.{name}" for name in keys[step.table])
    return (
        f"UPDATE {step.table} AS t SET {', '.join(written)} FROM {staged} WHERE {mine} AND {same}"
    )


def _pgbench(postgres: Postgres, url: str, each: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        database = make_url(url).database or ""
        planned = ("-t", str(each), "-D", "n=-1", "-f", script.name, database)
        return transactions_per_second(postgres, CLIENTS, *planned)


async def _write_rest(url: str, each: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "DO $$ DECLARE s record; BEGIN"
            f" FOR s IN SELECT * FROM {SCHEMA}.scans WHERE number >= {each}"
            " ORDER BY client, number"
            f" LOOP PERFORM {SCHEMA}.write_scan(s.client, s.number); COMMIT; END LOOP; END $$"
        )
    finally:
        await connection.close()
