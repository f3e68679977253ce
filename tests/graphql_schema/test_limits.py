"""A hundred attacks of every kind are refused, in steps that grow with the text alone."""

import random
from collections.abc import Callable

import pytest
from graphql import DocumentNode, GraphQLError, parse

from graphql_schema.documents import DocumentsRefused, DocumentStore
from graphql_schema.limits import Limits, measure, parse_within
from tests.graphql_schema.sample_schema import schema

LIMITS = Limits()
ATTACKS = 100


def nested(levels: int) -> str:
    return "{ drink(index: 1) " + "{ friends " * levels + "{ id }" + " }" * levels + " }"


def deep_fragments(levels: int) -> str:
    chain = "".join(
        f"fragment F{i} on Drink {{ friends {{ ...F{i + 1} }} }} " for i in range(levels)
    )
    return "{ drink(index: 1) { ...F0 } } " + chain + f"fragment F{levels} on Drink {{ id }}"


def bomb(levels: int, width: int) -> str:
    chain = "".join(
        f"fragment F{i} on Drink {{ {f'...F{i + 1} ' * width} }} " for i in range(levels)
    )
    return "{ drink(index: 1) { ...F0 } } " + chain + f"fragment F{levels} on Drink {{ id }}"


def disguised_bomb(levels: int, width: int) -> str:
    """No spread repeats within one selection."""
    chain = ""
    for i in range(levels):
        inner = " ".join(f"... on Drink {{ friends {{ ...F{i + 1} }} }}" for _ in range(width))
        chain += f"fragment F{i} on Drink {{ {inner} }} "
    return "{ drink(index: 1) { ...F0 } } " + chain + f"fragment F{levels} on Drink {{ id }}"


def cycle(length: int) -> str:
    ring = "".join(
        f"fragment F{i} on Drink {{ id ...F{(i + 1) % length} }} " for i in range(length)
    )
    return "{ drink(index: 1) { ...F0 } } " + ring


ATTACK_KINDS: dict[str, tuple[Callable[[random.Random], str], set[str]]] = {
    "depth": (lambda r: nested(r.randint(11, 300)), {"DOCUMENT_TOO_DEEP"}),
    "depth by fragments": (
        lambda r: deep_fragments(r.randint(11, 30)),
        {"DOCUMENT_TOO_DEEP", "TOO_MANY_FRAGMENTS"},
    ),
    "inline nesting": (
        lambda r: "{" + "... {" * (n := r.randint(41, 300)) + "whoami" + "}" * n + "}",
        {"DOCUMENT_TOO_DEEP"},
    ),
    "aliases": (
        lambda r: "{ drink(index: 1) {"
        + " ".join(f"a{i}: id" for i in range(r.randint(21, 450)))
        + "} }",
        {"TOO_MANY_ALIASES"},
    ),
    "aliases by fragments": (
        lambda r: "{ drink(index: 1) {"
        + " friends { ...A }" * r.randint(11, 40)
        + "} } fragment A on Drink { a: id b: id }",
        {"TOO_MANY_ALIASES"},
    ),
    "fields": (
        lambda r: "{ drink(index: 1) { "
        + " ".join(f"f{i}" for i in range(r.randint(501, 800)))
        + "}}",
        {"TOO_MANY_SELECTIONS"},
    ),
    "repeated fields": (
        lambda r: "{ drink(index: 1) { " + "name " * r.randint(42, 490) + "} }",
        {"TOO_MANY_REPEATS"},
    ),
    "repeated fields in inline fragments": (
        lambda r: "{ drink(index: 1) { " + "... { name } " * r.randint(42, 240) + "} }",
        {"TOO_MANY_REPEATS"},
    ),
    "repeated spreads": (
        lambda r: "{ drink(index: 1) { "
        + "...A " * r.randint(42, 240)
        + "} } fragment A on Drink { id }",
        {"TOO_MANY_REPEATS"},
    ),
    "repeated directives": (
        lambda r: "{ whoami " + "@include(if: true) " * r.randint(21, 300) + "}",
        {"TOO_MANY_DIRECTIVES", "DOCUMENT_TOO_LONG"},
    ),
    "root fields": (
        lambda r: "{" + " ".join(f"f{i}" for i in range(r.randint(11, 400))) + "}",
        {"TOO_MANY_ROOT_FIELDS"},
    ),
    "root fields by fragments": (
        lambda r: "{ ...A ...B } fragment A on Query {"
        + " ".join(f"a{i}" for i in range(r.randint(6, 90)))
        + "} fragment B on Query { "
        + " ".join(f"b{i}" for i in range(r.randint(5, 90)))
        + "}",
        {"TOO_MANY_ROOT_FIELDS"},
    ),
    "fragment bomb": (
        lambda r: bomb(r.randint(9, 19), r.randint(2, 9)),
        {"TOO_MANY_SELECTIONS", "TOO_MANY_REPEATS"},
    ),
    "disguised fragment bomb": (
        lambda r: disguised_bomb(r.randint(8, 19), r.randint(2, 7)),
        {"TOO_MANY_SELECTIONS", "TOO_MANY_REPEATS"},
    ),
    "fragment cycle": (lambda r: cycle(r.randint(1, 20)), {"FRAGMENT_CYCLE"}),
    "fragments": (
        lambda r: "{ whoami } "
        + " ".join(f"fragment F{i} on Query {{ whoami }}" for i in range(r.randint(21, 200))),
        {"TOO_MANY_FRAGMENTS"},
    ),
    "operations": (
        lambda r: " ".join(f"query Q{i} {{ whoami }}" for i in range(r.randint(11, 300))),
        {"TOO_MANY_OPERATIONS"},
    ),
    "variables": (
        lambda r: "query ("
        + " ".join(f"$v{i}: Int" for i in range(r.randint(51, 480)))
        + "){ whoami }",
        {"TOO_MANY_VARIABLES"},
    ),
    "tokens": (
        lambda r: "{ echo(text: [" + "1 " * r.randint(2_000, 9_000) + "]) }",
        {"DOCUMENT_TOO_LONG"},
    ),
    "nested values": (
        lambda r: "{ echo(text: " + "[" * (n := r.randint(200, 900)) + "]" * n + ") }",
        {"DOCUMENT_TOO_DEEP"},
    ),
    "characters": (
        lambda r: '{ echo(text: "' + "x" * r.randint(65_536, 200_000) + '") }',
        {"DOCUMENT_TOO_LONG"},
    ),
    "comments": (lambda r: "{ whoami }" + "#\n" * r.randint(101, 9_000), {"DOCUMENT_TOO_LONG"}),
    "NUL": (lambda r: '{ echo(text: "' + "a" * r.randint(0, 99) + '\\u0000") }', {"INVALID"}),
    "NUL in an object": (
        lambda r: 'mutation { buy(input: {points: 1, tags: ["'
        + "b" * r.randint(0, 9)
        + '\\u{0}"]}) { __typename } }',
        {"INVALID"},
    ),
    "lone surrogate": (
        lambda r: '{ echo(text: "\\u' + f"{r.randint(0xD800, 0xDFFF):04X}" + '") }',
        {"INVALID"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ATTACK_KINDS)
def test_attack_is_refused_before_validation(kind: str) -> None:
    make, codes = ATTACK_KINDS[kind]
    store = DocumentStore(schema)
    source = random.Random(kind)
    for _ in range(ATTACKS):
        text = make(source)
        with pytest.raises(DocumentsRefused) as refused:
            store.prepare(text, None)
        (error,) = refused.value.errors
        assert error.extensions is not None
        assert error.extensions["code"] in codes, text


def steps(document: DocumentNode) -> int:
    loose = Limits(
        depth_max=10**99,
        aliases_max=10**99,
        fragments_max=10**99,
        repeats_max=10**99,
        selections_max=10**99,
        root_fields_max=10**99,
    )
    return measure(document, loose).visited


@pytest.mark.parametrize("make", [bomb, disguised_bomb])
def test_fragments_are_visited_once_however_often_they_are_spread(
    make: Callable[[int, int], str],
) -> None:
    for levels in (5, 10, 20, 35):
        document = parse(make(levels, 5))
        assert steps(document) <= document.token_count


def test_long_chains_of_fragments_need_no_recursion() -> None:
    document = parse(deep_fragments(5_000))
    assert steps(document) <= document.token_count


def test_limits_count_what_is_allowed_as_allowed() -> None:
    store = DocumentStore(schema)
    for text in (
        nested(10),
        deep_fragments(10),
        "{ drink(index: 1) {" + " ".join(f"a{i}: id" for i in range(20)) + "} }",
        "{ drink(index: 1) {" + "name " * 41 + "} }",
        "{" + " ".join(f"a{i}: whoami" for i in range(10)) + "}",
        "{ whoami " + "@include(if: true) " * 1 + "}",
    ):
        store.prepare(text, None)


def test_introspection_is_measured_by_its_own_rule() -> None:
    store = DocumentStore(schema, introspection=True)
    twice = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    with pytest.raises(DocumentsRefused) as refused:
        store.prepare(twice, None)
    assert "introspection depth" in refused.value.errors[0].message


def test_parse_errors_have_codes() -> None:
    with pytest.raises(GraphQLError) as refused:
        parse_within("{ nothing", LIMITS)
    assert refused.value.extensions == {"code": "INVALID"}
