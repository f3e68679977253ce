"""GraphQL over HTTP, as one ASGI application: ``Route("/graphql", GraphQLEndpoint(...))``.

Reads the body itself (bounded in bytes and seconds), answers in the media type the caller
prefers with the status codes of the specification, and runs documents from a DocumentStore.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from graphql import GraphQLError, OperationType
from starlette.types import Receive, Scope, Send

from graphql_schema.context import Context, Services, language_of
from graphql_schema.documents import DocumentsRefused, DocumentStore, PreparedDocument
from graphql_schema.faults import (
    CostExceeded,
    Fault,
    Invalid,
    Throttled,
    Unauthenticated,
    format_errors,
)
from loyalty.actor import Actor, ActorKind
from loyalty.partner_keys.service import KeyHolder, looks_like_key
from server.negotiation import GRAPHQL_RESPONSE, JSON, MediaType, is_json, reply_type, wants_html
from server.throttle import Throttle

log = structlog.get_logger("graphql")

ALLOWED = (b"allow", b"GET, POST, OPTIONS")
JSON_DEPTH_MAX = 64
_SHA256_PREFIX = "sha256:"
_COMMON_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_TYPE_HEADERS: dict[MediaType, list[tuple[bytes, bytes]]] = {
    media: [(b"content-type", media.encode() + b"; charset=utf-8"), *_COMMON_HEADERS]
    for media in (JSON, GRAPHQL_RESPONSE)
}


@dataclass(slots=True)
class GraphQLRequest:
    """What the caller asks for, as far as it is of the right shape."""

    query: str | None
    sha256: str | None
    operation_name: str | None
    variables: dict[str, Any] | None


@dataclass(slots=True)
class Reply:
    """A status, a JSON body and what headers it needs besides the usual."""

    status: int
    body: dict[str, Any]
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page for browsers that come by GET, with its Content-Security-Policy."""

    html: bytes
    policy: str


class HttpProblem(Exception):
    """A request that is answered before GraphQL sees it; ``close`` ends the connection."""

    def __init__(
        self, status: int, fault: Fault, *headers: tuple[bytes, bytes], close: bool = False
    ) -> None:
        super().__init__(fault.message)
        self.status = status
        self.fault = fault
        self.headers = [*headers, (b"connection", b"close")] if close else list(headers)


class Disconnected(Exception):
    """The caller went away while sending."""


class GraphQLEndpoint:
    """One per process. ``verify`` turns a bearer token into an Actor, None if it is no good;
    ``holder_of(key, address)`` does so for partners' keys."""

    def __init__(
        self,
        documents: DocumentStore,
        services: Services,
        verify: Callable[[str], Actor | None],
        throttle: Throttle | None = None,
        page: Page | None = None,
        holder_of: Callable[[str, str], Awaitable[KeyHolder | None]] | None = None,
    ) -> None:
        self._holder_of = holder_of
        self._documents = documents
        self._services = services
        self._verify = verify
        self._throttle = throttle
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method: str = scope["method"]
        accept = headers.get(b"accept", b"")
        browsing = method == "GET" and not scope["query_string"] and wants_html(accept)
        if self._page is not None and browsing:
            await _send_page(send, self._page)
            return
        media = reply_type(accept)
        try:
            if method == "OPTIONS":
                await _send(send, 204, [ALLOWED], b"")
                return
            if method not in ("POST", "GET"):
                raise HttpProblem(405, Invalid("Use POST, or GET for trusted queries."), ALLOWED)
            if media is None:
                raise HttpProblem(406, Invalid(f"Accept {GRAPHQL_RESPONSE} or {JSON}."))
            context = await self._context(scope, headers)
            if method == "POST":
                request = request_of(load_json(await self._body(headers, receive)))
            else:
                request = request_of_query(scope["query_string"])
            reply = await self._answer(request, context, media, method == "GET")
        except HttpProblem as problem:
            errors = format_errors([problem.fault], log)
            reply = Reply(problem.status, {"errors": errors}, problem.headers)
        except Disconnected:
            return
        body = _dump(reply)
        await _send(send, reply.status, [*_TYPE_HEADERS[media or JSON], *reply.headers], body)

    # --- who ---------------------------------------------------------------------------------

    async def _context(self, scope: Scope, headers: dict[bytes, bytes]) -> Context:
        client = scope.get("client")
        address: str = client[0] if client else ""
        actor: Actor | None = None
        holder: KeyHolder | None = None
        authorization = headers.get(b"authorization")
        if authorization is not None:
            scheme, _, token = authorization.decode("latin-1").partition(" ")
            bearer = token.strip() if scheme.lower() == "bearer" else ""
            if self._holder_of is not None and looks_like_key(bearer):
                holder = await self._holder_of(bearer, address)
                actor = holder.actor if holder is not None else None
            else:
                actor = self._verify(bearer)
        if self._throttle is not None:
            self._check_rate(self._throttle, actor, address, holder)
        if authorization is not None and actor is None:
            problem = Unauthenticated("The token is not valid. Please sign in again.")
            challenge = (b"www-authenticate", b'Bearer error="invalid_token"')
            raise HttpProblem(401, problem, challenge, close=True)
        language = language_of(headers.get(b"accept-language", b"").decode("latin-1"))
        return Context(self._services, actor, language, address)

    def _check_rate(
        self, throttle: Throttle, actor: Actor | None, address: str, holder: KeyHolder | None
    ) -> None:
        if holder is not None:
            caller = (holder.actor.brand_id, holder.actor.id)
            wait = throttle.wait_seconds(caller, holder.requests_per_minute)
        elif actor is None:
            wait = throttle.wait_seconds(address, throttle.rates.anonymous_per_minute)
        elif actor.kind is ActorKind.MEMBER:
            caller = (actor.brand_id, actor.id)
            wait = throttle.wait_seconds(caller, throttle.rates.member_per_minute)
        else:
            caller = (actor.brand_id, actor.id)
            wait = throttle.wait_seconds(caller, throttle.rates.operator_per_minute)
        if wait:
            retry_after = (b"retry-after", str(wait).encode())
            raise HttpProblem(429, Throttled(wait), retry_after, close=True)

    # --- what --------------------------------------------------------------------------------

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        limits = self._documents.limits
        if not is_json(headers.get(b"content-type", b"")):
            raise HttpProblem(415, Invalid("Content-Type must be application/json."), close=True)
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise HttpProblem(415, Invalid("Content-Encoding is not supported."), close=True)
        too_large = Invalid(f"A request has at most {limits.body_bytes_max} bytes.")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limits.body_bytes_max:
            raise HttpProblem(413, too_large, close=True)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.body_seconds_max):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Disconnected
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size > limits.body_bytes_max:
                        raise HttpProblem(413, too_large, close=True)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except TimeoutError as error:
            raise HttpProblem(408, Invalid("The body came too slowly."), close=True) from error

    async def _answer(
        self, request: GraphQLRequest, context: Context, media: MediaType, is_get: bool
    ) -> Reply:
        refused = 400 if media == GRAPHQL_RESPONSE else 200
        try:
            prepared = self._documents.prepare(request.query, request.sha256)
            operation = prepared.operation(request.operation_name)
            cost = operation.cost.value(request.variables)
        except DocumentsRefused as error:
            return Reply(refused, {"errors": format_errors(error.errors, log)})
        except Fault as fault:
            return Reply(refused, {"errors": format_errors([fault], log)})
        if is_get:
            _check_get(prepared, operation.kind)
        cost_max = self._documents.limits.cost_max
        extensions = {"cost": {"requested": cost, "maximum": cost_max}}
        if cost > cost_max:
            errors = format_errors([CostExceeded(cost, cost_max)], log)
            return Reply(refused, {"errors": errors, "extensions": extensions})
        try:
            result = self._documents.execute(
                prepared, context, request.variables, request.operation_name
            )
            executed = await result if isawaitable(result) else result
        except Exception as error:  # noqa: BLE001 - masked and logged, as resolvers' are
            errors = format_errors([internal_error(error)], log)
            return Reply(500, {"errors": errors, "extensions": extensions})
        if executed.errors is None:
            return Reply(200, {"data": executed.data, "extensions": extensions})
        errors = format_errors(executed.errors, log)
        if executed.data is None and all(error.path is None for error in executed.errors):
            return Reply(refused, {"errors": errors, "extensions": extensions})
        return Reply(200, {"errors": errors, "data": executed.data, "extensions": extensions})


def internal_error(error: Exception) -> GraphQLError:
    """An unexpected exception as an error that ``format_errors`` masks and logs."""
    return GraphQLError("", path=[], original_error=error)


def load_json(body: bytes) -> Any:
    """A body as JSON; HttpProblem 400 if it is none, too deep, or a text in it holds NUL."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpProblem(400, Invalid("The body is not JSON.")) from error
    # Both are rare in honest bodies, so the walk is rare as well.
    if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > JSON_DEPTH_MAX:
        _check_json(value)
    return value


def _check_json(value: Any) -> None:
    stack = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > JSON_DEPTH_MAX:
            raise HttpProblem(400, Invalid(f"Nested deeper than {JSON_DEPTH_MAX}."))
        if isinstance(item, dict):
            stack.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            stack.extend((part, depth + 1) for part in item)
        elif isinstance(item, str) and "\0" in item:
            raise HttpProblem(400, Invalid("A text may not contain NUL."))


def request_of(value: Any) -> GraphQLRequest:
    """A JSON body as a request; HttpProblem 400 if a part has the wrong shape."""
    if isinstance(value, list):
        raise HttpProblem(400, Invalid("One operation a request: batches are refused."))
    if not isinstance(value, dict):
        raise HttpProblem(400, Invalid("The body must be a JSON object."))
    extensions = _part(value, "extensions", dict)
    request = GraphQLRequest(
        query=_part(value, "query", str),
        sha256=_sha256(_part(value, "documentId", str), extensions),
        operation_name=_part(value, "operationName", str),
        variables=_part(value, "variables", dict),
    )
    if not request.query and request.sha256 is None:
        raise HttpProblem(400, Invalid("A request needs a query or a documentId."))
    return request


def request_of_query(query_string: bytes) -> GraphQLRequest:
    """A GET's query string as a request; HttpProblem 400 if a part has the wrong shape."""
    try:
        pairs = parse_qs(query_string.decode("ascii"), strict_parsing=True, max_num_fields=10)
        value: dict[str, Any] = {name: texts[-1] for name, texts in pairs.items()}
        value_bytes = {name: text.encode() for name, text in value.items()}
    except ValueError as error:
        raise HttpProblem(400, Invalid("The query string is not valid.")) from error
    if any("\0" in text for text in value.values()):
        raise HttpProblem(400, Invalid("A text may not contain NUL."))
    for name in ("variables", "extensions"):
        if name in value:
            value[name] = load_json(value_bytes[name])
    return request_of(value)


def _part(value: dict[str, Any], name: str, kind: type) -> Any:
    part = value.get(name)
    if part is not None and type(part) is not kind:
        what = "a text" if kind is str else "an object"
        raise HttpProblem(400, Invalid(f"{name} must be {what}."))
    return part


def _sha256(document_id: str | None, extensions: dict[str, Any] | None) -> str | None:
    if document_id is not None:
        if not document_id.startswith(_SHA256_PREFIX):
            raise HttpProblem(400, Invalid("documentId must be sha256: and 64 hexadecimal digits."))
        return document_id[len(_SHA256_PREFIX) :]
    persisted = extensions.get("persistedQuery") if extensions else None
    if persisted is None:
        return None
    sha256 = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(sha256, str):
        raise HttpProblem(400, Invalid("persistedQuery.sha256Hash must be a text."))
    return sha256


def _check_get(prepared: PreparedDocument, kind: OperationType) -> None:
    if kind is not OperationType.QUERY:
        raise HttpProblem(405, Invalid("Mutations go by POST."), (b"allow", b"POST"))
    if not prepared.trusted:
        raise HttpProblem(405, Invalid("GET is for trusted documents."), (b"allow", b"POST"))


def _dump(reply: Reply) -> bytes:
    try:
        return orjson.dumps(reply.body)
    except orjson.JSONEncodeError as error:  # a resolver returned what JSON cannot hold
        reply.status = 500
        return orjson.dumps({"errors": format_errors([internal_error(error)], log)})


async def _send_page(send: Send, page: Page) -> None:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", page.policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        *_COMMON_HEADERS,
    ]
    await _send(send, 200, headers, page.html)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = [] if status == 204 else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})
