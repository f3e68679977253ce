"""The short path answers as Strawberry does; documents are kept, refused and forgotten right."""

from inspect import isawaitable
from typing import Any

import pytest
from graphql import GraphQLError, get_introspection_query

from graphql_schema.documents import (
    DocumentsRefused,
    DocumentStore,
    TrustedDocumentError,
    sha256_of,
    trusted_documents,
)
from graphql_schema.faults import (
    Fault,
    Invalid,
    PersistedQueryNotFound,
    TrustedDocumentsOnly,
    format_errors,
)
from graphql_schema.limits import Limits
from loyalty.actor import Actor
from tests.graphql_schema.sample_schema import (
    MEMBER,
    OPERATOR,
    SYSTEM,
    WEAK_OPERATOR,
    context,
    schema,
)

FRAGMENT = (
    "fragment D on Drink { id name points note friends { ...F } } fragment F on Drink { name }"
)
BUY = """mutation Buy($input: BuyInput!) { buy(input: $input) {
  __typename ... on Receipt { text points } ... on Refused { code message } } }"""

CASES: list[tuple[str, dict[str, Any] | None]] = [
    ('{ echo(text: "扫码领红包 🎉 \\u4f60") }', None),
    ("query ($t: String!) { a: echo(text: $t) b: echo(text: $t) }",
     {"t": "\u202eRTL\u200f e\u0301"}),
    ("query ($t: String!) { echo(text: $t) }", {}),
    ("query ($t: String!) { echo(text: $t) }", {"t": 5}),
    ("query ($n: BigInt!) { double(n: $n) }", {"n": 2**53}),
    ("query ($n: BigInt!) { double(n: $n) }", {"n": 2**62}),
    ("query ($n: BigInt!) { double(n: $n) }", {"n": 1.5}),
    ("query ($n: BigInt!) { double(n: $n) }", {"n": "12"}),
    ("query ($n: BigInt = 4) { double(n: $n) }", None),
    ("{ whoami figures }", None),
    ("{ whoami }", None),
    ("{ figures }", None),
    ("{ fault crash whoami }", None),
    (f"{{ drink(index: 1) {{ ...D }} }} {FRAGMENT}", None),
    ("{ drink(index: 1) { name broken } }", None),
    ("{ drink(index: 1) { name impossible } }", None),
    ("{ drink(index: 400) { name } }", None),
    ("{ drinks(first: 3) { edges { cursor node { id name } } pageInfo { hasNextPage } } }", None),
    ("{ drinks(last: 3) { nodes { name broken impossible } } }", None),
    ("{ drinks(first: 1000) { nodes { name } } }", None),
    ('{ drinks(after: "rubbish") { nodes { name } } }', None),
    ("query ($y: Boolean!) { echo(text: \"a\") @skip(if: $y) double(n: 1) @include(if: $y) }",
     {"y": True}),
    (BUY, {"input": {"text": "é", "points": 5}}),
    (BUY, {"input": {"text": "é", "points": "9007199254740993", "tags": ["a", "b"]}}),
    (BUY, {"input": {"text": "é", "points": 5, "outcome": "refused"}}),
    (BUY, {"input": {"text": "é", "points": 5, "outcome": "crash"}}),
    (BUY, {"input": {"text": "é", "points": True}}),
    (BUY, {"input": {"text": "é"}}),
    (BUY, {"input": None}),
    ("{ __typename __schema { queryType { name } } __type(name: \"Drink\") { name } }", None),
    (get_introspection_query(), None),
]  # fmt: skip


async def run_short(store: DocumentStore, text: str, variables: Any, actor: Actor | None) -> Any:
    result = store.execute(store.prepare(text, None), context(actor), variables)
    executed = await result if isawaitable(result) else result
    return executed.data, errors_of(executed.errors)


def errors_of(errors: list[GraphQLError] | None) -> list[Any]:
    shown = [
        (error.message, error.path, error.locations, error.extensions, type(error.original_error))
        for error in errors or ()
    ]
    return sorted(shown, key=repr)


@pytest.mark.parametrize("actor", [None, MEMBER, OPERATOR, WEAK_OPERATOR, SYSTEM])
async def test_short_path_answers_as_strawberry_does(actor: Actor | None) -> None:
    ordinary = DocumentStore(schema, introspection=True)
    trusted = DocumentStore(
        schema, {sha256_of(text): text for text, _ in CASES}, introspection=True
    )
    for text, variables in CASES:
        stock = await schema.execute(text, variables, context(actor))
        expected = (stock.data, errors_of(stock.errors))
        assert await run_short(ordinary, text, variables, actor) == expected, text
        assert await run_short(trusted, text, variables, actor) == expected, text


def test_invalid_documents_are_refused_as_strawberry_refuses_them() -> None:
    store = DocumentStore(schema, introspection=True)
    for text in (
        "{ nothing }",
        "{ echo }",
        "{ echo(text: 1) }",
        "{",
        "query A { a } query A { b }",
    ):
        stock = schema.execute_sync(text)
        with pytest.raises(DocumentsRefused) as refused:
            store.prepare(text, None)
        expected = [error.message for error in stock.errors or ()]
        assert [error.message for error in refused.value.errors] == expected
        codes = {error["extensions"]["code"] for error in format_errors(refused.value.errors, None)}  # type: ignore[arg-type]
        assert codes == {"INVALID"}


def test_introspection_is_off_unless_enabled() -> None:
    for text in ("{ __schema { queryType { name } } }", '{ __type(name: "Drink") { name } }'):
        with pytest.raises(DocumentsRefused):
            DocumentStore(schema).prepare(text, None)
        DocumentStore(schema, introspection=True).prepare(text, None)
    with pytest.raises(DocumentsRefused) as refused:
        DocumentStore(schema).prepare("{ whoam }", None)
    assert "whoami" not in str(refused.value.errors)


def test_trusted_documents_are_found_by_hash_and_by_text() -> None:
    text = "{ whoami }"
    store = DocumentStore(schema, {sha256_of(text): text}, trusted_only=True)
    by_hash = store.prepare(None, sha256_of(text))
    assert by_hash is store.prepare(text, None)
    assert by_hash.trusted
    assert store.prepare("{ figures }", sha256_of(text)) is by_hash
    with pytest.raises(PersistedQueryNotFound):
        store.prepare(None, sha256_of("{ figures }"))
    with pytest.raises(TrustedDocumentsOnly):
        store.prepare("{ figures }", None)
    with pytest.raises(TrustedDocumentsOnly):
        store.prepare("{ figures }", sha256_of("{ figures }"))
    with pytest.raises(Invalid):
        store.prepare(None, None)


@pytest.mark.parametrize("text", ["{ nothing }", "query A { whoami } query B { whoami }", "{"])
def test_server_does_not_start_with_an_invalid_trusted_document(text: str) -> None:
    with pytest.raises(TrustedDocumentError):
        DocumentStore(schema, {sha256_of(text): text})


def test_server_does_not_start_with_a_wrong_hash() -> None:
    with pytest.raises(TrustedDocumentError):
        DocumentStore(schema, {"0" * 64: "{ whoami }"})


def test_ordinary_documents_are_kept_while_there_is_room() -> None:
    store = DocumentStore(schema, cache_size=2)
    first = store.prepare("{ whoami }", None)
    store.prepare("{ figures }", None)
    assert store.prepare("{ whoami }", None) is first
    store.prepare("{ crash }", None)
    assert store.prepare("{ whoami }", None) is first
    second = store.prepare("{ figures }", None)
    assert store.prepare("{ figures }", None) is second

    small = DocumentStore(schema, limits=Limits(cache_tokens_max=8))
    one = small.prepare("{ whoami }", None)
    assert small.prepare("{ whoami }", None) is one
    small.prepare("{ whoami figures crash fault }", None)
    assert small.prepare("{ whoami }", None) is not one


def test_operation_is_chosen_by_name() -> None:
    prepared = DocumentStore(schema).prepare("query A { whoami } query B { figures }", None)
    assert prepared.operation("B").name == "B"
    for name in (None, "C", ""):
        with pytest.raises(Fault):
            prepared.operation(name)


def test_shipped_trusted_documents_have_their_hash() -> None:
    for sha256, text in trusted_documents().items():
        assert sha256_of(text) == sha256
