"""BigInt holds 64 bits exactly and takes nothing that is not a whole number."""

import math
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from graphql_schema.scalars import parse_big_int, serialize_big_int
from tests.graphql_schema.sample_schema import context, schema

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(INT64)
def test_whole_numbers_make_the_round_trip(value: int) -> None:
    wire = serialize_big_int(value)
    assert isinstance(wire, int) == (abs(value) <= 2**53 - 1)
    assert parse_big_int(wire) == value
    assert parse_big_int(str(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        1.0, 0.5, math.nan, math.inf, True, False, None, "", " 1", "1 ", "+1", "1.0", "1e3", "0x1",
        "01", "--1", "1_000", "٣", "１", [1], {"a": 1}, 2**63, -(2**63) - 1, str(2**63),
        str(-(2**63) - 1), "9" * 5_000, b"1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError):
        parse_big_int(value)


@pytest.mark.parametrize("value", [1.0, True, "1", None, 2**63])
def test_only_int64_is_answered(value: Any) -> None:
    with pytest.raises(GraphQLError):
        serialize_big_int(value)


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("4", 8),
        ("-4", -8),
        ('"4"', 8),
        ("4503599627370496", "9007199254740992"),
        ("4.0", None),
        ("true", None),
        ('"4.0"', None),
        ("[4]", None),
        ("9" * 30, None),
        ("9223372036854775807", None),
    ],
)
def test_literals(literal: str, expected: int | str | None) -> None:
    result = schema.execute_sync(f"{{ double(n: {literal}) }}", None, context())
    if expected is None:
        assert result.errors
    else:
        assert result.data == {"double": expected}
