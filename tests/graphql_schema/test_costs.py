"""The cost of an operation: fields, times the pages they are in."""

from typing import Any

import pytest

from graphql_schema.documents import DocumentStore
from tests.graphql_schema.sample_schema import schema


def cost(text: str, variables: dict[str, Any] | None = None) -> int:
    prepared = DocumentStore(schema, introspection=True).prepare(text, None)
    return prepared.operations[0].cost.value(variables)


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("{ whoami }", None, 1),
        ("{ whoami figures }", None, 2),
        ("{ drinks { pageInfo { hasNextPage } } }", None, 3),
        ("{ drinks { nodes { id } } }", None, 2 + 20),
        ("{ drinks(first: 3) { nodes { id name } } }", None, 2 + 3 * 2),
        ("{ drinks(last: 3) { nodes { id name } } }", None, 2 + 3 * 2),
        ("{ drinks(first: 3000) { nodes { id } } }", None, 2 + 100),
        ("{ drinks(first: -3) { nodes { id } } }", None, 2 + 1),
        ("{ drinks(first: null) { nodes { id } } }", None, 2 + 20),
        ("{ drinks(first: 2) { nodes { id } edges { node { id } } } }", None, 3 + 2 + 2 * 2),
        ("{ drinks(first: 2) { nodes { friends { id } } } }", None, 2 + 2 * (1 + 5)),
        ("query ($n: Int) { drinks(first: $n) { nodes { id } } }", {"n": 7}, 2 + 7),
        ("query ($n: Int) { drinks(first: $n) { nodes { id } } }", {}, 2 + 20),
        ("query ($n: Int) { drinks(first: $n) { nodes { id } } }", {"n": None}, 2 + 20),
        ("query ($n: Int) { drinks(first: $n) { nodes { id } } }", {"n": "7"}, 2 + 20),
        ("query ($n: Int) { drinks(first: $n) { nodes { id } } }", {"n": 10**30}, 2 + 100),
        ("query ($n: Int = 9) { drinks(first: $n) { nodes { id } } }", None, 2 + 9),
        ("query ($n: Int = 9) { drinks(first: $n) { nodes { id } } }", {"n": 4}, 2 + 4),
        ("{ drinks(first: 2) { ...P } } fragment P on DrinkConnection { nodes { id } }", None, 4),
        ("{ ... on Query { drinks(first: 2) { ... { nodes { ... on Drink { id }}}}}}", None, 4),
        ("{ __schema { types { name } } }", None, 101),
        (
            "query ($n: Int) { a: drinks(first: $n) { ...P } drinks(first: 2) { ...P } } "
            "fragment P on DrinkConnection { nodes { id name } }",
            {"n": 10},
            2 + 2 + 2 * 10 + 2 * 2,
        ),
    ],
)  # fmt: skip
def test_cost(text: str, variables: dict[str, Any] | None, expected: int) -> None:
    assert cost(text, variables) == expected


def test_shared_fragments_are_evaluated_once() -> None:
    # A document at the limit of selections whose paths are many more than its nodes.
    chain = "".join(
        f"fragment F{i} on Drink {{ friends {{ ...F{i + 1} }} ...F{i + 1} }} " for i in range(5)
    )
    text = (
        "query ($n: Int) { drinks(first: $n) { nodes { ...F0 } } } "
        f"{chain} fragment F5 on Drink {{ id }}"
    )
    inner = 1
    for _ in range(5):
        inner = 1 + (5 + 1) * inner
    assert cost(text, {"n": 2}) == 2 + 2 * inner
