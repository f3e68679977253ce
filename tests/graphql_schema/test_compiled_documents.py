"""Over the real schema and on real rows, compiled documents answer as Strawberry executes them."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from inspect import isawaitable
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from graphql import get_named_type, is_leaf_type, parse
from starlette.applications import Starlette

from graphql_schema.compiled.operations import OperationCompiler
from graphql_schema.context import Context
from graphql_schema.documents import sha256_of, trusted_documents
from graphql_schema.schema import make_schema
from loyalty.db import Database
from loyalty.settings import Settings
from server.asgi import create_app
from server.graphql_http import GraphQLEndpoint
from tests.api import Api, Caller
from tests.graphql_schema.arguments import root_fields
from tests.graphql_schema.documents_made import MadeDocument, everything, maker_of
from tests.graphql_schema.lived import Lived, live, who_may
from tests.graphql_schema.shop import ALICE
from tests.graphql_schema.stage import Stage, open_stage
from tests.graphql_schema.test_documents import errors_of
from tests.graphql_schema.test_trusted_documents import text_of, variables_of

SCHEMA = make_schema()
COMPILER = OperationCompiler(SCHEMA)
FIELDS_MAX = 20_000
DOCUMENTS_MADE = 150
"""By as many seeds, which are always the same."""
QUERIES = [field.name for field in root_fields() if field.operation == "query"]
CHANGING = {"statementDownload"}
"""Root fields whose answer is another each time."""
NEW_EACH_TIME = {"scanId", "occurredAt", "at", "id", "code"}
TRUSTED = sorted(Path(__file__).parents[2].glob("graphql_schema/trusted/*.graphql"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(settings: Settings) -> AsyncIterator[Starlette]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(app: Starlette) -> AsyncIterator[Api]:
    """The application of these tests, whose services they use directly as well."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://loyalty.test") as client:
        yield Api(client)


@pytest.fixture(scope="module")
def endpoint(app: Starlette) -> GraphQLEndpoint:
    found: GraphQLEndpoint = app.state.endpoint
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(api: Api, db: Database, settings: Settings) -> Lived:
    return await live(await open_stage(api, db, settings, "lived"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(lived: Lived) -> dict[str, Caller]:
    """Alice in every role, and operators."""
    return await lived.people(ALICE) | {"CONSUMER": lived.alice}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Strawberry logs each refusal with its traceback."""
    with caplog.at_level(logging.CRITICAL, logger="strawberry.execution"):
        yield


def context_of(endpoint: GraphQLEndpoint, caller: Caller) -> Context:
    actor = None if caller.token is None else endpoint._verify(caller.token)
    return Context(endpoint._services, actor, "en", "192.0.2.1")


async def answer(result: Any) -> Any:
    """Data in their order, errors in any."""
    result = await result if isawaitable(result) else result
    return repr(result.data), errors_of(result.errors)


async def stock_answer(text: str, variables: Any, context: Context) -> Any:
    return await answer(await SCHEMA.execute(text, variables, context))


async def compare(text: str, variables: dict[str, Any], context: Any) -> str:
    """How it went; it must not be answered otherwise than Strawberry answers it."""
    compiled = COMPILER.compile(parse(text), None, FIELDS_MAX)
    assert compiled is not None, text
    result = compiled.run(context(), variables)
    expected = await stock_answer(text, variables, context())
    data, errors = expected
    if result is None:  # graphql-core is asked what is wrong with the variables
        assert data == "None" and errors, (text, variables)
        return "refused"
    assert await answer(result) == expected, (text, variables)
    return "with errors" if errors else "whole"


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*QUERIES} - CHANGING))
async def test_every_field_reads_alike(
    name: str, lived: Lived, people: dict[str, Caller], endpoint: GraphQLEndpoint
) -> None:
    field = next(each for each in root_fields() if each.name == name)
    known: dict[str, Any] = {"code": lived.coupon_code if name == "coupon" else lived.fresh_code}
    known |= {"first": 3, "after": None, "last": None, "before": None}
    variables = field.variables(lived.ids.__getitem__, known=known)
    named = get_named_type(field.field.type)
    document = field.document
    if not is_leaf_type(named):
        opening = document[: document.index("{ __typename")]
        depth = 1 if name == "node" else 3
        document = f"{opening}{{ {everything(named, depth)} }} }}"
    for who in {who_may(name), "CONSUMER", "ADMIN"}:
        context = partial(context_of, endpoint, people[who])
        assert await compare(document, variables, context) != "refused"


async def test_made_documents_are_answered_alike(
    lived: Lived, people: dict[str, Caller], endpoint: GraphQLEndpoint
) -> None:
    made: Counter[str] = Counter()
    for seed in range(DOCUMENTS_MADE):
        random = Random(seed)
        roots = random.sample(QUERIES, random.randint(1, 3))
        code = lived.coupon_code if "coupon" in roots else lived.fresh_code
        known = {"code": code, "last": 2, "after": None, "before": None}
        known |= {"first": random.choice((1, 5))}
        document = MadeDocument(random, maker_of(lived.ids, known))
        text = document.text(roots)
        who = who_may(roots[0]) if random.random() < 0.7 else random.choice([*people])
        context = partial(context_of, endpoint, people[who])
        made[await compare(text, document.variables, context)] += 1
    assert made["whole"] > DOCUMENTS_MADE // 3 and made["with errors"] and made["refused"], made


# --- the shipped documents ------------------------------------------------------------------------


@pytest.mark.parametrize("path", TRUSTED, ids=lambda path: path.stem)
async def test_a_trusted_document_is_answered_alike(
    path: Path, stage: Stage, endpoint: GraphQLEndpoint
) -> None:
    text = text_of(path.stem)
    await stage.publish()
    callers = [stage.api.nobody, await stage.member(ALICE), await stage.guide("13900139001")]
    for variables in await variables_of(path.stem, stage):
        for caller in [*callers, stage.admin]:
            compiled = COMPILER.compile(parse(text), None, FIELDS_MAX)
            assert compiled is not None
            first = compiled.run(context_of(endpoint, caller), variables)
            if first is not None:
                await answer(first)  # what it does is done; from here on it is replayed
            await compare(text, variables, partial(context_of, endpoint, caller))


async def test_a_scan_done_compiled_is_as_one_done_by_graphql_core(
    lived: Lived, endpoint: GraphQLEndpoint
) -> None:
    stage, text = lived.stage, text_of("scan_code")
    operation = COMPILER.compile(parse(text), None, FIELDS_MAX)
    assert operation is not None
    [codes] = await stage.codes(2)
    answers: list[Any] = []
    for code, phone in zip(codes, ("13700137001", "13700137002"), strict=True):
        context = context_of(endpoint, await stage.member(phone))
        variables = {"input": {"code": code, "idempotencyKey": f"key-{phone}", "scene": "shelf"}}
        if answers:
            result = await SCHEMA.execute(text, variables, context)
            data, errors = result.data, result.errors
        else:
            ran: Any = operation.run(context, variables)
            data, errors, *_ = await ran
        assert errors is None, errors
        answers.append(without_news(data))
    assert answers[0] == answers[1]
    assert answers[0]["scanCode"]["rewards"]


def without_news(value: Any) -> Any:
    """An answer without what is another each time."""
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if name not in NEW_EACH_TIME}
        return {name: without_news(part) for name, part in kept.items()}
    return [without_news(item) for item in value] if isinstance(value, list) else value


async def test_a_server_runs_its_scans_and_home_pages_compiled(
    lived: Lived, endpoint: GraphQLEndpoint
) -> None:
    stage = lived.stage
    executions = endpoint._documents.executions
    scan = {"input": {"code": await stage.code(), "idempotencyKey": "served"}}
    for name, variables in (("scan_code", scan), ("member_home", {"entries": 3})):
        before = executions.compiled, executions.ordinary
        body = {"documentId": f"sha256:{sha256_of(text_of(name))}", "variables": variables}
        reply = await stage.api.post(body, lived.alice)
        assert "errors" not in reply.body and "Refused" not in str(reply.data)
        assert (executions.compiled, executions.ordinary) == (before[0] + 1, before[1])


def test_every_shipped_document_is_compiled() -> None:
    for text in trusted_documents().values():
        assert COMPILER.compile(parse(text), None, FIELDS_MAX) is not None
