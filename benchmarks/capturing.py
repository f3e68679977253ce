"""What the engine writes for each scan, row by row, as PostgreSQL's own triggers tell it.

The engine settles each scan in a batch of its own, so that a transaction is one scan. Nothing of
this knows what a scan is made of: whatever rows the engine writes, of whatever campaign, are what
the floor (``floor_postgresql.py``) is to write.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson

from benchmarks.rows import WRITTEN_LATER

Row = dict[str, Any]
RowKey = tuple[str, tuple[Any, ...]]
"""A table, and the values of its primary key."""

SCHEMA = "floor"
"""Where whatever is not the engine's own is kept: ``effects`` counts the engine's tables alone."""
MARK = "scan_events"
"""A transaction that writes here is a scan; others are the worker's."""

_CAPTURE = f"""
CREATE SCHEMA {SCHEMA};
CREATE UNLOGGED TABLE {SCHEMA}.captured (
    n bigserial PRIMARY KEY,
    transaction text NOT NULL DEFAULT pg_current_xact_id()::text,
    name text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE FUNCTION {SCHEMA}.capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {SCHEMA}.captured (name, before, after) VALUES (
        TG_TABLE_NAME,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END
    );
    RETURN NULL;
END $$;
"""
_TRIGGER = (
    "CREATE TRIGGER captured AFTER INSERT OR UPDATE OR DELETE ON {name}"
    f" FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.capture()"
)
_CAPTURED = f"""
SELECT transaction, name, before::text, after::text FROM {SCHEMA}.captured
WHERE transaction IN (SELECT transaction FROM {SCHEMA}.captured WHERE name = '{MARK}')
ORDER BY n
"""
_KEYS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY array_position(i.indkey, a.attnum))
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace s ON s.oid = c.relnamespace AND s.nspname = 'public'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE i.indisprimary GROUP BY c.relname
"""


class NotCaptured(Exception):
    """What the engine wrote is not what could be written again."""


@dataclass(slots=True)
class Change:
    """What one scan does to one row: ``before`` is None when it inserts it."""

    before: Row | None
    after: Row


@dataclass(slots=True)
class WrittenScan:
    """The rows of one scan, each once, in the order in which the engine came to them."""

    changes: dict[RowKey, Change] = field(default_factory=dict)


async def begin_capturing(url: str) -> None:
    """From now on each row that is written is noted."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_CAPTURE)
        for name in await keys_of_tables(connection):
            if name not in WRITTEN_LATER:
                await connection.execute(_TRIGGER.format(name=name))
    finally:
        await connection.close()


async def keys_of_tables(connection: Any) -> dict[str, list[str]]:
    """The columns of each table's primary key."""
    return dict(await connection.fetch(_KEYS))


async def read_captured(url: str, count: int) -> list[WrittenScan]:
    """The scans that were written, in an order in which they can be written again. NotCaptured
    unless there are so many."""
    connection = await asyncpg.connect(url)
    try:
        keys = await keys_of_tables(connection)
        rows = await connection.fetch(_CAPTURED)
    finally:
        await connection.close()
    scans: dict[str, WrittenScan] = {}
    for transaction, name, before, after in rows:
        if after is None:
            raise NotCaptured(f"a row of {name} was deleted")
        # The last one to write comes last: whatever it found written was committed.
        scan = scans[transaction] = scans.pop(transaction, WrittenScan())
        written = orjson.loads(after)
        key = (name, tuple(written[column] for column in keys[name]))
        known = scan.changes.get(key)
        if known is not None:
            known.after = written
        else:
            found = orjson.loads(before) if before is not None else None
            scan.changes[key] = Change(found, written)
    if len(scans) != count:
        raise NotCaptured(f"{len(scans)} scans were written, not {count}")
    return list(scans.values())


def hot_rows(scans: list[WrittenScan], share: float) -> set[RowKey]:
    """Rows that more than so many of the scans write."""
    counted = Counter(key for scan in scans for key in scan.changes)
    return {key for key, times in counted.items() if times > share * len(scans)}


def apart(scans: list[WrittenScan], hot: set[RowKey], parts: int) -> list[list[WrittenScan]]:
    """The scans in so many parts of much the same size: no two parts write the same row, but for
    the hot ones. Each part is in the order of the whole."""
    leader = list(range(len(scans)))

    def lead(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    first: dict[RowKey, int] = {}
    for place, scan in enumerate(scans):
        for key in scan.changes:
            if key not in hot:
                leader[lead(place)] = lead(first.setdefault(key, place))
    groups: dict[int, list[int]] = {}
    for place in range(len(scans)):
        groups.setdefault(lead(place), []).append(place)
    divided: list[list[int]] = [[] for _ in range(parts)]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(divided, key=len).extend(group)
    return [[scans[place] for place in sorted(part)] for part in divided]
