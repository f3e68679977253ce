"""Who calls a path besides ``/graphql``, and how one is turned away there: JSON with a stable code,
and a message in the caller's language."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graphql_schema.context import Language
from loyalty.actor import Actor, ActorKind
from loyalty.partner_keys.service import KeyHolder, looks_like_key
from server.throttle import Throttle

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_MESSAGES = {
    "UNAUTHENTICATED": (401, "Please sign in.", "请先登录。"),
    "FORBIDDEN": (403, "You may not do this.", "无权进行此操作。"),
    "TOO_SLOW": (408, "The file came too slowly.", "文件上传过慢。"),
    "TOO_LARGE": (413, "The file is too large.", "文件过大。"),
    "THROTTLED": (
        429,
        "Too many requests. Please slow down.",
        "请求过于频繁,请稍后再试。",
    ),
    "UNAVAILABLE": (503, "Please try again.", "请稍后重试。"),
}


class Turned(Exception):
    """The caller is turned away."""

    def __init__(self, code: str, wait_seconds: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Callers:
    """``verify`` turns a bearer token into an Actor, None if it is no good; ``holder_of(key,
    address)`` does so for partners' keys."""

    verify: Callable[[str], Actor | None]
    holder_of: Callable[[str, str], Awaitable[KeyHolder | None]]
    throttle: Throttle | None = None

    async def actor(self, request: Request) -> Actor:
        """A member, an operator or a partner's system, and not too often. Raises Turned."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        address = request.client.host if request.client else ""
        holder: KeyHolder | None = None
        if looks_like_key(bearer):
            holder = await self.holder_of(bearer, address)
            actor = None if holder is None else holder.actor
        else:
            actor = self.verify(bearer) if bearer else None
        self._check_rate(actor, holder, address)
        if actor is None:
            raise Turned("UNAUTHENTICATED")
        if actor.kind not in (ActorKind.MEMBER, ActorKind.OPERATOR, ActorKind.PARTNER):
            raise Turned("FORBIDDEN")
        return actor

    def _check_rate(self, actor: Actor | None, holder: KeyHolder | None, address: str) -> None:
        if self.throttle is None:
            return
        rates = self.throttle.rates
        if actor is None:
            wait = self.throttle.wait_seconds(address, rates.anonymous_per_minute)
        else:
            rate = rates.operator_per_minute
            if holder is not None:
                rate = holder.requests_per_minute
            elif actor.kind is ActorKind.MEMBER:
                rate = rates.member_per_minute
            wait = self.throttle.wait_seconds((actor.brand_id, actor.id), rate)
        if wait:
            raise Turned("THROTTLED", wait)


def turned_away(turned: Turned, language: Language) -> Response:
    status, en, zh = _MESSAGES[turned.code]
    answer = said(status, turned.code, zh if language.startswith("zh") else en)
    if turned.wait_seconds:
        answer.headers["retry-after"] = str(turned.wait_seconds)
    if status == 401:
        answer.headers["www-authenticate"] = 'Bearer error="invalid_token"'
    if status in (408, 413):
        answer.headers["connection"] = "close"
    return answer


def said(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=HEADERS)
