"""``GET /downloads/...csv``: statements and books for those who may read them, as they are read.

The caller is who its token or a partner's key says (``Authorization: Bearer``), as at
``/graphql``; keys read statements of clearing alone. Answers 401, 403,
404, 400 and 429 as JSON: a stable code, and a message in the caller's language.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import date
from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graphql_schema.context import language_of
from graphql_schema.pagination import find_id_of
from loyalty import audit_log, keyed
from loyalty.actor import Actor, ActorKind, Grant
from loyalty.actor import Scope as KeyScope
from loyalty.brands.service import get_brand
from loyalty.db import Database, Tx
from loyalty.errors import InvalidInput, NotFound, Refusal
from loyalty.ledger.history import EntryFilter, booked_on
from loyalty.ledger.models import TransferKind
from loyalty.members.queries import list_members_by_ids, read_member
from rewards.alliances.service import template_codes_of
from rewards.clearing.models import ClearingStatement
from rewards.clearing.statements import calendar_of
from server.callers import HEADERS, Callers, Turned, said, turned_away
from server.clearing_csv import COLUMNS, clearing_statement
from server.statement_csv import (
    BrandCalendar,
    brand_books,
    brand_entries,
    brand_withholdings,
    member_statement,
)

log = structlog.get_logger("downloads")

PATHS = {
    "statement": "/downloads/statement.csv",
    "books": "/downloads/books.csv",
    "entries": "/downloads/entries.csv",
    "withholdings": "/downloads/withholdings.csv",
    "clearing": "/downloads/clearing.csv",
}
AT_ONCE_MAX = 16
SECONDS_MAX = 900
RETRY_SECONDS = 5
VALUES_MAX = 20
_PARAMETERS = {
    "statement": {"member", "asset", "kind", "from", "until"},
    "books": {"from", "until"},
    "entries": {"from", "until"},
    "withholdings": {"from", "until"},
    "clearing": {"statement", "language"},
}
_CLEARING = "clearing statement"


class _Stream(StreamingResponse):
    """A download that has its time, and then gives its place to the next one."""

    release: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.warning("download_too_slow")
            raise
        finally:
            self.release()


class StatementDownloads:
    """The downloads of one process. Each caller has one at a time."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._database = database
        self._callers = callers
        self._busy: set[tuple[UUID, UUID]] = set()

    def routes(self) -> list[Route]:
        return [Route(path, self._endpoint(name), methods=["GET"]) for name, path in PATHS.items()]

    def _endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            language = language_of(request.headers.get("accept-language", ""))
            try:
                return await self._download(name, request)
            except Turned as turned:
                return turned_away(turned, language)
            except Refusal as refusal:
                status = 404 if isinstance(refusal, NotFound) else 400
                return said(status, refusal.code, refusal.message(language))

        return answer

    async def _download(self, name: str, request: Request) -> Response:
        actor = await self._callers.actor(request)
        if actor.kind is ActorKind.PARTNER and name != "clearing":
            raise Turned("FORBIDDEN")
        unknown = set(request.query_params) - _PARAMETERS[name]
        if unknown:
            raise InvalidInput(field=min(unknown)[:40], problem="is not a parameter of this")
        if name == "clearing":
            return await self._clearing(request, actor)
        if name != "statement" and Grant.LEDGER not in actor.grants:
            raise Turned("FORBIDDEN")
        async with self._database.snapshot() as snapshot:
            timezone = (await get_brand(snapshot, actor.brand_id)).timezone
        calendar = BrandCalendar(actor.brand_id, timezone)
        first, last = _day(request, "from"), _day(request, "until")
        booked_on(first, last, timezone, ("from", "until"))
        if name == "statement":
            subject_id, pieces = await self._statement(request, actor, calendar, first, last)
        elif name == "books":
            subject_id, pieces = actor.brand_id, brand_books(self._database, calendar, first, last)
        elif name == "withholdings":
            subject_id = actor.brand_id
            pieces = brand_withholdings(self._database, calendar, first, last)
        elif first is None or last is None:
            raise InvalidInput(field="from" if first is None else "until", problem="is missing")
        else:
            subject_id = actor.brand_id
            pieces = brand_entries(self._database, calendar, first, last)
        days = {"from": first, "until": last}
        said = {end: None if day is None else day.isoformat() for end, day in days.items()}
        named = "_".join([name, *filter(None, said.values())])
        return await self._streamed(name, actor, subject_id, pieces, named, said)

    async def _clearing(self, request: Request, actor: Actor) -> Response:
        """One side's copy: of a statement of other brands nobody learns that there is one."""
        if Grant.READ not in actor.grants and KeyScope.READ_STATEMENTS not in actor.scopes:
            raise Turned("FORBIDDEN")
        wanted = request.query_params.get("statement")
        if wanted is None:
            raise InvalidInput(field="statement", problem="is missing")
        said = request.query_params.get("language")
        if said not in (None, *COLUMNS):
            raise InvalidInput(field="language", problem=f"one of {', '.join(COLUMNS)}")
        id = find_id_of("ClearingStatement", wanted)
        async with self._database.snapshot() as snapshot:
            if id is None:
                raise NotFound(noun=_CLEARING)
            statement = await keyed.get_row(
                snapshot, ClearingStatement, actor.brand_id, id, _CLEARING
            )
            pair = (actor.brand_id, statement.partner_id)
            _, timezone = await calendar_of(snapshot, *pair)
            codes = await template_codes_of(snapshot, *pair)
            slug = (await get_brand(snapshot, statement.partner_id)).slug
        pieces = clearing_statement(
            self._database,
            BrandCalendar(actor.brand_id, timezone),
            *(statement, codes, language_of(said or request.headers.get("accept-language", ""))),
        )
        named = f"clearing_{slug}_{statement.number}"
        return await self._streamed("clearing", actor, id, pieces, named, {})

    async def _streamed(
        self,
        name: str,
        actor: Actor,
        subject_id: UUID,
        pieces: AsyncIterator[bytes],
        named: str,
        said: Mapping[str, str | None],
    ) -> Response:
        caller = (actor.brand_id, actor.id)
        if caller in self._busy or len(self._busy) >= AT_ONCE_MAX:
            raise Turned("THROTTLED", RETRY_SECONDS)
        self._busy.add(caller)
        try:
            if actor.kind is not ActorKind.MEMBER:
                await self._database.in_transaction(_note, actor, name, subject_id, said)
        except BaseException:
            self._busy.discard(caller)
            raise
        stream = _Stream(
            pieces,
            media_type="text/csv; charset=utf-8",
            headers=HEADERS | {"content-disposition": f'attachment; filename="{named}.csv"'},
        )
        stream.release = lambda: self._busy.discard(caller)
        return stream

    async def _statement(
        self,
        request: Request,
        actor: Actor,
        calendar: BrandCalendar,
        first: date | None,
        last: date | None,
    ) -> tuple[UUID, AsyncIterator[bytes]]:
        member_id = await self._member_id(request.query_params.get("member"), actor)
        kinds = tuple(request.query_params.getlist("kind"))
        if len(kinds) > VALUES_MAX or not set(kinds) <= {kind.value for kind in TransferKind}:
            raise InvalidInput(field="kind", problem=f"some of {', '.join(TransferKind)}")
        asset = request.query_params.get("asset")
        if asset is not None and (not asset.isascii() or not asset.isprintable()):
            raise InvalidInput(field="asset", problem="the code of an asset")
        since, until = booked_on(first, last, calendar.timezone, ("from", "until"))
        wanted = EntryFilter(asset or None, kinds, since, until)
        return member_id, member_statement(self._database, calendar, member_id, wanted)

    async def _member_id(self, wanted: str | None, actor: Actor) -> UUID:
        """The member named, or the caller itself; of others only operators learn that they are."""
        id = None if wanted is None else find_id_of("Member", wanted)
        if actor.kind is ActorKind.MEMBER:
            own = await read_member(self._database, actor.brand_id, actor.id, actor.role)
            if own is None or (wanted is not None and id != own.id):
                raise NotFound(noun="member")
            return own.id
        if Grant.READ not in actor.grants:
            raise Turned("FORBIDDEN")
        if wanted is None:
            raise InvalidInput(field="member", problem="is missing")
        async with self._database.snapshot() as snapshot:
            found = [] if id is None else await list_members_by_ids(snapshot, actor.brand_id, [id])
        if not found:
            raise NotFound(noun="member")
        return found[0].id


async def _note(
    tx: Tx, actor: Actor, name: str, subject_id: UUID, said: Mapping[str, str | None]
) -> None:
    """What leaves the house in bulk is on record."""
    await audit_log.record(tx, actor, f"ledger.export_{name}", subject_id, "", **said)


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field=name, problem="a day: 2026-11-09") from None
