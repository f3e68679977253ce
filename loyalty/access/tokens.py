"""Access tokens: short-lived JWTs that name one caller. The noun's fifth file, since a token is
neither a table nor a decision nor a verb on the database.

One algorithm (HS256), one key, one audience. The header may say nothing but that: no key id, no
key or address of one. What a role may do is looked up here, never read from the token.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from loyalty.actor import (
    CLERK_ROLE,
    GRANTS_BY_ROLE,
    Actor,
    ActorKind,
    Grant,
    MemberRole,
    OperatorRole,
)
from loyalty.ids import read_id

AUDIENCE = "loyalty"
TOKEN_LENGTH_MAX = 4096
CLOCK_SKEW_SECONDS = 60
VERIFIED_MAX = 10_000

_ALGORITHM = "HS256"
_HEADER = {"alg": _ALGORITHM, "typ": "JWT"}
_CLAIMS = {"aud", "brand", "kind", "role", "sub", "iat", "exp"}
_CLERK_CLAIMS = _CLAIMS | {"place", "till"}


class TokenIssuer:
    """One per process, from ``Settings.token_secret``. Verified tokens are remembered, so that the
    next request with one costs a look-up."""

    def __init__(
        self, secret: bytes, ttl_seconds: int, *, verified_max: int = VERIFIED_MAX
    ) -> None:
        self._key = OctKey.import_key(secret)
        self._ttl_seconds = ttl_seconds
        self._verified_max = verified_max
        self._verified: OrderedDict[str, tuple[Actor, datetime]] = OrderedDict()

    def issue(self, actor: Actor, now: datetime) -> str:
        """A token of a member, an operator, or a clerk at a till; the command line needs none."""
        if actor.kind in (ActorKind.SYSTEM, ActorKind.PARTNER):
            raise ValueError("the system's own actor gets no token, a partner has its key")
        issued_at = int(now.timestamp())
        claims: dict[str, Any] = {
            "aud": AUDIENCE,
            "brand": actor.brand_id.hex,
            "kind": actor.kind.value,
            "role": actor.role,
            "sub": actor.id.hex,
            "iat": issued_at,
            "exp": issued_at + self._ttl_seconds,
        }
        if actor.kind is ActorKind.CLERK:
            if actor.place_id is None or actor.till_id is None:
                raise ValueError("a clerk acts at a till of a place")
            claims |= {"place": actor.place_id.hex, "till": actor.till_id.hex}
        return jwt.encode(dict(_HEADER), claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str, now: datetime) -> Actor | None:
        """The caller that a token names; None for anything but a live token of ours."""
        known = self._verified.get(token)
        if known is not None:
            actor, expires_at = known
            if now < expires_at:
                self._verified.move_to_end(token)
                return actor
            del self._verified[token]
            return None
        checked = self._check(token, now)
        if checked is None:
            return None
        self._verified[token] = checked
        if len(self._verified) > self._verified_max:
            self._verified.popitem(last=False)
        return checked[0]

    def _check(self, token: str, now: datetime) -> tuple[Actor, datetime] | None:
        if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
            return None
        try:
            decoded = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if decoded.header != _HEADER:
            return None
        return _read(decoded.claims, now)


def _read(claims: dict[str, Any], now: datetime) -> tuple[Actor, datetime] | None:
    if not isinstance(claims, dict) or claims.get("aud") != AUDIENCE:
        return None
    is_clerk = claims.get("kind") == ActorKind.CLERK.value
    if set(claims) != (_CLERK_CLAIMS if is_clerk else _CLAIMS):
        return None
    issued_at, expires_at = claims["iat"], claims["exp"]
    if type(issued_at) is not int or type(expires_at) is not int:
        return None
    seconds = now.timestamp()
    if not issued_at - CLOCK_SKEW_SECONDS <= seconds < expires_at:
        return None
    try:
        kind, role = ActorKind(claims["kind"]), claims["role"]
        brand_id, own_id = read_id(claims["brand"]), read_id(claims["sub"])
        place_id = read_id(claims["place"]) if is_clerk else None
        till_id = read_id(claims["till"]) if is_clerk else None
        grants = _grants(kind, role)
        until = datetime.fromtimestamp(0, UTC) + timedelta(seconds=expires_at)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
    return Actor(kind, brand_id, own_id, str(role), grants, place_id, till_id), until


def _grants(kind: ActorKind, role: Any) -> frozenset[Grant]:
    """What the role may do; ValueError for a role that the kind of caller does not have."""
    if kind is ActorKind.OPERATOR:
        return GRANTS_BY_ROLE[OperatorRole(role)]
    if kind is ActorKind.MEMBER:
        MemberRole(role)
        return frozenset()
    if kind is ActorKind.CLERK and role == CLERK_ROLE:
        return frozenset()
    raise ValueError(f"no token has the role {role!r} of {kind.value}")
