"""Row sets reach both databases as they were given, whatever their texts hold."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg.pgproto.pgproto
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.db import Database, Statement, Tx
from loyalty.ids import new_id

ECHO = Statement(
    "SELECT position, id, said, amount, yes, at, day, share FROM {rows} ORDER BY position",
    sets={
        "rows": "position bigint, id uuid, said text, amount bigint, yes boolean,"
        " at timestamptz, day date, share float"
    },
    returns="position bigint, id uuid, said text, amount bigint, yes boolean,"
    " at timestamptz, day date, share float",
)
DOCUMENTS = Statement(
    "SELECT position, CAST(document AS text) AS document FROM {rows} ORDER BY position",
    sets={"rows": "position bigint, document jsonb"},
    returns="position bigint, document text",
)
AWKWARD = [
    "",
    "NULL",
    "null",
    "{}",
    "{a,b}",
    'a "quoted" word',
    "back\\slash",
    "\\n is no line",
    "a line\nand\ta tab\r",
    "\x01\x1f\x7f",
    "\\\\\n\\",
    '\\"\n"',
    "  spaces  ",
    "红包🧧",
    "'; DROP TABLE members; --",
]


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)


words = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
)
rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.uuids()),
        st.one_of(st.none(), words),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.integers(-(10**15), 7 * 10**15).map(_instant)),
        st.one_of(st.none(), st.sampled_from([date.min, date.max]), st.dates()),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    ),
    max_size=6,
)


async def _echo(db: Database, statement: Statement, given_rows: list[Any]) -> list[Any]:
    async def verb(tx: Tx) -> list[Any]:
        return [tuple(row) for row in await tx.fetch(statement, rows=given_rows)]

    return await db.in_transaction(verb)


def _numbered(given_rows: list[Any]) -> list[Any]:
    return [(position, *row) for position, row in enumerate(given_rows)]


async def test_every_value_comes_back_as_it_went(db: Database) -> None:
    @settings(max_examples=60, deadline=None)
    @given(given_rows=rows)
    def collect(given_rows: list[Any]) -> None:
        tried.append(_numbered(given_rows))

    tried: list[list[Any]] = []
    collect()
    tried.append(_numbered([(new_id(), said, 1, True, None, None, 0.1) for said in AWKWARD]))
    for numbered in tried:
        assert await _echo(db, ECHO, numbered) == numbered


async def test_json_keeps_what_it_escapes(db: Database) -> None:
    documents = ['{"a": "x\\ny"}', '{"a": "\\\\"}', '"\\""', "[1, null]", '{"红": "包\\u0001"}']
    numbered = _numbered([(document,) for document in documents])
    assert await _echo(db, DOCUMENTS, numbered) == numbered


async def test_the_drivers_own_ids_go_back_to_it(db: Database) -> None:
    known = new_id()
    ids: list[UUID] = [known, asyncpg.pgproto.pgproto.UUID(known.hex)]
    numbered = _numbered([(id, "x", 1, True, None, None, None) for id in ids])
    assert [row[1] for row in await _echo(db, ECHO, numbered)] == [known, known]


async def test_a_day_without_end_is_the_same_in_sets_and_alone(db: Database) -> None:
    same = Statement(
        "SELECT position FROM {rows} WHERE day = :day",
        sets={"rows": "position bigint, day date"},
        params="day date",
        returns="position bigint",
    )

    async def verb(tx: Tx, day: date) -> list[int]:
        numbered = [(0, date.min), (1, date(2026, 2, 28)), (2, date.max)]
        return [row[0] for row in await tx.fetch(same, rows=numbered, day=day)]

    assert await db.in_transaction(verb, date.max) == [2]
    assert await db.in_transaction(verb, date.min) == [0]


@pytest.mark.only_database("postgresql", reason="SQLite's sets are JSON, which has no such number")
async def test_what_is_no_number_stays_so(db: Database) -> None:
    numbered = _numbered(
        [(None, None, None, None, None, None, share) for share in (float("inf"), float("-inf"))]
    )
    assert await _echo(db, ECHO, numbered) == numbered
