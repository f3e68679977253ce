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
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from graphql_schema.context import Language, language_of
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
from loyalty.partner_keys.service import KeyHolder, looks_like_key
from rewards.alliances.service import template_codes_of
from rewards.clearing.models import ClearingStatement
from rewards.clearing.statements import calendar_of
from server.clearing_csv import COLUMNS, clearing_statement
from server.statement_csv import (
    BrandCalendar,
    brand_books,
    brand_entries,
    brand_withholdings,
    member_statement,
)
from server.throttle import Throttle

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
_MESSAGES = {
    "UNAUTHENTICATED": (401, "Please sign in.", "请先登录。"),
    "FORBIDDEN": (403, "You may not do this.", "无权进行此操作。"),
    "THROTTLED": (
        429,
        "Too many requests. Please slow down.",
        "请求过于频繁,请稍后再试。",
    ),
}
_CLEARING = "clearing statement"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class _Turned(Exception):
    """The caller is turned away."""

    def __init__(self, code: str, wait_seconds: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.wait_seconds = wait_seconds


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
    """The downloads of one process. ``verify`` turns a bearer token into an Actor, None if it is
    no good; ``holder_of(key, address)`` does so for partners' keys. Each caller has one at a
    time."""

    def __init__(
        self,
        database: Database,
        verify: Callable[[str], Actor | None],
        throttle: Throttle | None = None,
        holder_of: Callable[[str, str], Awaitable[KeyHolder | None]] | None = None,
    ) -> None:
        self._holder_of = holder_of
        self._database = database
        self._verify = verify
        self._throttle = throttle
        self._busy: set[tuple[UUID, UUID]] = set()

    def routes(self) -> list[Route]:
        return [Route(path, self._endpoint(name), methods=["GET"]) for name, path in PATHS.items()]

    def _endpoint(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            language = language_of(request.headers.get("accept-language", ""))
            try:
                return await self._download(name, request)
            except _Turned as turned:
                return _turned_away(turned, language)
            except Refusal as refusal:
                status = 404 if isinstance(refusal, NotFound) else 400
                return _said(status, refusal.code, refusal.message(language))

        return answer

    async def _download(self, name: str, request: Request) -> Response:
        actor = await self._actor(request)
        if actor.kind is ActorKind.PARTNER and name != "clearing":
            raise _Turned("FORBIDDEN")
        unknown = set(request.query_params) - _PARAMETERS[name]
        if unknown:
            raise InvalidInput(field=min(unknown)[:40], problem="is not a parameter of this")
        if name == "clearing":
            return await self._clearing(request, actor)
        if name != "statement" and Grant.LEDGER not in actor.grants:
            raise _Turned("FORBIDDEN")
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
            raise _Turned("FORBIDDEN")
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
            raise _Turned("THROTTLED", RETRY_SECONDS)
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
            headers=_HEADERS | {"content-disposition": f'attachment; filename="{named}.csv"'},
        )
        stream.release = lambda: self._busy.discard(caller)
        return stream

    async def _actor(self, request: Request) -> Actor:
        """Who calls: a member, an operator or a partner's system, and not too often."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        address = request.client.host if request.client else ""
        holder: KeyHolder | None = None
        if self._holder_of is not None and looks_like_key(bearer):
            holder = await self._holder_of(bearer, address)
            actor = None if holder is None else holder.actor
        else:
            actor = self._verify(bearer) if bearer else None
        if self._throttle is not None:
            rates = self._throttle.rates
            if actor is None:
                wait = self._throttle.wait_seconds(address, rates.anonymous_per_minute)
            else:
                rate = rates.operator_per_minute
                if holder is not None:
                    rate = holder.requests_per_minute
                elif actor.kind is ActorKind.MEMBER:
                    rate = rates.member_per_minute
                wait = self._throttle.wait_seconds((actor.brand_id, actor.id), rate)
            if wait:
                raise _Turned("THROTTLED", wait)
        if actor is None:
            raise _Turned("UNAUTHENTICATED")
        if actor.kind not in (ActorKind.MEMBER, ActorKind.OPERATOR, ActorKind.PARTNER):
            raise _Turned("FORBIDDEN")
        return actor

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
            raise _Turned("FORBIDDEN")
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


def _turned_away(turned: _Turned, language: Language) -> Response:
    status, en, zh = _MESSAGES[turned.code]
    answer = _said(status, turned.code, zh if language.startswith("zh") else en)
    if turned.wait_seconds:
        answer.headers["retry-after"] = str(turned.wait_seconds)
    if status == 401:
        answer.headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return answer


def _said(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=_HEADERS)
