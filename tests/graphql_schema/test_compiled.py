"""Compiled documents answer as graphql-core does, errors and all, whatever resolvers do."""

from datetime import UTC, datetime, timedelta, timezone
from inspect import isawaitable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import strawberry
from graphql import parse

from graphql_schema.compiled.leaves import moment_writer
from graphql_schema.compiled.operations import CompiledOperation, OperationCompiler
from graphql_schema.documents import DocumentStore
from loyalty.actor import Actor
from tests.graphql_schema import edge_schema, sample_schema
from tests.graphql_schema.edge_schema import LOG
from tests.graphql_schema.sample_schema import MEMBER, OPERATOR, WEAK_OPERATOR, context
from tests.graphql_schema.test_documents import CASES as SAMPLE_CASES
from tests.graphql_schema.test_documents import errors_of

FIELDS_MAX = 1_000
DESCRIBE = """query ($pet: PetInput, $pets: [PetInput!], $sizes: [Size], $on: Date, $ratio: Float,
  $limit: Int!, $colour: Colour = RED) {
  describe(pet: $pet, pets: $pets, sizes: $sizes, on: $on, ratio: $ratio, limit: $limit,
    colour: $colour) again: describe(pet: $pet, limit: $limit) }"""
NO_COLOUR = "query ($limit: Int!) { describe(limit: $limit) }"
ADOPT = """mutation ($pet: PetInput!) { adopt(pet: $pet) {
  __typename ... on Dog { name age } ... on Refused { code message } } }"""
FRAGMENTS = """query Q($yes: Boolean!, $no: Boolean = false) {
  cat { ...Both @include(if: $yes) ...Both @include(if: $no) name @skip(if: $no) }
  other: cat { ... @skip(if: $yes) { lives } ... on Cat { mood } friends { ...Both } }
} fragment Both on Named { name __typename ... on Cat { lives friend(at: 1) { ...Deep } } }
fragment Deep on Cat { slow name }"""

BAD: list[dict[str, Any]] = [
    {"limit": None}, {"limit": "1"}, {"limit": 2**40}, {"limit": 1.0}, {"limit": True},
    {"pet": "Rex"}, {"pet": {}}, {"pet": {"name": None}}, {"pet": {"name": "R", "bad": 1}},
    {"pet": {"name": "R", "size": "HUGE"}}, {"pet": {"name": "R", "size": None}},
    {"pet": {"name": "R", "collars": [{"colour": "RED"}, None]}},
    {"pet": {"name": "R", "collars": {"colour": "RED", "tags": ["x", 1]}}},
    {"pet": {"name": "R", "born": "yesterday"}}, {"pet": {"name": "R", "age": 2**70}},
    {"pets": [None]}, {"pets": [[]]}, {"sizes": [["SMALL"]]}, {"on": 5}, {"colour": "red"},
    {"colour": None}, {"ratio": "1"}, {"pet": [{"name": "R"}]},
]  # fmt: skip
CASES: list[tuple[str, dict[str, Any] | None]] = [
    *((f'{{ text(name: "{name}") sureText(name: "{name}") }}', None)
      for name in ("null", "error", "number", "list", "object")),
    *((f'{{ text(name: "{name}") }}', None) for name in ("awaited", "awaited error")),
    *((f'{{ texts(name: "{name}") }}', None)
      for name in ("null", "list", "list with null", "list with errors", "awaited items", "tuple",
                   "generator", "number", "awaited")),
    *((f'{{ sureTexts(name: "{name}") }}', None)
      for name in ("null", "list with null", "list with errors", "awaited items", "error")),
    ('{ colour(value: "red") b: colour(value: "blue") c: colour(value: "grey") }', None),
    ("{ size(value: 1) b: size(value: 2) }", None),
    ("{ size(value: 3) grid }", None),
    ("{ grid cat { name lives mood shout moody } }", None),
    ("{ cat { friends { name mood shout } } }", None),
    ("{ cat { friends { name moody } } }", None),
    ("{ cat { friends { name slow friend { name } } } }", None),
    ("{ cat { name friend { name mood moody slow shout } friends { shout } slow } }", None),
    ("{ cat { a: friend(at: 1) { slow name } b: friend(at: 1) { slow } friend(at: 5) { name } } }",
     None),
    ('{ cat(name: "object") { name } b: cat(name: "null") { name } }', None),
    ('{ cat(name: "error") { name } }', None),
    ("{ cats { name shout } }", None),
    ("{ cats { name slow moody friends { slow } } }", None),
    ('{ cats(name: "cat") { name } b: cats(name: "null") { name } }', None),
    ('{ dogs(name: "dogs") { name age born seen } }', None),
    ('{ dogs(name: "tall dogs") { name age } }', None),
    ('{ anyDogs(name: "tall dogs") { name age } b: anyDogs(name: "unnamed dogs") { name } }', None),
    ('{ anyDogs(name: "null") { name } }', None),
    ('{ dogs(name: "unnamed dogs") { __typename age } }', None),
    ('{ pet(name: "cat") { __typename ... on Cat { name } ... on Named { n: name } } }', None),
    ('{ pet(name: "object") { __typename } b: pet(name: "list") { __typename } }', None),
    ('{ pet(name: "null") { __typename } b: pet(name: "error") { __typename } }', None),
    ('{ named(name: "pets") { name ... on Dog { age } ... on Cat { lives friends { name } } } }',
     None),
    ('{ named(name: "cats") { name __typename } }', None),
    ("{ membersOnly grantOnly }", None),
    ("{ grantOnly doubled(text: \"a\") }", None),
    (FRAGMENTS, {"yes": True}),
    (FRAGMENTS, {"yes": False, "no": True}),
    (FRAGMENTS, {"yes": True, "no": None}),
    (FRAGMENTS, {"yes": "true"}),
    (FRAGMENTS, {}),
    ("{ cat { name @skip(if: true) } b: cat @include(if: false) { name } __typename }", None),
    ("{ cat { name @skip(if: true) } cat { lives } cat { name lives } }", None),
    ("query A($t: String) { told(text: $t) b: told }", {"t": "x", "unknown": 1}),
    ("query A($t: String = \"d\") { told(text: $t) cat { name } }", None),
    ("query A($t: String) { told(text: $t) }", {"t": None}),
    ("query A($t: String!) { told(text: $t) }", {"t": None}),
    (DESCRIBE, {"limit": 1}),
    (DESCRIBE, {"limit": 1, "pet": {"name": "Rex"}, "colour": "BLUE", "ratio": 1, "on": None}),
    (DESCRIBE, {"limit": 1, "pet": {"name": "Rex", "age": "12", "size": "LARGE", "note": None,
                                    "collars": [{"colour": "RED"}], "good": False,
                                    "born": "2020-01-02"}}),
    (DESCRIBE, {"limit": 1, "pets": {"name": "One"}, "sizes": "SMALL", "on": "2026-01-01"}),
    (DESCRIBE, {"limit": 1, "pets": [{"name": "A", "nestedLists": [[1], 2]}, {"name": "B"}],
                "sizes": ["SMALL", None], "ratio": None}),
    *((DESCRIBE, {"limit": 1} | bad) for bad in BAD),
    (NO_COLOUR, None),
    (NO_COLOUR, {}),
    ('{ describe(pet: {name: "R", collars: {colour: RED}}, sizes: [SMALL, null]) }', None),
    ('{ describe(on: "2026-01-01", pets: [{name: "R", size: LARGE}, {name: "S"}]) }', None),
    ("{ describe(pet: null, ratio: 2, colour: RED, limit: 7) }", None),
    ('mutation { a: log(line: "a", naps: 3) b: logNow(line: "b") log(line: "c", naps: 1) }', None),
    ('mutation { a: logNow(line: "a") b: logNow(line: "crash") c: logNow(line: "c") }', None),
    ('mutation { a: log(line: "a", naps: 1) b: fail c: log(line: "c") }', None),
    ('mutation { fail c: log(line: "c") }', None),
    *((ADOPT, {"pet": {"name": name, "age": 3}}) for name in ("Rex", "refused", "crash", "null")),
    (ADOPT, {"pet": {"name": 5}}),
    ("""mutation { adoptNow(name: "dog") { __typename } b: adoptNow(name: "refused") {
       ... on Refused { code } } }""", None),
    ('mutation { adoptNow(name: "cat") { __typename } }', None),
]  # fmt: skip
ACTORS = [None, MEMBER, OPERATOR, WEAK_OPERATOR]


def compiled_of(schema: strawberry.Schema, text: str) -> CompiledOperation | None:
    return OperationCompiler(schema).compile(parse(text), None, FIELDS_MAX)


async def executed(result: Any) -> Any:
    """Data in their order, errors in any."""
    result = await result if isawaitable(result) else result
    return repr(result.data), errors_of(result.errors)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("schema", [edge_schema.schema, sample_schema.schema])
async def test_compiled_documents_answer_as_graphql_core_does(
    schema: strawberry.Schema, actor: Actor | None
) -> None:
    cases = CASES if schema is edge_schema.schema else SAMPLE_CASES
    for text, variables in cases:
        LOG.clear()
        expected = await executed(await schema.execute(text, variables, context(actor)))
        expected_log = LOG.copy()
        compiled = compiled_of(schema, text)
        if compiled is None:
            assert "__schema" in text, text
            continue
        for _ in range(2):
            LOG.clear()
            result = compiled.run(context(actor), variables)
            if result is None:  # graphql-core is to say what is wrong with the variables
                assert expected[1], text
                assert LOG == []
                continue
            assert await executed(result) == expected, (text, variables)
            assert expected_log == LOG, text


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { queryType { name } } }",
        "query ($name: String!) { describe(pet: {name: $name}) }",
        "query ($a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!) { cat { name @skip(if: $a)"
        " lives @skip(if: $b) mood @skip(if: $c) slow @skip(if: $d) } }",
    ],
)
def test_what_is_not_supported_is_left_to_graphql_core(text: str) -> None:
    assert not DocumentStore(edge_schema.schema, introspection=True).prepare(text, None).trusted
    assert compiled_of(edge_schema.schema, text) is None


def test_a_document_of_too_many_fields_is_left_to_graphql_core() -> None:
    document = parse("{ cat { name lives } }")
    compiler = OperationCompiler(edge_schema.schema)
    assert compiler.compile(document, None, 3) is not None
    assert compiler.compile(document, None, 2) is None


async def test_an_ordinary_document_is_compiled_when_it_comes_again() -> None:
    store = DocumentStore(edge_schema.schema)
    answers = []
    for _ in range(3):
        prepared = store.prepare("query A { cat { name } } query B { grid }", None)
        answers.append(await executed(store.execute(prepared, context(), None, "A")))
    assert answers == [answers[0]] * 3
    assert (store.executions.ordinary, store.executions.compiled) == (1, 2)


async def test_a_variable_that_does_not_fit_is_refused_by_graphql_core_in_its_words() -> None:
    store = DocumentStore(edge_schema.schema)
    prepared = store.prepare("query ($l: Int!) { describe(limit: $l) }", None)
    for _ in range(3):
        _, [error] = await executed(store.execute(prepared, context(), {"l": "many"}))
        assert error[0].startswith("Variable '$l' has invalid value")
    assert store.executions.compiled == 0


def test_times_and_days_are_written_as_they_write_themselves() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 1, tzinfo=UTC)
    now = datetime(2026, 11, 9, 8, 30, 0, 120_000, tzinfo=UTC)
    zones = (UTC, None, ZoneInfo("UTC"), timezone(timedelta(hours=8)))
    write = moment_writer()
    for moment in (first, last, now, now.replace(microsecond=0)):
        for zone in zones:
            assert write(moment.replace(tzinfo=zone)) == moment.replace(tzinfo=zone).isoformat()
        assert write(moment.date()) == moment.date().isoformat()
    assert write(now.time()) == now.time().isoformat()
