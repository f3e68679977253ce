"""Pages over keysets, walked both ways, give every row once and in order; ids and cursors too."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_schema.faults import Fault
from graphql_schema.pagination import (
    Connection,
    Cursor,
    Page,
    connection_of,
    decode_id,
    encode_id,
    find_id,
    find_id_of,
    page_of,
)

Row = tuple[int, UUID]
CURSOR = Cursor(int, UUID)
ROWS = st.lists(
    st.tuples(st.integers(-5, 5), st.uuids()), unique_by=lambda row: row[1], max_size=50
).map(sorted)


def fetch(rows: list[Row], page: Page) -> Connection[Row]:
    """What a query does: in the direction of travel, after the start, one more than the page."""
    travel = rows[::-1] if page.backward else rows
    if page.start is not None:
        start = page.start
        travel = [row for row in travel if (row < start if page.backward else row > start)]
    return connection_of(travel[: page.limit], page, CURSOR, key=lambda row: row)


@given(ROWS, st.integers(1, 12))
def test_walking_forward_meets_every_row_once(rows: list[Row], size: int) -> None:
    met: list[Row] = []
    after: str | None = None
    while True:
        connection = fetch(rows, page_of(CURSOR, first=size, after=after))
        assert connection.page_info.has_previous_page == (after is not None)
        met += connection.nodes
        after = connection.page_info.end_cursor
        if not connection.page_info.has_next_page:
            break
        assert len(connection.nodes) == size
    assert met == rows


@given(ROWS, st.integers(1, 12))
def test_walking_backward_meets_every_row_once_in_the_same_order(
    rows: list[Row], size: int
) -> None:
    met: list[Row] = []
    before: str | None = None
    while True:
        connection = fetch(rows, page_of(CURSOR, last=size, before=before))
        assert connection.page_info.has_next_page == (before is not None)
        met = connection.nodes + met
        before = connection.page_info.start_cursor
        if not connection.page_info.has_previous_page:
            break
    assert met == rows


@given(ROWS, st.integers(1, 12), st.data())
def test_a_row_inserted_or_deleted_elsewhere_moves_no_page(
    rows: list[Row], size: int, data: st.DataObject
) -> None:
    if not rows:
        return
    start = data.draw(st.sampled_from(rows))
    page = page_of(CURSOR, first=size, after=CURSOR.encode(start))
    gone = [row for row in rows if row > start]
    assert fetch(rows, page).nodes == fetch(gone, page).nodes


def test_edges_carry_the_cursor_of_their_node() -> None:
    rows = [(i, UUID(int=i)) for i in range(5)]
    connection = fetch(rows, page_of(CURSOR, first=3))
    resolver: Any = Connection.edges
    edges = resolver(connection)
    assert [edge.node for edge in edges] == rows[:3]
    assert [CURSOR.decode(edge.cursor) for edge in edges] == rows[:3]
    assert edges[0].cursor == connection.page_info.start_cursor
    assert edges[-1].cursor == connection.page_info.end_cursor


def test_pages_are_of_20_unless_said() -> None:
    assert page_of(CURSOR) == Page(20, None, False)
    assert page_of(CURSOR, first=100).limit == 101
    assert page_of(CURSOR, last=5) == Page(5, None, True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"first": 0}, {"first": -1}, {"first": 101}, {"last": 0}, {"last": 2**31},
        {"first": 1, "last": 1}, {"first": 1, "before": "x"}, {"last": 1, "after": "x"},
        {"after": "x", "before": "x"}, {"after": ""}, {"before": "rubbish"},
    ],
)  # fmt: skip
def test_pages_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(Fault) as refused:
        page_of(CURSOR, **arguments)
    assert refused.value.code == "INVALID"


KEYS: dict[type, st.SearchStrategy[Any]] = {
    UUID: st.uuids(),
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50),
    date: st.dates(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


@given(st.data())
def test_cursors_make_the_round_trip(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(KEYS)), min_size=1, max_size=3))
    key = tuple(data.draw(KEYS[kind]) for kind in kinds)
    cursor = Cursor(*kinds)
    assert cursor.decode(cursor.encode(key)) == key


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_made_up_cursors_are_refused(text: str) -> None:
    with pytest.raises(Fault):
        Cursor(datetime, UUID).decode(text)


def test_cursors_of_another_list_are_refused() -> None:
    number = Cursor(int).encode((1,))
    for cursor in (Cursor(UUID), Cursor(str), Cursor(int, int), Cursor(datetime)):
        with pytest.raises(Fault):
            cursor.decode(number)


def test_times_of_a_cursor_are_utc() -> None:
    cursor = Cursor(datetime)
    beijing = datetime(2026, 11, 9, 8, tzinfo=timezone(timedelta(hours=8)))
    assert cursor.encode((beijing,)) == cursor.encode((datetime(2026, 11, 9, tzinfo=UTC),))
    assert cursor.decode(cursor.encode((beijing,)))[0].tzinfo is UTC


@given(st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True), st.uuids())
def test_ids_make_the_round_trip(type_name: str, id: UUID) -> None:
    text = encode_id(type_name, id)
    assert decode_id(text) == (type_name, id)
    assert find_id_of(type_name, text) == id
    assert find_id_of(type_name + "x", text) is None


@given(st.text(max_size=80))
def test_made_up_ids_are_refused(text: str) -> None:
    assert find_id(text) is None
    assert find_id_of("Member", text) is None
    with pytest.raises(Fault):
        decode_id(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text.rstrip("="),
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text.lower(),
        lambda text: text * 9,
    ],
)
def test_an_id_has_one_spelling(change: Any) -> None:
    text = encode_id("Member", UUID(int=7))
    assert change(text) == text or find_id(change(text)) is None
