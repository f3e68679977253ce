"""``/partners/issue-lists``: a partner sends a file of members to whom it issues a coupon each, and
reads what became of each row. By key alone (``Authorization: Bearer lpk_…``).

``POST ?agreement=&template=&name=`` with a CSV body and an ``idempotency-key`` answers 202 with the
list; sent again, the same. ``GET /partners/issue-lists/{id}.csv`` answers the rows with their
results. Refusals are JSON: a stable code, and a message in the caller's language.
"""

import asyncio
import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from io import StringIO
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from graphql_schema.context import language_of
from graphql_schema.nodes import local_id
from graphql_schema.pagination import encode_id
from loyalty.actor import Actor, Scope
from loyalty.db import Database, is_unavailable
from loyalty.errors import AgreementStateWrong, IdempotencyConflict, InvalidInput, NotFound, Refusal
from loyalty.text import for_spreadsheet
from rewards.issues import queries
from rewards.issues.lists import ListWanted, upload
from rewards.issues.models import IssueList, IssueListRow
from server.callers import HEADERS, Callers, Turned, said, turned_away
from server.key_usage import KeyUsageBook
from server.statement_csv import BYTE_ORDER_MARK, PAGE_ROWS

PATH = "/partners/issue-lists"
BODY_BYTES_MAX = 16 * 1024 * 1024
BODY_SECONDS_MAX = 120
UPLOADS_AT_ONCE_MAX, UPLOADS_OF_A_BRAND_MAX = 8, 2
"""Of one process: each is kept in memory while it is read. Others wait, and not for ever."""
WAIT_SECONDS_MAX, RETRY_SECONDS = 20, 5
RESULT_COLUMNS = ("row", "reference", "result", "issue_id")
_STATUS = {NotFound: 404, IdempotencyConflict: 409, AgreementStateWrong: 409}


class IssueListFiles:
    """The files of one process."""

    def __init__(self, database: Database, callers: Callers, usage: KeyUsageBook) -> None:
        self._database = database
        self._callers = callers
        self._usage = usage
        self._places = asyncio.Semaphore(UPLOADS_AT_ONCE_MAX)
        self._places_of: dict[UUID, asyncio.Semaphore] = {}

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self._answering(self._take), methods=["POST"]),
            Route(PATH + "/{id}.csv", self._answering(self._results), methods=["GET"]),
        ]

    def _answering(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            language = language_of(request.headers.get("accept-language", ""))
            try:
                return await endpoint(request)
            except Turned as turned:
                return turned_away(turned, language)
            except Refusal as refusal:
                status = _STATUS.get(type(refusal), 400)
                return said(status, refusal.code, refusal.message(language))
            except Exception as error:
                if not is_unavailable(error):
                    raise
                return turned_away(Turned("UNAVAILABLE"), language)

        return answer

    async def _actor(self, request: Request, scope: Scope, name: str) -> Actor:
        actor = await self._callers.actor(request)
        if scope not in actor.scopes:
            raise Turned("FORBIDDEN")
        self._usage.count(actor, name)
        return actor

    async def _take(self, request: Request) -> Response:
        actor = await self._actor(request, Scope.ISSUE_COUPONS, "issueList")
        said = request.query_params
        unknown = set(said) - {"agreement", "template", "name", "campaign"}
        if unknown:
            raise InvalidInput(field=min(unknown)[:40], problem="is not a parameter of this")
        wanted = ListWanted(
            local_id("Agreement", said.get("agreement", "")),
            local_id("CouponTemplate", said.get("template", "")),
            said.get("name", ""),
            request.headers.get("idempotency-key", ""),
            said.get("campaign"),
        )
        async with self._place(actor.brand_id):
            body = await _body(request)
            row, replayed = await upload(self._database, actor, wanted, body)
        return JSONResponse(_told(row) | {"replayed": replayed}, status_code=202, headers=HEADERS)

    @asynccontextmanager
    async def _place(self, brand_id: UUID) -> AsyncIterator[None]:
        """One of the places in which a file is read: a slow brand has two of them at most."""
        own = self._places_of.setdefault(brand_id, asyncio.Semaphore(UPLOADS_OF_A_BRAND_MAX))
        async with AsyncExitStack() as taken:
            try:
                async with asyncio.timeout(WAIT_SECONDS_MAX):
                    await taken.enter_async_context(own)
                    await taken.enter_async_context(self._places)
            except TimeoutError:
                raise Turned("THROTTLED", RETRY_SECONDS) from None
            yield

    async def _results(self, request: Request) -> Response:
        actor = await self._actor(request, Scope.READ_COUPONS, "issueListResults")
        list_id = local_id("IssueList", request.path_params["id"])
        async with self._database.snapshot() as snapshot:
            row = await queries.get_list(snapshot, actor.brand_id, list_id)
        headers = HEADERS | {"content-disposition": 'attachment; filename="issue_list.csv"'}
        return StreamingResponse(
            self._pages(row), media_type="text/csv; charset=utf-8", headers=headers
        )

    async def _pages(self, row: IssueList) -> AsyncIterator[bytes]:
        """A page is read in a snapshot of its own. Rows that wait have no result yet."""
        yield (BYTE_ORDER_MARK + ",".join(RESULT_COLUMNS) + "\r\n").encode()
        after = 0
        while True:
            async with self._database.snapshot() as snapshot:
                rows = await queries.list_rows(
                    snapshot, row.brand_id, row.id, after=after, limit=PAGE_ROWS
                )
            yield _lines(rows)
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1].row_no


def _lines(rows: Iterable[IssueListRow]) -> bytes:
    out = StringIO()
    write = csv.writer(out).writerow
    for row in rows:
        issue_id = "" if row.issue_id is None else encode_id("PartnerIssue", row.issue_id)
        write((row.row_no, for_spreadsheet(row.reference or ""), row.code or "", issue_id))
    return out.getvalue().encode()


def _told(row: IssueList) -> dict[str, str | int]:
    return {"id": encode_id("IssueList", row.id), "status": row.status, "rows": row.row_count}


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > BODY_BYTES_MAX:
        raise Turned("TOO_LARGE")
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    raise Turned("TOO_LARGE")
                chunks.append(chunk)
    except TimeoutError:
        raise Turned("TOO_SLOW") from None
    except ClientDisconnect:
        raise Turned("TOO_SLOW") from None
    return b"".join(chunks)
