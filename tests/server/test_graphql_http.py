"""GraphQL over HTTP: shapes, statuses, limits and who is calling."""

from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from graphql_schema.documents import DocumentStore, sha256_of
from graphql_schema.limits import Limits
from loyalty.actor import Actor
from server.graphql_http import GraphQLEndpoint, Page
from server.negotiation import GRAPHQL_RESPONSE, JSON
from server.throttle import Rates, Throttle
from tests.graphql_schema.sample_schema import MEMBER, OPERATOR, no_services, schema
from tests.server.asgi_client import Answer, call

ECHO = "query ($t: String!) { echo(text: $t) }"
BUY = """mutation ($input: BuyInput!) { buy(input: $input) {
  ... on Receipt { text points } ... on Refused { code message } } }"""
TRUSTED = {sha256_of(text): text for text in (ECHO, BUY, "{ whoami }")}
TOKENS = {"member": MEMBER, "operator": OPERATOR}
POST_JSON = {"content-type": "application/json"}
MODERN = {**POST_JSON, "accept": GRAPHQL_RESPONSE}


def verify(token: str) -> Actor | None:
    return TOKENS.get(token)


def endpoint(**options: Any) -> GraphQLEndpoint:
    limits = options.pop("limits", None)
    trusted_only = options.pop("trusted_only", False)
    documents = DocumentStore(schema, TRUSTED, trusted_only=trusted_only, limits=limits)
    return GraphQLEndpoint(documents, no_services(), verify, **options)


APP = endpoint()


async def post(body: Any, headers: dict[str, str] | None = None, app: Any = APP) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = await call(app, headers=POST_JSON | (headers or {}), chunks=[raw])
    assert answer is not None
    return answer


async def test_query_is_answered_with_its_cost() -> None:
    answer = await post({"query": ECHO, "variables": {"t": "码"}}, MODERN)
    assert answer.status == 200
    assert answer.headers["content-type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.json == {
        "data": {"echo": "码"},
        "extensions": {"cost": {"requested": 1, "maximum": 5000}},
    }


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": f"sha256:{sha256_of(ECHO)}", "variables": {"t": "x"}},
        {
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(ECHO)}},
            "variables": {"t": "x"},
        },
        {"query": ECHO, "variables": {"t": "x"}, "operationName": None, "extensions": None},
    ],
)
async def test_trusted_documents_have_three_spellings(body: dict[str, Any]) -> None:
    answer = await post(body, app=endpoint(trusted_only=True))
    assert answer.json["data"] == {"echo": "x"}


async def test_others_are_refused_where_only_trusted_documents_run() -> None:
    app = endpoint(trusted_only=True)
    assert (await post({"query": "{ figures }"}, app=app)).codes == ["TRUSTED_DOCUMENTS_ONLY"]
    unknown = {"documentId": f"sha256:{'0' * 64}"}
    assert (await post(unknown, app=app)).codes == ["PERSISTED_QUERY_NOT_FOUND"]


# (body, status for application/json, status for application/graphql-response+json)
@pytest.mark.parametrize(
    ("body", "legacy", "modern"),
    [
        (b"", 400, 400),
        (b"{", 400, 400),
        (b"null", 400, 400),
        (b'"{ whoami }"', 400, 400),
        (b"{}", 400, 400),
        (b"[]", 400, 400),
        (b'[{"query": "{ whoami }"}]', 400, 400),
        ({"query": 1}, 400, 400),
        ({"query": ""}, 400, 400),
        ({"query": None}, 400, 400),
        ({"query": "{ whoami }", "variables": []}, 400, 400),
        ({"query": "{ whoami }", "variables": "{}"}, 400, 400),
        ({"query": "{ whoami }", "operationName": 1}, 400, 400),
        ({"query": "{ whoami }", "extensions": "x"}, 400, 400),
        ({"documentId": "md5:x"}, 400, 400),
        ({"extensions": {"persistedQuery": 1}}, 400, 400),
        ({"extensions": {"persistedQuery": {"sha256Hash": 1}}}, 400, 400),
        ({"query": "{"}, 200, 400),
        ({"query": "{ nothing }"}, 200, 400),
        ({"query": ECHO, "variables": {}}, 200, 400),
        ({"query": ECHO, "variables": {"t": 1}}, 200, 400),
        ({"query": "query A { whoami } query B { whoami }"}, 200, 400),
        ({"query": "query A { whoami }", "operationName": "B"}, 200, 400),
        ({"documentId": f"sha256:{'0' * 64}"}, 200, 400),
        ({"query": "{ a: drinks(first: 100) { nodes { friends { friends { id }}}}}"}, 200, 200),
        (
            {"query": "{ drinks(first: 100) { nodes { friends { friends { friends { id }}}}}}"},
            200,
            400,
        ),
        ({"query": "{ whoami }"}, 200, 200),
        ({"query": "{ crash fault }"}, 200, 200),
        ({"query": ECHO, "variables": {"t": "x"}}, 200, 200),
    ],
)
async def test_statuses(body: Any, legacy: int, modern: int) -> None:
    old = await post(body, {"accept": JSON})
    new = await post(body, {"accept": GRAPHQL_RESPONSE})
    assert (old.status, new.status) == (legacy, modern)
    assert old.json.get("data") == new.json.get("data")
    if modern == 400:
        assert "data" not in new.json
        assert new.codes in (["INVALID"], ["COST_EXCEEDED"], ["PERSISTED_QUERY_NOT_FOUND"])


async def test_costs_are_refused_with_their_figures() -> None:
    text = "query ($n: Int) { drinks(first: $n) { nodes { friends { friends { friends { id }}}}}}"
    assert (await post({"query": text, "variables": {"n": 1}})).status == 200
    answer = await post({"query": text, "variables": {"n": 100}})
    assert answer.codes == ["COST_EXCEEDED"]
    assert answer.json["extensions"]["cost"]["requested"] > 5_000


async def test_internal_errors_are_masked() -> None:
    answer = await post({"query": "{ crash }"})
    assert answer.codes == ["INTERNAL"]
    assert b"13800138000" not in answer.body


async def test_refusals_are_data() -> None:
    variables = {"input": {"text": "x", "points": 1, "outcome": "refused"}}
    for language, message in (("en", "There is no such drink."), ("zh", "没有找到(drink)。")):
        headers = {"authorization": "Bearer member", "accept-language": language}
        answer = await post({"query": BUY, "variables": variables}, headers)
        assert answer.json["data"] == {"buy": {"code": "NOT_FOUND", "message": message}}


# --- methods and media types -------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
async def test_other_methods_are_refused(method: str) -> None:
    answer = await call(APP, method, headers=POST_JSON)
    assert answer is not None
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, OPTIONS")


async def test_options_says_what_is_allowed() -> None:
    answer = await call(APP, "OPTIONS")
    assert answer is not None
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, POST, OPTIONS", b"")


async def test_unacceptable_and_unsupported_types() -> None:
    assert (await post({"query": "{ whoami }"}, {"accept": "text/html"})).status == 406
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await post({"query": "{ whoami }"}, {"content-type": content_type})
        assert answer.status == 415
    assert (await post({"query": "{ whoami }"}, {"content-encoding": "gzip"})).status == 415


async def get(parameters: dict[str, str], app: Any = APP, **headers: str) -> Answer:
    answer = await call(app, "GET", urlencode(parameters, quote_via=quote), headers)
    assert answer is not None
    return answer


async def test_get_runs_trusted_queries_only() -> None:
    hash_of = {text: f"sha256:{sha256}" for sha256, text in TRUSTED.items()}
    answer = await get({"documentId": hash_of[ECHO], "variables": '{"t": "码"}'})
    assert answer.json["data"] == {"echo": "码"}
    persisted = orjson.dumps({"persistedQuery": {"sha256Hash": sha256_of("{ whoami }")}}).decode()
    answer = await get({"extensions": persisted}, authorization="Bearer member")
    assert answer.json["data"] == {"whoami": "MEMBER"}
    for refused in ({"documentId": hash_of[BUY]}, {"query": "{ figures }"}):
        answer = await get(refused)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "query_string",
    ["", "&&", "a", "variables=%7B", "variables=[]&query=a", "query=%00", "q=%ff&query=%ff",
     "extensions=1&query=a", "&".join(f"a{i}=1" for i in range(99)), "\u00e9=1"],
)  # fmt: skip
async def test_bad_query_strings_are_refused(query_string: str) -> None:
    answer = await call(APP, "GET", query_string)
    assert answer is not None
    assert answer.status in (400, 405) or answer.codes


async def test_browsers_get_the_page_where_there_is_one() -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    app = endpoint(page=Page(b"<!doctype html>", "default-src 'self'"))
    answer = await get({}, app=app, accept=browser)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.body == b"<!doctype html>"
    assert (await get({}, accept=browser)).status == 400


# --- who -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Bearer ", "Bearer", "Basic member", "member", ""]
)
async def test_bad_tokens_are_401(authorization: str) -> None:
    answer = await post({"query": "{ whoami }"}, {"authorization": authorization})
    assert answer.status == 401
    assert answer.codes == ["UNAUTHENTICATED"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_tokens_name_the_actor() -> None:
    for scheme in ("Bearer", "bearer"):
        answer = await post({"query": "{ whoami }"}, {"authorization": f"{scheme} operator"})
        assert answer.json["data"] == {"whoami": "OPERATOR"}


async def test_callers_are_throttled_each_for_himself() -> None:
    rates = Rates(member_per_minute=5, operator_per_minute=6, anonymous_per_minute=4)
    app = endpoint(throttle=Throttle(rates))
    body = {"query": ECHO, "variables": {"t": "x"}}
    for headers, allowed in (
        ({"authorization": "Bearer member"}, 5),
        ({"authorization": "Bearer operator"}, 6),
        ({}, 4),
    ):
        statuses = [(await post(body, headers, app)).status for _ in range(allowed)]
        assert statuses == [200] * allowed
        answer = await post(body, headers, app)
        assert (answer.status, answer.codes) == (429, ["THROTTLED"])
        seconds = int(answer.headers["retry-after"])
        assert answer.json["errors"][0]["extensions"]["retryAfterSeconds"] == seconds >= 1
    # Guessing tokens counts against the address.
    assert (await post(body, {"authorization": "Bearer guess"}, app)).status == 429


# --- attacks ---------------------------------------------------------------------------------


async def test_large_bodies_are_not_even_read() -> None:
    for _ in range(100):
        headers = POST_JSON | {"content-length": str(100 * 2**20)}
        answer = await call(APP, headers=headers, chunks=[b"x" * 65_536] * 1_600)
        assert answer is not None
        assert (answer.status, answer.received) == (413, 0)
        assert answer.headers["connection"] == "close"


async def test_large_bodies_of_unknown_length_are_read_up_to_the_limit() -> None:
    chunks = [b"x" * 65_536] * 1_600
    for _ in range(100):
        answer = await call(APP, headers=POST_JSON, chunks=chunks)
        assert answer is not None
        assert (answer.status, answer.received) == (413, 5)


async def test_bodies_at_the_limit_are_read() -> None:
    body = orjson.dumps({"query": ECHO, "variables": {"t": "x"}})
    body += b" " * (256 * 1024 - len(body))
    assert (await post(body)).status == 200
    assert (await post(body + b" ")).status == 413


async def test_slow_bodies_time_out() -> None:
    app = endpoint(limits=Limits(body_seconds_max=0.05))
    answer = await call(app, headers=POST_JSON, chunks=[b" "] * 1_000, pause_seconds=0.01)
    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (408, "close")


async def test_nobody_is_answered_who_hung_up() -> None:
    assert await call(APP, headers=POST_JSON, chunks=[b"{"], hang_up=True) is None


async def test_bodies_may_come_in_pieces() -> None:
    body = orjson.dumps({"query": ECHO, "variables": {"t": "茅台"}})
    answer = await call(APP, headers=POST_JSON, chunks=[bytes([byte]) for byte in body])
    assert answer is not None
    assert answer.json["data"] == {"echo": "茅台"}


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 100 + b"]" * 100,
        b"[" * 5_000 + b"]" * 5_000,
        b"[" * 100_000,
        b'{"a":' * 90 + b"1" + b"}" * 90,
        b'"\\u0000"',
        b'"a\\u0000b"',
        b'{"\\u0000": 1}',
        b'[[["\\u0000"]]]',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\x00"',
        b"NaN",
        b"Infinity",
        b"1e309",
        b"-1e309",
    ],
)
async def test_hostile_json_is_refused(value: bytes) -> None:
    answer = await post(b'{"query": "{ whoami }", "variables": {"t": ' + value + b"}}")
    assert (answer.status, answer.codes) == (400, ["INVALID"])


@pytest.mark.parametrize(
    "text", ["a\\u0000b", "\u202e 🍺 e\u0301", "", "x" * 9_000, "=cmd()", "'--"]
)
async def test_honest_texts_make_the_round_trip(text: str) -> None:
    answer = await post({"query": ECHO, "variables": {"t": text}})
    assert answer.json["data"] == {"echo": text}


@pytest.mark.parametrize("amount", [1.5, -0.5, 2**63, 2**64, -(2**63) - 1, 10**30, True, "1.0", []])
async def test_amounts_that_are_no_int64_are_refused(amount: Any) -> None:
    variables = f'{{"n": {"true" if amount is True else orjson_or_text(amount)}}}'
    body = '{"query": "query ($n: BigInt!) { double(n: $n) }", "variables": ' + variables + "}"
    answer = await post(body.encode(), MODERN)
    assert (answer.status, answer.codes) == (400, ["INVALID"])


def orjson_or_text(amount: Any) -> str:
    return str(amount) if isinstance(amount, int) else orjson.dumps(amount).decode()
