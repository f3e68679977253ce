"""The floor of scans that draw, on SQLite: whatever rows the engine writes for each of them, told
by triggers of the file's own, written again by bare SQLite, one transaction a scan.

A transaction of SQLite has no name, but the file has one writer, and a scan that draws writes its
receipt last: what came before it since the last receipt is its own. As for PostgreSQL
(``capturing.py``, ``floor_postgresql.py``) nothing of this knows what a scan is made of.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from benchmarks.capturing import Change, NotCaptured
from benchmarks.floor import Step, measure_floor
from benchmarks.rows import WRITTEN_LATER, Effects, difference, effects

NOTES = "captured_by_the_floor"
LAST = "draws"
"""Its row is the last that a scan writes."""
WORKERS = frozenset({"periodic_jobs"})
"""What the worker in the server's process writes beside, besides ``WRITTEN_LATER``."""


def _tables(connection: sqlite3.Connection) -> dict[str, list[tuple[str, int]]]:
    """The columns of each of the engine's tables: (name, place in the primary key or 0)."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    names = {name for (name,) in found if not name.startswith("sqlite_")}
    return {
        name: [(row[1], row[5]) for row in connection.execute(f"PRAGMA table_info({name})")]
        for name in sorted(names - WRITTEN_LATER - WORKERS - {NOTES})
    }


def _as_json(side: str, columns: list[tuple[str, int]]) -> str:
    pairs = ", ".join(f"'{name}', {side}.{name}" for name, _ in columns)
    return f"json_object({pairs})"


def begin_capturing(path: Path) -> None:
    """From now on each row that is written is noted in the file itself."""
    with closing(sqlite3.connect(path)) as connection:
        notes = "(n INTEGER PRIMARY KEY, name TEXT, before TEXT, after TEXT)"
        connection.execute(f"CREATE TABLE {NOTES} {notes}")
        for name, columns in _tables(connection).items():
            for verb, before in (("INSERT", "NULL"), ("UPDATE", _as_json("OLD", columns))):
                connection.execute(
                    f"CREATE TRIGGER {NOTES}_{name}_{verb} AFTER {verb} ON {name} BEGIN"
                    f" INSERT INTO {NOTES} (name, before, after)"
                    f" VALUES ('{name}', {before}, {_as_json('NEW', columns)}); END"
                )
        connection.commit()


def end_capturing(path: Path, count: int) -> list[list[Step]]:
    """What each scan wrote, each row once as the scan left it, as it can be written again; the
    notes and their triggers are gone. NotCaptured unless there are so many scans."""
    with closing(sqlite3.connect(path)) as connection:
        tables = _tables(connection)
        scans: list[list[Step]] = []
        changes: dict[tuple[Any, ...], Change] = {}
        for name, before, after in connection.execute(
            f"SELECT name, before, after FROM {NOTES} ORDER BY n"
        ):
            row = orjson.loads(after)
            key = (name, *(row[column] for column, place in tables[name] if place))
            known = changes.get(key)
            if known is None:
                changes[key] = Change(None if before is None else orjson.loads(before), row)
            else:
                known.after = row
            if name == LAST:
                scans.append([_step(tables[key[0]], key[0], each) for key, each in changes.items()])
                changes = {}
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            if name.startswith(NOTES):
                connection.execute(f"DROP TRIGGER {name}")
        connection.execute(f"DROP TABLE {NOTES}")
        connection.commit()
    if len(scans) != count:
        raise NotCaptured(f"{len(scans)} scans were written, not {count}")
    return scans


def _step(columns: list[tuple[str, int]], name: str, change: Change) -> Step:
    """One row: whole where it is new, else what of it changed."""
    before, row = change.before, change.after
    if before is None:
        marks = ", ".join("?" for _ in columns)
        named = ", ".join(column for column, _ in columns)
        return f"INSERT INTO {name} ({named}) VALUES ({marks})", tuple(row[c] for c, _ in columns)
    changed = [column for column, _ in columns if row[column] != before[column]]
    keyed = [column for column, place in columns if place]
    sets = ", ".join(f"{column} = ?" for column in changed or keyed)
    where = " AND ".join(f"{column} = ?" for column in keyed)
    values = tuple(row[column] for column in (*(changed or keyed), *keyed))
    return f"UPDATE {name} SET {sets} WHERE {where}", values


def write_again(path: Path, scans: list[list[Step]]) -> tuple[float, Effects]:
    """Scans a second, and what they left."""
    url = f"sqlite:///{path}"
    before = effects(url)
    per_second = measure_floor(path, scans)
    return per_second, difference(before, effects(url))
