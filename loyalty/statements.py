"""Set statements: one SQL text for both databases. With ``db.py`` the only file that knows a
dialect: how row sets, lookups and locks are said in each.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, get_args
from uuid import UUID

import orjson
from asyncpg.pgproto import pgproto
from sqlmodel import SQLModel

_PG_TYPES = {
    "uuid": "uuid",
    "text": "text",
    "bigint": "bigint",
    "boolean": "boolean",
    "timestamptz": "timestamptz",
    "date": "date",
    "jsonb": "jsonb",
    "float": "double precision",
}

DriverUUID = pgproto.UUID
"""The driver's own class of ids: an ``UUID`` that is hashed and compared in C."""


@lru_cache(maxsize=4096)  # the rows of a set mostly share the transaction's time
def _to_sqlite_time(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_TO_SQLITE: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda value: value.hex,
    "timestamptz": _to_sqlite_time,
    "date": lambda value: value.isoformat(),
}
_FROM_SQLITE: dict[str, Callable[[Any], Any]] = {
    "uuid": DriverUUID,
    "timestamptz": lambda value: datetime.fromisoformat(value + "+00:00"),
    "date": date.fromisoformat,
    "boolean": bool,
}


def _array_literal(kind: str, column: tuple[Any, ...]) -> str:
    """A column as PostgreSQL writes an array: what JSON writes, in other brackets. That is one call
    for all of it, where the driver asks several questions of each element of a list."""
    if kind == "uuid":  # JSON's writer does not know the driver's own class
        return "{" + ",".join(["NULL" if value is None else str(value) for value in column]) + "}"
    if kind == "float":  # JSON has no word for those that are no number
        return "{" + ",".join("NULL" if value is None else repr(value) for value in column) + "}"
    written = orjson.dumps(column)
    if kind == "date":  # as the driver writes them: the last and the first day are without end
        written = written.replace(b'"9999-12-31"', b"infinity").replace(
            b'"0001-01-01"', b"-infinity"
        )
    elif b"\\" in written and _has_foreign_escapes(written):
        # An array escapes quotes and backslashes alone: its \\n would be the letter.
        return "{" + ",".join(map(_quoted, column)) + "}"
    return f"{{{written[1:-1].decode()}}}"


def _has_foreign_escapes(written: bytes) -> bool:
    """Whether JSON escapes anything but quotes and backslashes."""
    return b"\\" in written.replace(b"\\\\", b"").replace(b'\\"', b"")


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _converted(
    converters: Mapping[str, Callable[[Any], Any]],
    kinds: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> list[tuple[Any, ...]]:
    """Rows with each value as its column's kind wants it: only columns that differ are touched."""
    columns = list(zip(*rows, strict=True))
    if not columns:
        return []
    for place, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
        convert = converters.get(kind)
        if convert is not None:
            columns[place] = tuple([None if value is None else convert(value) for value in column])
    return list(zip(*columns, strict=True))


def _columns(declared: str) -> list[tuple[str, str]]:
    pairs = [tuple(part.split()) for part in declared.split(",") if part.strip()]
    for pair in pairs:
        if len(pair) != 2 or pair[1] not in _PG_TYPES:
            raise ValueError(f"not a column declaration: {declared!r}")
    return [(pair[0], pair[1]) for pair in pairs]


_LOOKUP = re.compile(r"\{(each|maybe|locked|shared):(\w+) (\w+)\s+ON\s+([^{}]*)\}")


_NEWEST = re.compile(r"\{newest:(\w+) (\w+)\s+UP TO (\S+)\s+ON\s+([^{}]*)\}")


def _postgresql_newest(match: re.Match[str]) -> str:
    alias, table, limit, condition = match.groups()
    inner = f"SELECT * FROM {table} AS {alias} WHERE {condition} ORDER BY {alias}.id DESC"
    return f"CROSS JOIN LATERAL ({inner} LIMIT {limit}) AS {alias}"


def _sqlite_newest(match: re.Match[str]) -> str:
    alias, table, _, condition = match.groups()
    return f"CROSS JOIN {table} AS {alias} ON {condition}"


def _postgresql_lookup(match: re.Match[str]) -> str:
    # A plan is cached when the tables may still be empty. OFFSET 0 keeps the planner from
    # turning the lookup round, which would read the whole table for every set later on.
    kind, alias, table, condition = match.groups()
    join = "LEFT JOIN LATERAL" if kind == "maybe" else "CROSS JOIN LATERAL"
    strength = {"locked": "UPDATE", "shared": "SHARE"}.get(kind)
    lock = f" FOR {strength} OF {alias}" if strength else ""
    end = " ON true" if kind == "maybe" else ""
    inner = f"SELECT * FROM {table} AS {alias} WHERE {condition} OFFSET 0{lock}"
    return f"{join} ({inner}) AS {alias}{end}"


def _sqlite_lookup(match: re.Match[str]) -> str:
    kind, alias, table, condition = match.groups()
    join = "LEFT JOIN" if kind == "maybe" else "CROSS JOIN"  # SQLite keeps the order of a CROSS
    return f"{join} {table} AS {alias} ON {condition}"


@dataclass(frozen=True)
class Statement:
    """One SQL text for both databases, over row sets and scalars.

    ``sets`` and ``returns`` declare columns as ``"id uuid, delta bigint"``; ``params`` likewise for
    scalars. In the text ``{alias}`` stands for a set used as a table, and after it
    ``{each:a table ON condition}`` looks its rows up one by one through an index, in the set's
    order (``{maybe:...}`` likewise as an outer join, ``{locked:...}`` locking what it finds,
    ``{shared:...}`` only keeping it as it is, together with others who do so;
    ``{newest:a table UP TO count ON condition}`` finds at most so many, by id, where the database
    can tell: more is for the statement to cut off);
    ``{lock:alias}`` is a row lock that SQLite does not need (its writer is alone), and
    ``{skip:alias}`` one that skips rows locked by others. Types: uuid, text, bigint, boolean,
    timestamptz, date, jsonb (as text; not in ``returns``), float.
    """

    sql: str
    sets: dict[str, str] = field(default_factory=dict)
    params: str = ""
    returns: str = ""

    def __post_init__(self) -> None:
        sets = {alias: _columns(declared) for alias, declared in self.sets.items()}
        params = dict(_columns(self.params))
        if any(kind == "jsonb" for _, kind in _columns(self.returns)):
            # Drivers decode it or do not, as they like.
            raise ValueError("return JSON as CAST(column AS text), and decode it")
        bind = object.__setattr__
        bind(self, "_sets", sets)
        bind(self, "_params", params)
        bind(self, "_returns", [kind for _, kind in _columns(self.returns)])
        bind(self, "_pg", self._render_postgresql(sets, params))
        bind(self, "_sqlite", self._render_sqlite(sets))

    def _render_postgresql(
        self, sets: dict[str, list[tuple[str, str]]], params: dict[str, str]
    ) -> str:
        position = 0
        sql = self.sql
        for alias, columns in sets.items():
            arrays = []
            for _, kind in columns:
                position += 1
                arrays.append(f"${position}::text::{_PG_TYPES[kind]}[]")
            names = ", ".join(name for name, _ in columns)
            table = f"unnest({', '.join(arrays)}) AS {alias}({names})"
            sql = sql.replace("{" + alias + "}", table)
        for name, kind in params.items():
            position += 1
            placeholder = f"${position}::{_PG_TYPES[kind]}"
            sql = re.sub(rf"(?<!:):{name}\b", placeholder, sql)
        sql = _NEWEST.sub(_postgresql_newest, _LOOKUP.sub(_postgresql_lookup, sql))
        sql = re.sub(r"\{lock:(\w+)\}", r"FOR UPDATE OF \1", sql)
        return re.sub(r"\{skip:(\w+)\}", r"FOR UPDATE OF \1 SKIP LOCKED", sql)

    def _render_sqlite(self, sets: dict[str, list[tuple[str, str]]]) -> str:
        sql = self.sql
        for alias, columns in sets.items():
            picks = ", ".join(f"value ->> {i} AS {name}" for i, (name, _) in enumerate(columns))
            table = f"(SELECT {picks} FROM json_each(:{alias})) AS {alias}"
            sql = sql.replace("{" + alias + "}", table)
        sql = _NEWEST.sub(_sqlite_newest, _LOOKUP.sub(_sqlite_lookup, sql))
        return re.sub(r"\{(lock|skip):(\w+)\}", "", sql)

    def postgresql_call(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        """The text and positional arguments for asyncpg; a set's columns as array literals."""
        arguments: list[Any] = []
        for alias, columns in self._sets.items():  # type: ignore[attr-defined]
            rows = values[alias]
            if rows:
                for (_, kind), column in zip(columns, zip(*rows, strict=True), strict=True):
                    arguments.append(_array_literal(kind, column))
            else:
                arguments.extend("{}" for _ in columns)
        arguments.extend(values[name] for name in self._params)  # type: ignore[attr-defined]
        return self._pg, arguments  # type: ignore[attr-defined]

    def sqlite_call(self, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The text and named arguments for sqlite3."""
        arguments: dict[str, Any] = {}
        for alias, columns in self._sets.items():  # type: ignore[attr-defined]
            rows = _converted(_TO_SQLITE, [kind for _, kind in columns], values[alias])
            arguments[alias] = orjson.dumps(rows).decode()
        for name, kind in self._params.items():  # type: ignore[attr-defined]
            convert = _TO_SQLITE.get(kind)
            value = values[name]
            arguments[name] = value if convert is None or value is None else convert(value)
        return self._sqlite, arguments  # type: ignore[attr-defined]

    def from_sqlite(self, rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """SQLite's rows with the declared types of ``returns``."""
        return _converted(_FROM_SQLITE, self._returns, rows)  # type: ignore[attr-defined]


class KeyedStatement:
    """What is read of one key, whose columns (``keys``, declared as ``params`` are) the text names
    as ``:name``. ``alone`` finds the rows of one key. ``together``, for PostgreSQL only, finds
    those of a set ``asked`` of numbered keys: each key's in the order of the text, behind its
    number."""

    def __init__(self, sql: str, *, keys: str, returns: str) -> None:
        self.names = names_of(keys)
        self.alone = Statement(sql, params=keys, returns=returns)
        for name in self.names:
            sql = re.sub(rf"(?<!:):{name}\b", f"asked.{name}", sql)
        # OFFSET 0 as in lookups: key by key, and so in the order in which each key's are found.
        self.together = Statement(
            "SELECT asked.ask, found.* FROM {asked}"
            f" CROSS JOIN LATERAL (SELECT * FROM ({sql}) AS one OFFSET 0) AS found",
            sets={"asked": f"ask bigint, {keys}"},
            returns=f"ask bigint, {returns}",
        )


_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b")
_PLACE = re.compile(r"\$(\d+)")


def _moved_places(text: str, by: int) -> str:
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", text)


@lru_cache(maxsize=1024)
def _bundled(texts: tuple[tuple[str, int], ...], counted: bool) -> str:
    begun, picked, before = [], [], 0
    for number, (text, places) in enumerate(texts):
        moved = _moved_places(text, before)
        before += places
        table = f"({moved}) AS q{number}"
        if _WRITES.match(moved):  # these may stand at the top alone
            returning = "" if re.search(r"\bRETURNING\b", moved) else " RETURNING 1"
            begun.append(f"q{number} AS ({moved}{returning})")
            table = f"q{number}"
        told = "count(*)" if counted else f"q{number}.*"
        picked.append(f"SELECT {number}, ROW({told}) FROM {table}")
    start = f"WITH {', '.join(begun)} " if begun else ""
    return start + " UNION ALL ".join(picked)


def bundle(
    asked: Sequence[tuple[Statement, dict[str, Any]]], *, counted: bool
) -> tuple[str, list[Any]]:
    """Several statements as one for PostgreSQL, carried out in their order: the text, and the
    arguments for asyncpg. Its rows are the statement's number and a record, which is one of the
    statement's own rows, or, ``counted``, how many there are. All see what was there before any of
    them wrote; none may write a row that another one writes."""
    texts, arguments = [], []
    for statement, values in asked:
        text, given = statement.postgresql_call(values)
        texts.append((text, len(given)))
        arguments += given
    return _bundled(tuple(texts), counted), arguments


_KINDS = {
    UUID: "uuid",
    str: "text",
    int: "bigint",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
    float: "float",
}


def columns_of(model: type[SQLModel]) -> str:
    """All columns of a table that keeps no JSON, as ``sets`` and ``returns`` declare them."""
    return ", ".join(
        f"{name} {_kind_of(field.annotation)}" for name, field in model.model_fields.items()
    )


def kind_of(model: type[SQLModel], name: str) -> str:
    """How ``sets`` and ``returns`` declare one column of a table."""
    return _kind_of(model.model_fields[name].annotation)


def _kind_of(annotation: Any) -> str:
    for kind in (annotation, *get_args(annotation)):
        if kind in _KINDS:
            return _KINDS[kind]
    raise ValueError(f"no column kind for {annotation}")


def names_of(declared: str, alias: str = "") -> list[str]:
    """The names in a declaration, each behind an alias if there is one."""
    return [f"{alias}.{name}" if alias else name for name, _ in _columns(declared)]


def insert_statement(model: type[SQLModel], columns: str, conflict: str = "") -> Statement:
    """``INSERT`` of a whole set into a model's table; ``conflict`` is an ON CONFLICT clause."""
    names = ", ".join(name for name, _ in _columns(columns))
    table = str(model.__tablename__)
    return Statement(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {{rows}} WHERE true {conflict}",
        sets={"rows": columns},
    )
